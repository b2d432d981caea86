"""Pictures/s of our training against plain fastai's, one run: prints a table, writes JSON.

Same synthetic pictures, picture size, batch and threads for all. Each contender trains in turn,
repetition after repetition, so that a busy moment of the machine hits all of them. A batch's time
is from the end of the batch before to its own end, so waiting for its data counts; the first batch
of every training warms up and does not.

fastai    unet_learner(resnet34) with SegmentationDataLoaders and its usual augmentation: float32,
          files decoded and resized anew for every batch
resnet34  our train_unet with the same encoder, in float32 and where it pays in bfloat16
params    our train_unet with the network and the precision of params.yaml
"""

import argparse
import contextlib
import io
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch
from fastai.basics import defaults

from contenders import WARM_UP, Contender, Stopwatch, line_up
from defectseg.data.load import LoadParams, load_tiles
from defectseg.data.tile import TileSet
from defectseg.determinism import ComputeParams, set_up
from defectseg.files import write_json
from defectseg.network.learner import TrainParams
from defectseg.params import read_params
from machine import describe_machine

RESULTS = Path("benchmarks/results/training.json")
GOAL = 5.0  # times plain fastai's pictures/s


def main() -> None:
    arguments = parse_arguments()
    started = time.perf_counter()
    compute = read_params("compute", ComputeParams)
    threads = compute.threads if arguments.threads is None else arguments.threads
    set_up(compute.model_copy(update={"device": "cpu", "threads": threads}))
    contenders = measure(arguments)
    rows = [describe(contender, contenders[0], arguments.batch_size) for contender in contenders]
    print_table(rows, arguments)
    write_json(
        arguments.out,
        {
            "machine": describe_machine(),
            "setting": {
                **{name: value for name, value in vars(arguments).items() if name != "out"},
                "threads": torch.get_num_threads(),
            },
            "seconds": round(time.perf_counter() - started, 1),
            "goal_times_fastai": GOAL,
            "contenders": rows,
        },
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--image-size", type=int, default=224, help="px; default: 224")
    parser.add_argument("--batch-size", type=int, default=16, help="pictures; default: 16")
    parser.add_argument("--batches", type=int, default=3, help="counted a training; default: 3")
    parser.add_argument("--repetitions", type=int, default=2, help="trainings each; default: 2")
    parser.add_argument("--threads", type=int, help="of torch; default: compute.threads")
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    return parser.parse_args()


def measure(arguments: argparse.Namespace) -> list[Contender]:
    """Let each contender train, one after the other, as often as asked."""
    stopwatch = Stopwatch()
    defaults.callbacks = [*defaults.callbacks, stopwatch]  # of every Learner: theirs and ours
    setting = {
        "image_size": arguments.image_size,
        "batch_size": arguments.batch_size,
        "pictures_per_epoch": None,
        "epochs": 1,
        "resume": False,
    }
    params = read_params("train", TrainParams).model_copy(update=setting)
    with tempfile.TemporaryDirectory(prefix="defectseg-benchmark-") as name:
        say("drawing and decoding pictures")
        with silence():
            tiles = write_tiles(Path(name), arguments)
            contenders = line_up(tiles, params, Path(name))
        for repetition in range(1, 1 + arguments.repetitions):
            for contender in contenders:
                say(f"repetition {repetition}: {contender.name}, {contender.precision}")
                with silence():
                    contender.train()
                contender.seconds.extend(stopwatch.seconds())
    return contenders


def write_tiles(folder: Path, arguments: argparse.Namespace) -> TileSet:
    """Draw as many synthetic tiles as one training takes, and one more for validation."""
    params = read_params("data_load", LoadParams)
    pictures = (WARM_UP + arguments.batches) * arguments.batch_size + 1
    synthetic = params.synthetic.model_copy(update={"pictures": pictures})
    changes = {"source": "synthetic", "digest": None, "synthetic": synthetic}
    drawn = params.model_copy(update=changes | {"on_empty_mask": "keep"})
    return load_tiles(drawn, folder / "tiles", folder / "data_load.json")


def describe(contender: Contender, plain: Contender, batch_size: int) -> dict[str, Any]:
    """One row: pictures/s over all counted batches, and how many times plain fastai's."""
    rates = [batch_size / seconds for seconds in contender.seconds]
    return {
        "name": contender.name,
        "precision": contender.precision,
        "batches": len(rates),
        "median": round(median(rates), 2),
        "lowest": round(min(rates), 2),
        "highest": round(max(rates), 2),
        "times_fastai": round(median(plain.seconds) / median(contender.seconds), 2),
    }


def print_table(rows: list[dict[str, Any]], arguments: argparse.Namespace) -> None:
    print(f"{arguments.image_size} px, batch {arguments.batch_size}, pictures/s")
    print(f"{'':10}{'':10}{'median':>8}{'lowest':>8}{'highest':>8}  of fastai")
    for row in rows:
        rates = "".join(f"{row[key]:8.2f}" for key in ("median", "lowest", "highest"))
        print(f"{row['name']:10}{row['precision']:10}{rates}  {row['times_fastai']:8.1f}×")
    print(f"goal: params at least {GOAL:g}×")


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Hide progress bars, logs and warnings; errors still end the run."""
    logging.disable(logging.WARNING)
    with (
        warnings.catch_warnings(action="ignore"),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        yield
    logging.disable(logging.NOTSET)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
