"""dvc.yaml tells the truth: what a stage runs, reads and writes is what it declares."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from reach import ROOT, SRC, parse, stages, used_files

PIPELINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
PARAMS = (ROOT / "params.yaml").read_text(encoding="utf-8")
STAGES: dict[str, dict[str, Any]] = PIPELINE["stages"]
NAMES = list(STAGES)
IN_GIT = {
    "docs/model_card.md",
    "metrics/evaluate.json",
    "metrics/export.json",
    "models/README.md",
    "requirements.txt",
}
# What a stage keeps for itself; .gitignore has both. No two runs have the same speed, and an out
# that outlives an interrupted run (persist) would switch off the run cache of its stage.
UNTRACKED = {"data/rejected", "metrics/speed", "models/checkpoint"}
DATA = re.compile(r"(data|docs|models|metrics)/.+|requirements\.txt|pyproject\.toml")
each_stage = pytest.mark.parametrize("name", NAMES)


def script(name: str) -> Path:
    return SRC / "stages" / f"{name}.py"


def outs(name: str) -> dict[str, dict[str, Any]]:
    """The outs of a stage with their options."""
    declared = STAGES[name]["outs"]
    return {
        k: v for out in declared for k, v in (out if isinstance(out, dict) else {out: {}}).items()
    }


def calls(name: str, function: str) -> set[str]:
    """The literal first arguments that a stage script calls a function with."""
    found = set()
    for node in ast.walk(parse(script(name))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == function:
            argument = node.args[0]
            if isinstance(argument, ast.Constant):
                found.add(str(argument.value))
    return found


def paths_in(name: str) -> set[str]:
    """The paths of data, models and metrics that a stage script names.

    A model is two files: `save_unet` and `load_unet` take the JSON beside the weights.
    """
    named = {path for path in calls(name, "Path") if DATA.fullmatch(path)}
    beside = {str(Path(p).with_suffix(".json")) for p in named if p.endswith(".safetensors")}
    return named | beside


def test_there_is_a_stage_for_every_script():
    assert sorted(NAMES) == [path.stem for path in stages()]


@each_stage
def test_the_code_that_a_stage_reaches_is_the_code_that_it_depends_on(name: str):
    declared = {dep for dep in STAGES[name]["deps"] if dep.startswith("src/")}
    used = {path.relative_to(ROOT).as_posix() for path in used_files(script(name))}
    unseen, idle = sorted(used - declared), sorted(declared - used)
    assert not unseen, f"edit one of these and `dvc repro` would not notice: {unseen}"
    assert not idle, f"edit one of these and `dvc repro` would rerun {name} for nothing: {idle}"


@each_stage
def test_the_params_that_a_stage_reads_are_those_that_it_depends_on(name: str):
    assert set(STAGES[name]["params"]) == calls(name, "read_params")


@each_stage
def test_the_paths_in_a_script_are_the_deps_and_outs_of_its_stage(name: str):
    deps = {dep for dep in STAGES[name]["deps"] if not dep.startswith("src/")}
    assumed = set() if name == "check_packages" else {"requirements.txt"}
    assert paths_in(name) - UNTRACKED == (deps - assumed) | set(outs(name))


def test_what_a_stage_keeps_for_itself_is_ignored_by_git():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {f"/{path}/" for path in UNTRACKED} <= set(ignored)


@pytest.mark.parametrize("name", ["data_split", "train"])
def test_going_back_to_earlier_params_restores_what_was_computed(name: str):
    # DVC keeps no run of a stage with an out that is uncached or persists: dvc/stage/cache.py.
    assert not [path for path, how in outs(name).items() if how.get("persist")]
    assert not [path for path, how in outs(name).items() if not how.get("cache", True)]


@each_stage
def test_a_stage_runs_its_own_script_with_the_modules_beside_it(name: str):
    command = STAGES[name]["cmd"].split()
    assert command[:2] == ["env", "PYTHONPATH=src"]
    assert command[-2:] == ["python", f"src/stages/{name}.py"]


@each_stage
def test_a_stage_says_what_it_does(name: str):
    assert STAGES[name]["desc"].endswith(".")


@each_stage
def test_deps_and_outs_are_literal_and_listed_once(name: str):
    listed = [*STAGES[name]["deps"], *outs(name)]
    assert not [path for path in listed if "$" in path]
    assert len(STAGES[name]["deps"]) == len(set(STAGES[name]["deps"]))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "check_packages"])
def test_every_stage_runs_again_when_a_package_changes(name: str):
    assert "requirements.txt" in STAGES[name]["deps"]
    assert not STAGES[name].get("always_changed")


def test_only_the_check_of_packages_always_runs():
    assert STAGES["check_packages"]["always_changed"]
    assert outs("check_packages")["requirements.txt"] == {"persist": True, "cache": False}


def test_only_small_texts_are_kept_in_git_and_out_of_the_run_cache():
    uncached = {
        path
        for name in NAMES
        for path, options in outs(name).items()
        if not options.get("cache", True)
    }
    assert uncached == IN_GIT


def test_no_two_stages_write_the_same_file():
    written = [path for name in NAMES for path in outs(name)]
    assert len(written) == len(set(written))


def test_metrics_plots_and_artifacts_are_written_by_a_stage():
    written = {path for name in NAMES for path in outs(name)}
    plots = [next(iter(plot)) if isinstance(plot, dict) else plot for plot in PIPELINE["plots"]]
    artifacts = [artifact["path"] for artifact in PIPELINE["artifacts"].values()]
    for path in [*PIPELINE["metrics"], *plots, *artifacts]:
        assert {path, *map(str, Path(path).parents)} & written, path


def test_every_section_of_params_is_read_by_a_stage():
    assert set(yaml.safe_load(PARAMS)) == {key for name in NAMES for key in STAGES[name]["params"]}


def test_every_param_has_a_comment():
    bare = [
        line.strip()
        for line in PARAMS.splitlines()
        if re.match(r" +\w+: *[^ #]", line) and not re.search(r" # .+", line)
    ]
    assert bare == []
