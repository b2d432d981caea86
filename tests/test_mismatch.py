"""mismatch: one state of the repository in, what of it dvc.lock does not know out."""

import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml
from typer import Typer
from typer.testing import CliRunner

from defectseg.commands.lock.check import check
from defectseg.errors import RevisionError
from defectseg.revisions.git_files import read_files
from defectseg.revisions.mismatch import find_mismatches

PIPELINE = """
stages:
  load:
    cmd: python load.py
    deps: [load.py]
    params: [load]
    outs: [tiles]
  train:
    cmd: python train.py
    deps: [tiles, train.py]
    params: [train.rate, compute]
    outs:
      - scores.json:
          cache: false
"""
PARAMS = "load: {check: off, seed: 1}\ntrain: {rate: 1e-3, words: a}\ncompute: {threads: 2}\n"
LOCK = """schema: '2.0'
stages:
  load:
    cmd: python load.py
    deps:
    - {path: load.py, hash: md5, md5: LOAD}
    params:
      params.yaml:
        load: {check: off, seed: 1}
    outs:
    - {path: tiles, hash: md5, md5: 11111111111111111111111111111111.dir}
  train:
    cmd: python train.py
    deps:
    - {path: tiles, hash: md5, md5: 11111111111111111111111111111111.dir}
    - {path: train.py, hash: md5, md5: TRAIN}
    params:
      params.yaml:
        compute: {threads: 2}
        train.rate: 0.001
    outs:
    - {path: scores.json, hash: md5, md5: SCORES}
"""
CODE = {"load.py": "load", "train.py": "train", "scores.json": "{}"}


def files(**changes: str | None) -> dict[str, bytes]:
    """A state of the repository; a file that is None is not there."""
    lock = LOCK
    for mark, name in (("LOAD", "load.py"), ("TRAIN", "train.py"), ("SCORES", "scores.json")):
        lock = lock.replace(mark, hashlib.md5(CODE[name].encode()).hexdigest())
    texts = {"dvc.yaml": PIPELINE, "params.yaml": PARAMS, "dvc.lock": lock, **CODE}
    for name, text in changes.items():
        path = {"pipeline": "dvc.yaml", "params": "params.yaml", "lock": "dvc.lock"}.get(name, name)
        texts[path.replace("_py", ".py")] = text if text is not None else ""
    return {path: text.encode() for path, text in texts.items() if text}


def mismatches(state: Mapping[str, bytes]) -> list[str]:
    def read(paths: Sequence[str]) -> Mapping[str, bytes]:
        return {path: state[path] for path in paths if path in state}

    return [f"{one.kind}: {one.describe()}" for one in find_mismatches(read)]


def lock_text() -> str:
    return files()["dvc.lock"].decode()


def test_a_state_that_ran_has_no_mismatch():
    assert mismatches(files()) == []


def test_params_are_read_as_dvc_reads_them():
    # YAML 1.1 would take `off` for False, and 1e-3 for a word.
    assert mismatches(files(params=PARAMS.replace("off", '"off"').replace("1e-3", "0.001"))) == []


def test_each_changed_param_is_named_with_both_values():
    changed = PARAMS.replace("1e-3", "0.5").replace("seed: 1", "seed: 2")
    assert mismatches(files(params=changed)) == [
        "param: load: load.seed is 2, but it ran with 1",
        "param: train: train.rate is 0.5, but it ran with 0.001",
    ]


def test_params_that_come_and_go_are_named():
    changed = PARAMS.replace("seed: 1", "sead: 1")
    assert mismatches(files(params=changed)) == [
        "param: load: load.sead is 1, but it ran with nothing",
        "param: load: load.seed is nothing, but it ran with 1",
    ]
    assert mismatches(files(params=PARAMS.replace("compute", "computer"))) == [
        "param: train: compute.threads is nothing, but it ran with 2"
    ]


def test_a_param_that_no_stage_reads_is_no_mismatch():
    assert mismatches(files(params=PARAMS.replace("words: a", "words: b"))) == []


def test_changed_code_is_a_mismatch_of_another_kind():
    assert mismatches(files(train_py="other")) == ["file: train: train.py has changed since it ran"]


def test_scores_that_were_edited_by_hand_are_named():
    assert mismatches({**files(), "scores.json": b"{1}"}) == [
        "file: train: scores.json is not what it wrote"
    ]


