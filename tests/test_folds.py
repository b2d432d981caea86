"""folds: the scores of a cross-validation, and the spread of each over the folds."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from defectseg.cli import app
from defectseg.commands.folds import describe_folds, describe_progress, format_folds
from defectseg.errors import DataError
from defectseg.experiments.folds import (
    Fold,
    ScoreSpread,
    check_folds,
    flatten,
    missing_folds,
    parse_fold,
    summarise_folds,
)
from defectseg.experiments.queue import Queue, ask

SCORES: dict[str, Any] = {
    "pictures": 48,
    "surfaces": 17,
    "dice_pooled": 0.5,
    "image_auroc": None,
    "interval": {"dice_pooled": {"low": 0.1, "high": 0.9}},
}
PARAMS = {"data_split": {"folds": 5, "fold": 1}, "train": {"epochs": 20}}


def read(scores: Any = SCORES, params: Any = PARAMS, number: int = 1) -> Fold:
    """Fold 1 as an experiment keeps it, with other content for its files."""
    texts = [one if isinstance(one, str) else json.dumps(one) for one in (scores, params)]
    return parse_fold("cv-1", number, *texts)


def fold(name: str, **params: Any) -> Fold:
    return Fold(name, params, {})


def test_three_folds_have_a_mean_a_deviation_and_an_interval():
    # 0.2, 0.4, 0.9: mean 0.5; squares 0.09 + 0.01 + 0.16 = 0.26, / 2 = 0.13; t(0.975, 2) = 4.302653
    (spread,) = summarise_folds([{"dice": 0.2}, {"dice": 0.4}, {"dice": 0.9}])
    assert (spread.name, spread.folds) == ("dice", 3)
    assert (spread.least, spread.most) == (0.2, 0.9)
    assert spread.mean == pytest.approx(0.5)
    assert spread.deviation == pytest.approx(0.36055513)
    half = 4.30265273 * 0.36055513 / math.sqrt(3)
    assert spread.low == pytest.approx(0.5 - half)
    assert spread.high == pytest.approx(0.5 + half)


def test_a_score_counts_only_the_folds_in_which_it_is_defined():
    folds = [{"auroc": None, "dice": 0.1}, {"auroc": 0.5}, {"auroc": 0.7, "dice": None}]
    spreads = {spread.name: spread for spread in summarise_folds(folds)}
    assert (spreads["auroc"].folds, spreads["auroc"].mean) == (2, pytest.approx(0.6))
    assert (spreads["dice"].folds, spreads["dice"].mean) == (1, 0.1)


def test_one_fold_has_no_spread():
    assert summarise_folds([{"dice": 0.5}]) == [
        ScoreSpread("dice", 1, 0.5, None, 0.5, 0.5, None, None)
    ]


def test_a_score_that_no_fold_defines_is_left_out():
    assert summarise_folds([{"dice": None}, {"dice": None}]) == []
    assert summarise_folds([]) == []


def test_equal_folds_have_an_interval_of_no_width():
    (spread,) = summarise_folds([{"dice": 0.25}] * 4)
    assert (spread.deviation, spread.low, spread.high) == (0.0, 0.25, 0.25)


def test_scores_keep_their_order():
    spreads = summarise_folds([{"b": 1.0, "a": 1.0}, {"c": 1.0, "a": 1.0}])
    assert [spread.name for spread in spreads] == ["b", "a", "c"]


def test_a_fold_is_its_scores_and_its_params_without_counts_and_intervals():
    assert read() == Fold(
        "cv-1",
        {"data_split.folds": 5, "data_split.fold": 1, "train.epochs": 20},
        {"dice_pooled": 0.5, "image_auroc": None},
    )


def test_an_experiment_of_another_fold_is_refused():
    with pytest.raises(DataError, match="cv-1 is fold 1, not 3; remove it by `dvc exp remove cv-1"):
        read(number=3)


@pytest.mark.parametrize(
    "scores",
    ["{", "[]", "1", '{"dice": NaN}', '{"dice": Infinity}', '{"dice": "0.5"}', '{"dice": true}'],
)
def test_damaged_scores_are_refused(scores: str):
    with pytest.raises(DataError, match="cv-1 has damaged scores or params: "):
        read(scores=scores)


@pytest.mark.parametrize(
    "params",
    ["", "[]", "{}", "data_split: 3", {"data_split": {"folds": 5}}, "data_split: {folds: 1e9}"],
)
def test_damaged_params_are_refused(params: Any):
    with pytest.raises(DataError, match="cv-1 has damaged scores or params: "):
        read(params=params)


def test_params_that_are_no_yaml_are_refused():
    with pytest.raises(DataError, match=r"cv-1 has a params\.yaml that is no YAML"):
        read(params="a: [\n")


def test_nested_params_become_dotted_keys():
    assert flatten(yaml.safe_load("a: {b: {c: 1}, d: [2]}\ne: null")) == {
        "a.b.c": 1,
        "a.d": [2],
        "e": None,
    }


def test_folds_that_differ_in_their_number_alone_belong_together():
    check_folds([fold("cv-0", **{"data_split.fold": 0}), fold("cv-1", **{"data_split.fold": 1})])


def test_folds_that_differ_in_more_are_refused_with_the_names_of_the_params():
    folds = [fold("cv-0", a=1, b=2, d=None), fold("cv-1", a=1, b=3), fold("cv-2", a=1, b=2, c=4)]
    with pytest.raises(DataError, match="the folds cv-0, cv-1, cv-2 differ in b, c, d; run all"):
        check_folds(folds)


def test_missing_folds_are_counted_from_zero():
    assert missing_folds([0, 3], 5) == [1, 2, 4]
    assert missing_folds([0, 1, 2], 3) == []


SPREADS = [
    ScoreSpread("dice_pooled", 5, 0.5, 0.125, 0.25, 0.75, 0.375, 0.625),
    ScoreSpread("image_auroc", 1, 0.5, None, 0.5, 0.5, None, None),
]


def test_the_table_has_a_row_for_each_score():
    assert format_folds(SPREADS, 5, 5, markdown=False)[:4] == [
        "score         mean    std    min    max  95 % interval  folds",
        "dice_pooled  0.500  0.125  0.250  0.750  0.375 – 0.625      5",
        "image_auroc  0.500      –  0.500  0.500          – – –      1",
        "",
    ]


def test_the_table_says_what_its_interval_is():
    note = format_folds(SPREADS, 4, 5, markdown=False)[-1]
    assert note.startswith("4 of 5 folds. Interval of the mean: Student t over the folds in which")


def test_the_table_may_be_markdown():
    lines = format_folds(SPREADS, 5, 5, markdown=True)
    assert lines[0] == "| score | mean | std | min | max | 95 % interval | folds |"
    assert lines[2].startswith("| dice\\_pooled | 0.500 |")


def test_the_file_has_every_fold_too():
    folds = [Fold("cv-0", {}, {"dice_pooled": 0.25}), Fold("cv-1", {}, {"dice_pooled": 0.75})]
    assert describe_folds(folds, SPREADS[1:], [2]) == {
        "interval": "95 %, Student t over the folds",
        "missing": [2],
        "scores": {
            "image_auroc": {
                "folds": 1,
                "mean": 0.5,
                "deviation": None,
                "least": 0.5,
                "most": 0.5,
                "low": None,
                "high": None,
            }
        },
        "folds": {"cv-0": {"dice_pooled": 0.25}, "cv-1": {"dice_pooled": 0.75}},
    }


def test_progress_names_what_runs():
    tasks = (("cv-0", "Success"), ("cv-1", "Running"), ("cv-2", "Failed"), ("cv-3", "Queued"))
    names = ["cv-0", "cv-1", "cv-2", "cv-3"]
    shown = describe_progress(Queue((*tasks, ("x", "Queued")), 1), names)
    assert shown == "queued 1, running cv-1, done 1, failed 1"
    assert describe_progress(Queue((), 0), names) == "queued 0, running 0, done 0, failed 0"


STAGE = """\
stages:
  evaluate:
    cmd: python evaluate.py
    deps: [evaluate.py]
    params: [data_split, broken]
    outs:
      - metrics/evaluate.json:
          cache: false
