"""What it is worth to keep freed memory: steps/s of a training with `keep_heap` and without.

The two take turns, each training in a process of its own: prints a line a size, writes JSON.
"""

import argparse
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

from tqdm import tqdm

from children import Child, run
from defectseg import determinism
from defectseg.determinism import ComputeParams, set_up
from defectseg.files import write_json
from machine import describe_machine
from step_parts import Marks
from training import prepare, train

RESULTS = Path("benchmarks/results/heap.json")
WAYS = GIVEN_BACK, KEPT = "given back", "kept"
SIZES = (96, 224)  # px: that of params.yaml, and that of benchmarks/training.py
TOLD = ("batch_size", "batches", "threads")


def main() -> None:
    arguments = parse_arguments()
    if arguments.way:
        print(json.dumps(train_here(arguments)))
        return
    for name in [name for name in os.environ if name.startswith("MALLOC_")]:
        del os.environ[name]  # keep_heap would leave glibc to them
    turns: dict[int, list[dict[str, Child]]] = {size: [] for size in SIZES}
    for size, _ in tqdm(list(product(SIZES, range(arguments.repetitions))), desc="pairs"):
        turns[size].append({way: train_apart(arguments, size, way) for way in WAYS})
    rows = [describe(size, found) for size, found in turns.items()]
    for row in rows:
        print(
            f"{row['image_size']} px: kept is {row['times']:.2f} × as fast "
            f"({row['lowest']:.2f} – {row['highest']:.2f}), "
            f"peak {row['peak_mib'][KEPT]} MiB instead of {row['peak_mib'][GIVEN_BACK]}"
        )
    setting = {name: getattr(arguments, name) for name in TOLD}
    write_json(arguments.out, {"machine": describe_machine(), "setting": setting, "rows": rows})


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--batch-size", type=int, default=16, help="pictures; default: 16")
    add("--batches", type=int, default=12, help="counted a training; default: 12")
    add("--repetitions", type=int, default=3, help="trainings of each way; default: 3")
    add("--threads", type=int, default=0, help="of torch; default: all cores")
    add("--out", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    add("--way", choices=WAYS, help=argparse.SUPPRESS)  # of a process that measures
    add("--image-size", type=int, help=argparse.SUPPRESS)
    parser.set_defaults(compile=False)
    return parser.parse_args()


def train_apart(arguments: argparse.Namespace, size: int, way: str) -> Child:
    """Train in a new process, whose output ends with the seconds of its steps."""
    told = {name: getattr(arguments, name) for name in TOLD} | {"image_size": size, "way": way}
    options = [f"--{name.replace('_', '-')}={value}" for name, value in told.items()]
    return run(shlex.join([sys.executable, __file__, *options]), Path.cwd())


def train_here(arguments: argparse.Namespace) -> list[float]:
    """Seconds of each counted step."""
    with patch.object(determinism, "keep_heap") if arguments.way != KEPT else nullcontext():
        device = set_up(ComputeParams(seed=0, threads=arguments.threads, device="cpu"))
    with tempfile.TemporaryDirectory(prefix="defectseg-benchmark-") as name:
        line = {each.name: each for each in prepare(arguments, Path(name), device)}
        steps = train(line["params"], arguments.way, Marks(waits=False))
    return [sum(step.values()) for step in steps]


def describe(size: int, turns: Sequence[dict[str, Child]]) -> dict[str, Any]:
    """How many times as fast the steps are that keep; turn by turn for the spread."""
    seconds = [
        {way: median(json.loads(turn[way].output.splitlines()[-1])) for way in WAYS}
        for turn in turns
    ]
    times = [each[GIVEN_BACK] / each[KEPT] for each in seconds]
    return {
        "image_size": size,
        "times": round(median(times), 3),
        "lowest": round(min(times), 3),
        "highest": round(max(times), 3),
        "seconds_a_step": {way: round(median(each[way] for each in seconds), 4) for way in WAYS},
        "peak_mib": {way: round(max(turn[way].peak_mib for turn in turns)) for way in WAYS},
    }


if __name__ == "__main__":
    main()
