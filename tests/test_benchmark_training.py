"""benchmarks/training.py runs and says what a training step spends its time on."""

import json
import subprocess
import sys
import time
from pathlib import Path

import fastai.callback.progress  # noqa: F401 – `no_bar` is patched into Learner there
import pytest
import torch
from fastai.basics import defaults
from fastai.callback.core import Callback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from torch.utils.data import DataLoader, Dataset

from conftest import looks_at_the_clock

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import heap  # noqa: E402
from children import Child  # noqa: E402
from gflop import count_gflop  # noqa: E402
from step_parts import PARTS, Marks, timed  # noqa: E402

PAUSE = 0.05  # s


class Slow(Dataset[torch.Tensor]):
    """Four pairs, each of which takes its time."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        time.sleep(PAUSE)
        return torch.ones(1), torch.zeros(1)


class SlowPrepare(Callback):
    def before_batch(self) -> None:
        time.sleep(2 * PAUSE)


class SlowStep(Callback):
    def before_step(self) -> None:
        time.sleep(3 * PAUSE)


@looks_at_the_clock
def test_each_part_of_a_step_has_its_own_seconds():
    marks = Marks(waits=True)
    loaders = DataLoaders(DataLoader(Slow(), 2), DataLoader(Slow(), 2))
    with timed(marks):
        learn = Learner(loaders, torch.nn.Linear(1, 1), torch.nn.MSELoss())
        learn.add_cbs([SlowPrepare(), SlowStep()])
        with learn.no_bar(), learn.no_logging():
            learn.fit(1)
    assert len(marks.steps) == 2  # and none of validation
    for step in marks.steps:
        assert tuple(step) == PARTS
        assert 2 * PAUSE <= step["data"] < 3 * PAUSE
        assert 2 * PAUSE <= step["prepare"] < 3 * PAUSE
        assert 3 * PAUSE <= step["optimizer"] < 4 * PAUSE
        assert max(step[part] for part in ("forward", "loss", "backward", "rest")) < PAUSE
    assert not [one for one in defaults.callbacks if type(one).__name__ == "AfterOthers"]


@pytest.mark.parametrize(("groups", "products"), [(1, 2 * 6), (2, 2 * 6 / 2)])
def test_the_arithmetic_of_a_convolution_is_counted(groups: int, products: float):
    network = torch.nn.Conv2d(2, 6, 3, padding=1, groups=groups)
    assert count_gflop(network, 2, 32) == pytest.approx(2 * 9 * products * 32**2 / 1e9)


def test_ways_to_keep_memory_are_compared_turn_by_turn():
    def child(*seconds: float, peak: float) -> Child:
        return Child(seconds=9.0, peak_mib=peak, output=f"a word of warning\n{[*seconds]}\n")

    told = heap.describe(
        96,
        [
            {heap.GIVEN_BACK: child(2, 3, 4, peak=100), heap.KEPT: child(2, 2, 9, peak=120)},
            {heap.GIVEN_BACK: child(6, 6, 6, peak=110), heap.KEPT: child(2, 2, 2, peak=119)},
        ],
    )
    assert (told["times"], told["lowest"], told["highest"]) == (2.25, 1.5, 3.0)
    assert told["seconds_a_step"] == {heap.GIVEN_BACK: 4.5, heap.KEPT: 2}
    assert told["peak_mib"] == {heap.GIVEN_BACK: 110, heap.KEPT: 120}


@pytest.mark.slow
def test_the_benchmark_of_training_runs(tmp_path: Path):
    out = tmp_path / "training.json"
    small = ["--image-size", "64", "--batch-size", "2", "--batches", "1", "--repetitions", "1"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "training.py", *small, "--out", out],
        cwd=BENCHMARKS.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "shares of a step" in done.stdout
    told = json.loads(out.read_text(encoding="utf-8"))
    rows = {row["name"]: row for row in told["contenders"]}
    assert {"fastai", "resnet34", "params"} == rows.keys()
    assert rows["resnet34"]["gflop_per_picture"] > rows["params"]["gflop_per_picture"] > 0
    for row in rows.values():
        assert sum(row["parts"].values()) == pytest.approx(1, abs=0.001)
        assert row["parts"]["backward"] > 0.1
        assert row["lowest"] <= row["median"] <= row["highest"]
