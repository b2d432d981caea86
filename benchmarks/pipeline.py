"""Seconds and peak memory of the stages, of a repro with nothing to do, and as the data grows.

no-op    `dvc repro` once more after a repro: it has to find out that nothing changed. The repro
         before it trains a tiny network for one epoch; the pictures are as many as --sizes begins
         with.
growth   data_load and data_split on more and more synthetic pictures. Growth is the seconds per
         picture over those of the size before: 1 is linear; a start that costs the same at every
         size brings it below 1, a step that is quadratic brings it near the ratio of the sizes.
stages   with --pipeline: each of the six stages at the settings of params.yaml, training and all.

Everything runs in copies of this checkout's files below the folder for temporary files (TMPDIR),
which needs about 2 GB for 24 000 pictures; they are removed at the end. Prints tables, writes JSON.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from children import Child, run
from defectseg.files import write_json
from machine import describe_machine
from repository import change_params, commit_all, copy_repository

RESULTS = Path("benchmarks/results/pipeline.json")
SIZES = (240, 2_400, 24_000)  # pictures
DATA_STAGES = ("data_load", "data_split")
GOAL = 5.0  # seconds of a repro with nothing to do
TINY = {  # so that there is something to be up to date: a minute, not the whole training
    "data_load.source": "synthetic",
    "train.image_size": 64,
    "train.epochs": 1,
    "train.pictures_per_epoch": 16,
    "train.network.encoder": "tu-test_resnet",
    "train.network.decoder_channels": [16, 8, 8, 4, 4],
    "evaluate.bootstrap": 100,
    "export.pictures": 2,
}


def main() -> None:
    arguments = parse_arguments()
    report: dict[str, Any] = {"no_op": measure_no_op(arguments.sizes[0], arguments.repetitions)}
    print_no_op(report["no_op"])
    report["growth"] = measure_growth(arguments.sizes)
    print_growth(report["growth"])
    if arguments.pipeline:
        report["stages"] = measure_pipeline()
        print_stages(report["stages"])
    # Last: it loads torch, and a child's peak memory counts from its parent's.
    write_json(arguments.out, {"machine": describe_machine(), **report})
    say(f"{arguments.out} written")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--sizes",
        type=read_sizes,
        default=SIZES,
        metavar="N,N,…",
        help="numbers of pictures, rising, at least 60; default: 240,2400,24000",
    )
    parser.add_argument("--pipeline", action="store_true", help="also time the whole pipeline")
    parser.add_argument("--repetitions", type=int, default=3, help="of the no-op; default: 3")
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    return parser.parse_args()


def read_sizes(text: str) -> tuple[int, ...]:
    """Such as 240,2400: fewer than 60 pictures show too few surfaces for the folds."""
    sizes = tuple(int(part) for part in text.split(","))
    if sizes[0] < 60 or list(sizes) != sorted(set(sizes)):
        raise argparse.ArgumentTypeError(f"{text}: give rising numbers from 60 on")
    return sizes


def measure_no_op(pictures: int, repetitions: int) -> dict[str, Any]:
    """Time `dvc repro` where it has nothing to do but check_packages, which always runs."""
    with temporary_copy() as folder:
        change_params(folder, {**TINY, "data_load.synthetic.pictures": pictures})
        commit_all(folder)
        say(f"no-op: first a repro with a tiny network on {pictures} pictures")
        first = run("dvc repro", folder)
        children = [run("dvc repro", folder) for _ in range(repetitions)]
    for child in children:
        ran = child.output.count("Running stage")
        if ran != 1:
            raise SystemExit(f"a repro with nothing to do ran {ran} stages:\n{child.output}")
    seconds = [child.seconds for child in children]
    return {
        "pictures": pictures,
        "first_repro_seconds": round(first.seconds, 2),
        "seconds": [round(value, 2) for value in seconds],
        "median": round(median(seconds), 2),
        "peak_mib": round(max(child.peak_mib for child in children)),
        "goal_seconds": GOAL,
    }


def measure_growth(sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Run the data stages on sets of several sizes, each in a copy of its own."""
    rows: list[dict[str, Any]] = []
    for pictures in sizes:
        with temporary_copy() as folder:
            changes = {"data_load.source": "synthetic", "data_load.synthetic.pictures": pictures}
            change_params(folder, changes)
            for stage in DATA_STAGES:
                say(f"growth: {stage} on {pictures} pictures")
                rows.append({**describe(stage, run_stage(stage, folder)), "pictures": pictures})
    before: dict[str, float] = {}
    for row in rows:
        each = row["seconds"] / row["pictures"]
        row["milliseconds_per_picture"] = round(each * 1000, 3)
        row["growth"] = round(each / before[row["stage"]], 3) if row["stage"] in before else None
        before[row["stage"]] = each
    return rows


def measure_pipeline() -> list[dict[str, Any]]:
    """Run every stage once, in the order of dvc.yaml, which is that of the pipeline."""
    rows = []
    with temporary_copy() as folder:
        for stage in read_commands(folder):
            say(f"stages: {stage}")
            rows.append(describe(stage, run_stage(stage, folder)))
    return rows


def read_commands(folder: Path) -> dict[str, str]:
    """What DVC would run for each stage."""
    stages = yaml.safe_load((folder / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return {name: stage["cmd"] for name, stage in stages.items()}


def run_stage(stage: str, folder: Path) -> Child:
    return run(read_commands(folder)[stage], folder)


def describe(stage: str, child: Child) -> dict[str, Any]:
    return {
        "stage": stage,
        "seconds": round(child.seconds, 2),
        "peak_mib": round(child.peak_mib),
    }


@contextmanager
def temporary_copy() -> Any:
    """A copy of the checkout's files; nothing that a stage wrote or git ignores is in it."""
    with tempfile.TemporaryDirectory(prefix="defectseg-benchmark-") as name:
        copy_repository(Path.cwd(), Path(name))
        yield Path(name)


def print_no_op(row: dict[str, Any]) -> None:
    times = ", ".join(f"{value:.2f}" for value in row["seconds"])
    print(f"no-op `dvc repro`: median {row['median']:.2f} s of {times} (goal: at most {GOAL:g} s)")
    print(f"peak memory {row['peak_mib']} MiB, {row['pictures']} pictures")


def print_growth(rows: Sequence[dict[str, Any]]) -> None:
    print(
        f"\n{'stage':14}{'pictures':>9}{'seconds':>10}{'ms each':>9}{'growth':>8}{'peak MiB':>10}"
    )
    for row in rows:
        growth = "" if row["growth"] is None else f"{row['growth']:.2f}"
        print(
            f"{row['stage']:14}{row['pictures']:>9}{row['seconds']:>10.2f}"
            f"{row['milliseconds_per_picture']:>9.2f}{growth:>8}{row['peak_mib']:>10}"
        )


def print_stages(rows: Sequence[dict[str, Any]]) -> None:
    print(f"\n{'stage':14}{'seconds':>10}{'peak MiB':>10}")
    for row in rows:
        print(f"{row['stage']:14}{row['seconds']:>10.2f}{row['peak_mib']:>10}")
    print(f"{'all':14}{sum(row['seconds'] for row in rows):>10.2f}")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