def test_an_input_that_the_stage_before_did_not_write_is_named():
    lock = lock_text().replace("1" * 32, "2" * 32, 1)
    assert mismatches(files(lock=lock)) == [
        "file: train: tiles is not the one that the stage before it wrote"
    ]


def test_a_stage_that_never_ran_is_named():
    assert mismatches(files(lock="schema: '2.0'\n")) == [
        "stage: load:  never ran",
        "stage: train:  never ran",
    ]
    assert mismatches(files(lock=None)) == ["stage: load:  never ran", "stage: train:  never ran"]


def test_another_command_and_other_files_are_named():
    pipeline = PIPELINE.replace("python train.py", "python3 train.py").replace(
        "[tiles, train.py]", "[tiles, more.py]"
    )
    assert mismatches(files(pipeline=pipeline)) == [
        "command: train: its command is not the one that ran",
        "file: train: more.py is a new dep",
        "file: train: train.py is no dep any more",
    ]


@pytest.mark.parametrize("text", ["<<<<<<< ours\n", "stages: 7\n", "stages: {load: 7}\n", "- 1\n"])
def test_a_damaged_lock_is_refused(text: str):
    with pytest.raises(RevisionError, match=r"dvc\.lock"):
        mismatches(files(lock=text))


def test_odd_stages_in_a_lock_are_told_and_no_crash():
    odd = "stages: {load: {deps: 7, params: [1]}, train: {deps: [{path: 1}], params: {a: 1}}}\n"
    assert "file: train: tiles is a new dep" in mismatches(files(lock=odd))


def test_missing_params_are_refused():
    with pytest.raises(RevisionError, match=r"there is no params\.yaml"):
        mismatches(files(params=None))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with that state staged; we stand in a folder of it."""
    for path, content in files().items():
        (tmp_path / path).write_bytes(content)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    below = tmp_path / "below"
    below.mkdir()
    monkeypatch.chdir(below)
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def run_check(*arguments: str) -> tuple[int, str, str]:
    app = Typer()
    app.command()(check)
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.stderr


def test_what_is_staged_is_checked_not_what_lies_there(repository: Path):
    assert run_check() == (0, "", "")
    (repository / "params.yaml").write_text(PARAMS.replace("1e-3", "0.5"))
    assert run_check()[0] == 0
    git(repository, "add", "params.yaml")
    status, _, said = run_check()
    assert status == 1
    assert "train: train.rate is 0.5, but it ran with 0.001" in said
    assert "dvc repro" in said


def test_changed_code_is_told_and_refused_only_by_strict(repository: Path):
    (repository / "train.py").write_text("other")
    git(repository, "add", "train.py")
    assert run_check() == (0, "note: `dvc repro` will run again: train\n", "")
    status, _, said = run_check("--strict")
    assert (status, "train.py has changed since it ran" in said) == (1, True)


def test_a_commit_can_be_checked(repository: Path):
    git(repository, "commit", "--quiet", "-m", "First")
    (repository / "params.yaml").write_text(PARAMS.replace("1e-3", "0.5"))
    git(repository, "commit", "--quiet", "--all", "-m", "Second")
    assert run_check("--rev", "HEAD~1")[0] == 0
    assert run_check("--rev", "HEAD")[0] == 1
    status, _, said = run_check("--rev", "nothing")
    assert (status, "there is no revision 'nothing'" in said) == (2, True)


def test_a_damaged_lock_is_an_error_of_its_own(repository: Path):
    (repository / "dvc.lock").write_text("<<<<<<< ours\n")
    git(repository, "add", "dvc.lock")
    status, _, said = run_check()
    assert (status, "error: dvc.lock" in said) == (2, True)


def test_files_are_read_whole_and_only_those_that_git_has(repository: Path):
    (repository / "binary").write_bytes(b"\0\n\xff" * 1000)
    (repository / "ö ä").write_bytes(b"")
    (repository / "link").symlink_to("binary")
    (repository / "never added").write_bytes(b"1")
    git(repository, "add", "binary", "ö ä", "link")
    asked = ["ö ä", "binary", "link", "never added", "nothing"]
    assert read_files(asked, None, repository) == {"binary": b"\0\n\xff" * 1000, "ö ä": b""}
    git(repository, "commit", "--quiet", "-m", "First")
    assert read_files(asked, "HEAD", repository) == {"binary": b"\0\n\xff" * 1000, "ö ä": b""}
    assert yaml.safe_load(read_files(["dvc.yaml"], "HEAD", repository)["dvc.yaml"])
