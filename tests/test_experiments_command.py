"""`defectseg experiments`: a sweep in DVC's queue, its table and its traps."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from defectseg.commands.experiments import format_results
from defectseg.comparison.compare import Judged
from defectseg.experiments.results import Interval, Result
from defectseg.revisions.revision import Revision
from ran_project import Clone, copy_project
from small_pipeline import Small, command_line, make_small

LIMIT_S = 300.0


def result(name: str, score: float | None, low: float | None, **params: Any) -> Result:
    interval = Interval(low=low, high=None if low is None else low + 0.25)
    return Result(
        Revision(name, "0" * 40, Path()), {"iou_macro": score}, {"iou_macro": interval}, params
    )


def judged(verdict: Any, low: float | None, high: float | None) -> Mapping[str, Judged]:
    row = Judged("iou_macro", 0.5, 0.75, low, high, 0.01, verdict, "", False, False)
    return {"iou_macro": row}


BASE = result("baseline 0000000", 0.5, 0.375, rate=1)
RANKED = [
    result("sweep-1", 0.75, 0.625, rate=2),
    BASE,
    result("sweep-2", 0.25, None, rate=1),
    result("sweep-3", None, None, rate=3),
]
FOUND = [BASE, *(one for one in RANKED if one is not BASE)]
VERDICTS: dict[str, Mapping[str, Judged] | str] = {
    "sweep-1": judged("better", 0.125, 0.375),
    "sweep-2": judged("can't tell", None, None),
    "sweep-3": "its test part is another",
}


def test_the_table_has_a_row_for_each_experiment_and_one_for_the_baseline():
    lines = format_results(RANKED, FOUND, VERDICTS, "iou_macro", markdown=False)
    assert [re.split(r"\s{2,}", line) for line in lines[:5]] == [
        ["experiment", "iou_macro", "95 % interval", "difference (95 %)", "verdict", "params"],
        ["sweep-1", "0.750", "0.625 – 0.875", "+0.250 (+0.125 – +0.375)", "better", "rate=2"],
        ["baseline 0000000", "0.500", "0.375 – 0.625", "–"],
        ["sweep-2", "0.250", "– – –", "+0.250", "can't tell", "–"],
        ["sweep-3", "–", "– – –", "–", "not compared", "rate=3"],
    ]
    assert lines[5:] == ["", "sweep-3: its test part is another"]


def test_the_table_may_be_markdown():
    lines = format_results(RANKED, FOUND, VERDICTS, "iou_macro", markdown=True)
    assert lines[1] == "|---|---|---|---|---|---|"
    assert lines[2].startswith("| sweep-1 | 0.750 |")


def test_without_experiments_the_table_says_what_makes_some():
    assert format_results([], [], {}, "iou_macro", markdown=False) == [
        "no experiment has succeeded here; `make sweep` runs some"
    ]


@pytest.fixture
def clone(ran_project: Clone, tmp_path: Path) -> Iterator[Clone]:
    """A project that has run, with a queue of its own; no worker is left behind."""
    made = copy_project(ran_project, tmp_path / "clone", has_own_cache=True)
    yield made
    end_queue(made)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Small]:
    """A project whose stage `train` lasts, with a queue of its own; no worker is left behind."""
    made = make_small(tmp_path)
    made.environment["NOISE"] = "slow"
    yield made
    end_queue(made)


def start_queue(project: Clone | Small) -> None:
    """Start a worker, with no pipe that it keeps open: who reads one waits for its end."""
    subprocess.run(
        ["dvc", "queue", "start"],
        cwd=project.folder,
        env=project.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )


def end_queue(project: Clone | Small) -> None:
    """End the workers of a project's queue, and what they run."""
    project.run("dvc", "queue", "stop", "--kill")
    for pid in queue_processes(project.folder):
        os.kill(pid, signal.SIGKILL)


def queue_processes(folder: Path) -> list[int]:
    """The workers of a project's queue and what they run, by the folder that they stand in."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            here = (place / "cwd").resolve(strict=True)
        except OSError:
            continue
        if here == folder or folder in here.parents:
            found.append(int(place.name))
    return found


def ask(clone: Clone, *arguments: str) -> tuple[int, str, str]:
    """Run `defectseg experiments`: its status, its table and what it says besides."""
    done = clone.run(*command_line("experiments"), *arguments)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_sweep_is_one_table_and_what_failed_is_named(clone: Clone):
    assert ask(clone, "--check", "sweep") == (0, "", "")
    grid = ("-S", "train.learning_rate=0.004,-1", "-S", "train.epochs=1")
    clone.out_of("dvc", "exp", "run", "--queue", "--name", "sweep", *grid, "evaluate")
    status, _, said = ask(clone, "--check", "sweep")
    assert status == 1
    assert "experiments: sweep-1, sweep-2 wait, but no worker runs: `dvc queue start`" in said
    assert "error: sweep-1, sweep-2 exist already: choose another NAME, or `dvc queue" in said
    start_queue(clone)
    status, table, said = ask(clone, "--wait", "--json", "../found.json")
    assert status == 1, said
    assert "queued 0, running 0, done 1, failed 1" in said
    assert "failed, and in no list of results: sweep-2. Why: `dvc queue logs sweep-2`" in said
    lines = table.splitlines()
    assert sorted(line.split()[0] for line in lines[1:3]) == ["baseline", "sweep-1"]
    (row,) = [line for line in lines if line.startswith("sweep-1")]
    assert "train.learning_rate=0.004" in row
    assert "train.epochs=1" in row
    assert any(verdict in row for verdict in ("better", "worse", "can't tell"))
    found = json.loads((clone.folder.parent / "found.json").read_text())
    assert found["queue"]["tasks"] == {"sweep-1": "Success", "sweep-2": "Failed"}
    (one,) = [row for row in found["experiments"] if row["name"] == "sweep-1"]
    assert one["params"] == {"train.epochs": 1, "train.learning_rate": 0.004}
    assert set(one["verdicts"]) >= {"iou_macro", "escape_rate"}
    clone.out_of("dvc", "exp", "remove", "sweep-1")  # takes it out of the queue's list too
    status, table, said = ask(clone)
    assert (status, table) == (0, "no experiment has succeeded here; `make sweep` runs some\n")
    assert "failed, and in no list of results: sweep-2" in said


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_worker_that_was_killed_is_noticed_and_its_experiment_can_be_noted_as_failed(
    small: Small,
):
    small.out_of("dvc", "exp", "run", "--queue", "--name", "k-1", "-S", "train.rate=2")
    start_queue(small)
    until = time.monotonic() + LIMIT_S
    while "Worker status: 1 active" not in small.out_of("dvc", "queue", "status"):
        assert time.monotonic() < until
        time.sleep(0.5)
    assert small.ask("experiments").stderr == ""  # all is well
    for pid in queue_processes(small.folder):
        os.kill(pid, signal.SIGKILL)
    done = small.ask("experiments")
    assert done.returncode == 0
    assert done.stdout == "no experiment has succeeded here; `make sweep` runs some\n"
    assert "k-1 count as running, but 0 of 1 workers are alive: a worker was killed" in done.stderr
    small.out_of("dvc", "queue", "kill", "k-1")
    assert "failed, and in no list of results: k-1" in small.ask("experiments").stderr
