"""Pictures/s of our training against plain fastai's, one run: prints a table, writes JSON.

Same synthetic pictures, picture size, batch and threads for all. Each contender trains in turn,
repetition after repetition, so that a busy moment of the machine hits all of them. A batch's time
is from the end of the batch before to its own end, so waiting for its data counts; the first batch
of every training warms up and does not. In one more training of each the parts of a step are timed
(on an accelerator each is waited for, which costs speed). The share of the peak is that of the best
product of two large matrices in the same precision.

fastai    unet_learner(resnet34) with SegmentationDataLoaders and its usual augmentation: float32,
          files decoded and resized anew for every batch
resnet34  our train_unet with the same encoder, in float32 and where it pays in bfloat16
params    our train_unet with the network and the precision of params.yaml
compiled  the same with torch.compile, where --compile asks for it: minutes before the first batch
"""

import argparse
import contextlib
import io
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from contenders import TYPES, Contender, line_up
from defectseg.data.load import LoadParams, Places, load_tiles
from defectseg.data.tile import TileSet
from defectseg.determinism import ComputeParams, set_up
from defectseg.files import write_json
from defectseg.network.learner import TrainParams
from defectseg.params import read_params
from machine import describe_machine
from peak import torch_peak
from step_parts import PARTS, Marks, timed

RESULTS = Path("benchmarks/results/training.json")
GOAL = 5.0  # times plain fastai's pictures/s
WARM_UP = 1  # batches of each training that are not counted
MOST_DATA = 0.02  # share of a step that may wait for data


def main() -> None:
    arguments = parse_arguments()
    started = time.perf_counter()
    compute = read_params("compute", ComputeParams)
    threads = compute.threads if arguments.threads is None else arguments.threads
    changes = {"device": arguments.device, "threads": threads}
    device = set_up(compute.model_copy(update=changes))
    contenders = measure(arguments, device)
    peaks = {
        name: torch_peak(device, TYPES[name]) for name in sorted({c.precision for c in contenders})
    }
    plain = contenders[0]
    rows = [describe(each, plain, arguments.batch_size, peaks) for each in contenders]
    print_tables(rows, arguments)
    write_json(
        arguments.out,
        {
            "machine": describe_machine(),
            "setting": {
                **{name: value for name, value in vars(arguments).items() if name != "out"},
                "device": str(device),
                "threads": torch.get_num_threads(),
            },
            "peak_gflops": peaks,
            "seconds": round(time.perf_counter() - started, 1),
            "goal_times_fastai": GOAL,
            "most_data": MOST_DATA,
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
    parser.add_argument("--device", default="cpu", help="cpu or cuda; default: cpu")
    parser.add_argument("--compile", action="store_true", help="measure torch.compile too")
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    return parser.parse_args()


def measure(arguments: argparse.Namespace, device: torch.device) -> list[Contender]:
    """Let each contender train, one after the other, as often as asked, and once in parts."""
    with tempfile.TemporaryDirectory(prefix="defectseg-benchmark-") as name:
        contenders = prepare(arguments, Path(name), device)
        for repetition in range(1, 1 + arguments.repetitions):
            for contender in contenders:
                steps = train(contender, f"repetition {repetition}", Marks(waits=False))
                contender.seconds.extend(sum(step.values()) for step in steps)
        for contender in contenders:
            steps = train(contender, "parts of a step", Marks(waits=True))
            contender.parts.update(shares(steps))
    return contenders


def prepare(arguments: argparse.Namespace, folder: Path, device: torch.device) -> list[Contender]:
    """All contenders, each ready to train one epoch of so many batches as are counted."""
    say("drawing and decoding pictures")
    setting = {
        "image_size": arguments.image_size,
        "batch_size": arguments.batch_size,
        "pictures_per_epoch": None,
        "epochs": 1,
        "resume": False,
    }
    params = read_params("train", TrainParams).model_copy(update=setting)
    with silence():
        return line_up(write_tiles(folder, arguments), params, folder, device, arguments.compile)


def train(contender: Contender, what: str, marks: Marks) -> list[dict[str, float]]:
    """Train once; the seconds of each counted step by part."""
    say(f"{what}: {contender.name}, {contender.precision}")
    with silence(), timed(marks):
        contender.train()
    return marks.steps[WARM_UP:]


def shares(steps: Sequence[dict[str, float]]) -> dict[str, float]:
    """Of all seconds of the steps, by part."""
    total = sum(sum(step.values()) for step in steps)
    return {part: round(sum(step[part] for step in steps) / total, 4) for part in PARTS}


def write_tiles(folder: Path, arguments: argparse.Namespace) -> TileSet:
    """Draw as many synthetic tiles as one training takes, and one more for validation."""
    params = read_params("data_load", LoadParams)
    pictures = (WARM_UP + arguments.batches) * arguments.batch_size + 1
    synthetic = params.synthetic.model_copy(update={"pictures": pictures})
    changes = {"source": "synthetic", "digest": None, "synthetic": synthetic}
    drawn = params.model_copy(update=changes | {"keep_empty": True})
    return load_tiles(drawn, Places.under(folder)).tile_set


def describe(
    contender: Contender, plain: Contender, batch_size: int, peaks: dict[str, float]
) -> dict[str, Any]:
    """One row: pictures/s over all counted batches, how many times plain fastai's, and where to."""
    rates = [batch_size / seconds for seconds in contender.seconds]
    gflop, peak = contender.gflop, peaks[contender.precision]
    return {
        "name": contender.name,
        "precision": contender.precision,
        "batches": len(rates),
        "median": round(median(rates), 2),
        "lowest": round(min(rates), 2),
        "highest": round(max(rates), 2),
        "times_fastai": round(median(plain.seconds) / median(contender.seconds), 2),
        "gflop_per_picture": None if gflop is None else round(gflop, 3),
        "share_of_peak": None if gflop is None else round(gflop * median(rates) / peak, 3),
        "parts": contender.parts,
    }


def print_tables(rows: list[dict[str, Any]], arguments: argparse.Namespace) -> None:
    print(f"{arguments.image_size} px, batch {arguments.batch_size}, pictures/s")
    print(f"{'':20}{'median':>8}{'lowest':>8}{'highest':>8}  of fastai  of the peak")
    for row in rows:
        rates = "".join(f"{row[key]:8.2f}" for key in ("median", "lowest", "highest"))
        peak = "" if row["share_of_peak"] is None else f"{row['share_of_peak']:11.0%}"
        print(f"{row['name']:10}{row['precision']:10}{rates}  {row['times_fastai']:8.1f}×  {peak}")
    print(f"goal: params at least {GOAL:g}×\n\nshares of a step, %")
    print(f"{'':20}" + "".join(f"{part:>11}" for part in PARTS))
    for row in rows:
        parts = "".join(f"{100 * row['parts'][part]:11.1f}" for part in PARTS)
        print(f"{row['name']:10}{row['precision']:10}{parts}")
    print(f"goal: data of ours below {100 * MOST_DATA:g} %")


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