"""
SCRIPT = """\
import json, pathlib, yaml
params = yaml.safe_load(open("params.yaml"))
fold = params["data_split"]["fold"]
if fold == params["broken"]:
    raise SystemExit("this fold is broken")
pathlib.Path("metrics").mkdir(exist_ok=True)
scores = {"pictures": 8, "dice_pooled": 0.5 + fold / 4, "image_auroc": 0.5 if fold else None}
pathlib.Path("metrics/evaluate.json").write_text(json.dumps(scores))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two folds with one stage, which is quick; we stand in it."""
    tools = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "home/dvc"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    (tmp_path / "project").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    for name, value in (("user.name", "Tester"), ("user.email", "tester@example.com")):
        shell("git", "config", "--global", name, value)
    shell("git", "init", "--quiet")
    Path("dvc.yaml").write_text(STAGE)
    Path("evaluate.py").write_text(SCRIPT)
    Path("params.yaml").write_text("data_split: {folds: 2, fold: 0}\nbroken: null\n")
    shell("git", "add", "--all")
    shell("git", "commit", "--quiet", "--message", "Two folds")
    return tmp_path / "project"


@pytest.fixture
def dvc_queue(project: Path) -> Iterator[None]:
    """The project's DVC with an empty queue; no worker is left behind."""
    shell("dvc", "init", "--quiet")
    shell("git", "add", "--all")
    shell("git", "commit", "--quiet", "--message", "DVC")
    yield
    shell("dvc", "queue", "stop", "--kill")


