"""`defectseg verify`: a commit's pipeline runs again in a clean clone and is compared."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from defectseg.verification.record import VerifyRecord, read_record
from ran_project import Clone, copy_project
from small_pipeline import PARAMS, PIPELINE, Small, command_line, make_small

LIMIT_S = 120.0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A repository whose quick pipeline has run; not changed by any test."""
    return make_small(tmp_path_factory.mktemp("small"))


@pytest.fixture
def small(made: Small, tmp_path: Path) -> Small:
    """A copy that a test may change."""
    shutil.copytree(made.folder, tmp_path / "project")
    (tmp_path / "temporary").mkdir()
    environment = made.environment | {"TMPDIR": str(tmp_path / "temporary")}
    return Small(tmp_path / "project", environment)


def record_of(small: Small) -> VerifyRecord | None:
    return read_record("HEAD", small.folder)


def leftovers(small: Small) -> list[Path]:
    return list((small.folder.parent / "temporary").glob("defectseg-verify-*"))


def state(small: Small) -> dict[str, int]:
    """Every file of the checkout and the time of its change."""
    files = [path for path in small.folder.rglob("*") if ".git" not in path.parts]
    kept = [p for p in files if p.is_file() and ".dvc/tmp" not in p.as_posix()]
    return {path.as_posix(): path.stat().st_mtime_ns for path in kept}


@pytest.mark.slow
def test_a_reproducible_commit_is_bit_equal_and_nothing_else_is_touched(small: Small):
    # A cache that everybody on this machine shares must not answer.
    small.out_of("dvc", "config", "--global", "cache.dir", str(small.folder / ".dvc/cache"))
    (small.folder / "train.py").write_text("raise SystemExit('not committed')\n")
    before, runs = state(small), small.folder.parent / "runs"
    done = small.ask("verify", "--json", "../found.json", RUNS=str(runs), DVC_STUDIO_TOKEN="x")
    small.out_of("dvc", "config", "--global", "--unset", "cache.dir")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:3] == [
        "stage        outcome  outs with the same bytes",
        "data_load  bit-equal                    2 of 2",
        "train      bit-equal                    2 of 2",
    ]
    assert "cpu" in done.stdout
    assert "that of the training" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("bit-equal: ")
    assert "changes in the workspace are not in it (train.py)" in done.stderr
    assert "Running stage 'train'" in done.stderr
    assert len(runs.read_text().splitlines()) == 1  # it ran, once
    assert state(small) == before
    assert leftovers(small) == []
    record = record_of(small)
    assert record is not None
    assert (record.outcome, record.epsilon, record.first_different) == ("bit-equal", 1e-6, None)
    assert record.has_same_packages
    found = json.loads((small.folder.parent / "found.json").read_text())
    assert found["outcome"] == "bit-equal"
    assert found["facts"]["cpu"]["then"] == "that of the training"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "status", "outcome", "first"),
    [
        ({"NOISE": "1e-9"}, 3, "within", "train"),
        ({"NOISE": "0.01"}, 1, "different", "train"),
        ({"LOAD_NOISE": "2"}, 1, "different", "data_load"),
    ],
)
def test_what_is_not_bit_equal_has_another_status_and_the_first_stage_is_named(
    small: Small, variables: dict[str, str], status: int, outcome: str, first: str
):
    done = small.ask("verify", **variables)
    assert done.returncode == status, done.stderr
    record = record_of(small)
    assert record is not None
    assert (record.outcome, record.first_different) == (outcome, first)
    assert f"first in {first}" in done.stdout.splitlines()[-1]
    if first == "train":
        assert "  weights.bin: other bytes" in done.stdout
        assert f"  metrics.json: {outcome}" in done.stdout


@pytest.mark.slow
def test_epsilon_says_how_near_is_near_enough(small: Small):
    assert small.ask("verify", "--epsilon", "0.02", NOISE="0.01").returncode == 3


@pytest.mark.slow
def test_a_stage_that_fails_is_no_verdict(small: Small):
    done = small.ask("verify", NOISE="fail")
    assert done.returncode == 2
    assert "error: `dvc repro` ended with status" in done.stderr
    assert "without train" in done.stderr
    assert record_of(small) is None
    assert leftovers(small) == []


@pytest.mark.slow
def test_a_stage_that_fails_after_one_that_differs_is_different(small: Small):
    done = small.ask("verify", NOISE="fail", LOAD_NOISE="2")
    assert done.returncode == 1, done.stderr


@pytest.mark.slow
def test_other_packages_are_said_first_and_noted(small: Small):
    small.write("requirements.txt", "numpy==0.1\n")
    done = small.ask("verify")
    assert done.returncode == 0, done.stderr
    said = done.stderr.partition("Running stage")[0]
    assert "numpy: requirements.txt says 0.1, no longer needed" in said
    assert "with other packages than its own" in done.stdout
    record = record_of(small)
    assert record is not None
    assert not record.has_same_packages


@pytest.mark.slow
def test_a_clone_that_is_kept_can_be_looked_at(small: Small):
    done = small.ask("verify", "--keep")
    assert done.returncode == 0
    (folder,) = leftovers(small)
    assert (folder / "clone/weights.bin").read_text() == "0.5"
    assert f"kept: {folder / 'clone'}" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_pipeline_and_removes_the_clone(small: Small, number: int):
    runs = small.folder.parent / "runs"
    with subprocess.Popen(
        command_line("verify"),
        cwd=small.folder,
        env=small.environment | {"NOISE": "slow", "RUNS": str(runs)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        until = time.monotonic() + LIMIT_S
        while not (runs.exists() and runs.read_text().endswith("\n")):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        stage = int(runs.read_text())
        process.send_signal(number)
        _, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "interrupted: nothing is verified" in said
    assert leftovers(small) == []
    assert record_of(small) is None
    with pytest.raises(ProcessLookupError):
        os.kill(stage, 0)


@pytest.mark.parametrize(
    ("rev", "message"),
    [
        ("workspace", "the workspace cannot be verified: commit it, then"),
        ("none", "there is no revision 'none' here"),
    ],
)
def test_what_is_no_commit_cannot_be_verified(small: Small, rev: str, message: str):
    done = small.ask("verify", rev)
    assert done.returncode == 2
    assert message in done.stderr
    assert leftovers(small) == []


@pytest.mark.slow
def test_what_can_not_be_run_is_said_before_it_runs(small: Small):
    sources = {
        "pictures/": "'pictures/', which is relative, and git does not have it: a clean clone is",
        "/nowhere/pictures": "'/nowhere/pictures', which is not there",
    }
    for source, message in sources.items():
        small.write("params.yaml", PARAMS.replace("synthetic", source))
        done = small.ask("verify")
        assert (done.returncode, message in done.stderr) == (2, True), done.stderr
        assert "Running stage" not in done.stderr
    small.write("params.yaml", PARAMS)
    small.write("dvc.yaml", f"{PIPELINE}  export:\n    cmd: python export.py\n")
    done = small.ask("verify")
    assert done.returncode == 2
    assert "dvc.lock of HEAD has no stage export: there is nothing to compare with" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_real_pipeline_gives_the_same_bytes_in_a_clean_clone(
    ran_project: Clone, tmp_path: Path
):
    clone = copy_project(ran_project, tmp_path / "clone")
    done = clone.run(*command_line("verify"))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    record = read_record("HEAD", clone.folder)
    assert record is not None
    assert (record.outcome, record.has_same_packages) == ("bit-equal", True)