def shell(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def queue(number: int, **params: Any) -> None:
    settings = {"data_split.fold": number} | params
    changes = [part for key, value in settings.items() for part in ("-S", f"{key}={value}")]
    shell("dvc", "exp", "run", "--queue", "--name", f"cv-{number}", *changes)


def show(*arguments: str) -> Result:
    """Run `defectseg folds`."""
    return CliRunner().invoke(app, ["folds", *arguments])


def keep(number: int, scores: str, broken: str = "null") -> None:
    """Keep a fold where DVC keeps an experiment that succeeded."""
    Path("metrics").mkdir(exist_ok=True)
    Path("metrics/evaluate.json").write_text(scores)
    Path("params.yaml").write_text(f"data_split: {{folds: 2, fold: {number}}}\nbroken: {broken}\n")
    shell("git", "add", "--all")
    base = ask("git", "rev-parse", "HEAD").strip()
    made = ask("git", "commit-tree", "-p", base, "-m", "x", ask("git", "write-tree").strip())
    shell("git", "update-ref", f"refs/exps/{base[:2]}/{base[2:]}/cv-{number}", made.strip())


def test_the_folds_in_git_are_one_table(project: Path):
    keep(0, '{"pictures": 8, "dice_pooled": 0.5, "image_auroc": null}')
    shown = show()
    assert shown.exit_code == 1
    assert shown.stderr == "error: missing folds: cv-1\n"
    keep(1, '{"pictures": 8, "dice_pooled": 0.75, "image_auroc": 0.5}')
    shown = show("--json", "folds.json")
    assert shown.exit_code == 0, shown.output
    # 0.5 and 0.75: deviation 0.1768; t(0.975, 1) = 12.706; half 12.706 · 0.1768 / √2 = 1.588
    assert shown.stdout.splitlines()[:3] == [
        "score         mean    std    min    max   95 % interval  folds",
        "dice_pooled  0.625  0.177  0.500  0.750  -0.963 – 2.213      2",
        "image_auroc  0.500      –  0.500  0.500           – – –      1",
    ]
    report = json.loads(Path("folds.json").read_text())
    assert report["folds"]["cv-1"] == {"dice_pooled": 0.75, "image_auroc": 0.5}
    assert show("--markdown").stdout.startswith("| score | mean |")


def test_folds_of_different_params_are_no_table(project: Path):
    keep(0, '{"dice_pooled": 0.5}')
    keep(1, '{"dice_pooled": 0.5}', broken="7")
    shown = show()
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert "the folds cv-0, cv-1 differ in broken; run all of them again" in shown.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("dvc_queue")
def test_queued_folds_are_waited_for_and_one_that_failed_is_named_with_its_logs():
    for number in (0, 1):
        queue(number, broken=1)
    shell("dvc", "queue", "start", "-j", "2")
    shown = show("--wait")
    assert shown.exit_code == 1
    assert "queued 0, running 0, done 1, failed 1" in shown.stderr
    assert "1 of 2 folds" in shown.stdout
    assert shown.stderr.splitlines()[-1] == (
        "error: missing folds: cv-1 (cv-1 failed: see `dvc queue logs cv-1`)"
    )


def test_without_experiments_the_message_says_what_to_run(project: Path):
    shown = show()
    assert shown.exit_code == 1
    assert shown.stderr.startswith("error: no experiment cv-0, cv-1, … has succeeded; run")
    assert show("--prefix", "a b").exit_code == 1
