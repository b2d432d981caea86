"""`defectseg predict` against the bare engine, and its memory at ten times the pictures.

Same model, threads and JPEG files. Bare: pictures decoded beforehand, nothing but engine.run, one
call after the other, and with as many callers at once as predict has workers. Predict: the command
as a process, with --out, by the pictures/s of its last line; its start is told beside it. They take
turns, so that a busy moment of the machine hits all; the median of the rounds counts.

Memory: peak of the process for --pictures and for --many small crops of the same pictures, as hard
links. MODEL is an exported model, PICTURES a folder. Prints a table, writes JSON.
"""

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from defectseg.data.layouts.folders import pictures_below
from defectseg.data.picture import decode_picture
from defectseg.files import write_json
from defectseg.inference.engine_settings import EngineSettings
from defectseg.inference.open_engine import LoadedEngine, opened
from machine import describe_machine

RESULTS = Path("benchmarks/results/predict.json")
GOAL = 0.9  # of the bare engine's pictures/s
QUALITY = 95  # of the JPEG files
CROP = 128  # px: a side of the small pictures
RATE = re.compile(r"; ([0-9.]+) pictures/s$")
MIB = 1024  # KiB


@dataclass(frozen=True)
class Run:
    """One run of the command."""

    rate: float  # pictures/s, without the start
    seconds: float  # with it
    peak_mib: float


def main() -> None:
    arguments = parse_arguments()
    sources = pictures_below(arguments.pictures)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = write_jpegs(sources, folder / "whole", arguments.count, crop=None)
        settings = EngineSettings(threads=arguments.threads)
        with opened(arguments.model, settings=settings) as engine:
            pictures = [
                decode_picture(path.read_bytes(), engine.facts.channels)
                for path in whole[: arguments.bare]
            ]
            rounds = [
                {
                    "bare": run_bare(engine, pictures, callers=1),
                    "bare_callers": run_bare(engine, pictures, callers=arguments.workers),
                    "predict": run_predict(folder / "whole", folder / f"out{n}", arguments),
                }
                for n in range(arguments.rounds)
            ]
        memory = {}
        for count in (arguments.count, arguments.many):
            write_jpegs(sources, folder / f"small{count}", count, crop=CROP)
            memory[str(count)] = run_predict(
                folder / f"small{count}", folder / f"out_small{count}", arguments
            )
    report = to_report(arguments, rounds, memory)
    print_table(report)
    write_json(arguments.out, report)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=Path("models/unet.onnx"))
    parser.add_argument("--pictures", type=Path, default=Path("data/tiles/images"))
    parser.add_argument("--count", type=int, default=1000, help="pictures to predict")
    parser.add_argument("--many", type=int, default=10_000, help="… to compare the memory with")
    parser.add_argument("--bare", type=int, default=300, help="pictures of the bare engine")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    return parser.parse_args()


def write_jpegs(sources: Sequence[Path], folder: Path, count: int, crop: int | None) -> list[Path]:
    """Write each source once as JPEG, and hard links to them until there are enough."""
    folder.mkdir()
    firsts: list[Path] = []
    for number, source in zip(range(count), _cycle(sources, firsts), strict=False):
        path = folder / f"{number:06}.jpg"
        if number < len(sources):
            path.write_bytes(to_jpeg(source, crop))
            firsts.append(path)
        else:
            path.hardlink_to(source)
    return sorted(folder.iterdir())


def _cycle(sources: Sequence[Path], written: list[Path]) -> Iterator[Path]:
    yield from sources
    yield from cycle(written)


def to_jpeg(source: Path, crop: int | None) -> bytes:
    if crop is None and source.suffix == ".jpg":
        return source.read_bytes()
    with Image.open(source) as image:
        cut = image if crop is None else image.crop((0, 0, crop, crop))
        buffer = io.BytesIO()
        cut.save(buffer, "JPEG", quality=QUALITY)
        return buffer.getvalue()


def run_bare(
    engine: LoadedEngine, pictures: Sequence[npt.NDArray[np.uint8]], callers: int
) -> float:
    """Pictures/s of engine.run alone."""
    with ThreadPoolExecutor(callers) as pool:
        list(pool.map(lambda one: engine.run(one[None]) and None, islice(pictures, 8)))  # warm up
        start = time.perf_counter()
        list(pool.map(lambda one: engine.run(one[None]) and None, pictures))
        return len(pictures) / (time.perf_counter() - start)


def run_predict(folder: Path, out: Path, arguments: argparse.Namespace) -> Run:
    """The command in a process of its own."""
    code = "from defectseg.cli import app; app()"
    command = [sys.executable, "-c", code, "predict", str(folder), "--out", str(out)]
    command += ["--model", str(arguments.model), "--threads", str(arguments.threads)]
    command += ["--workers", str(arguments.workers)]
    start = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        said = process.stderr.read() if process.stderr else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    found = RATE.search(said.strip())
    if process.returncode != 0 or found is None:
        raise RuntimeError(f"defectseg predict ended with {process.returncode}: {said}")
    return Run(float(found[1]), time.perf_counter() - start, usage.ru_maxrss / MIB)


def to_report(
    arguments: argparse.Namespace, rounds: Sequence[dict[str, Any]], memory: dict[str, Run]
) -> dict[str, Any]:
    bare = median(each["bare"] for each in rounds)
    callers = median(each["bare_callers"] for each in rounds)
    predict = median(each["predict"].rate for each in rounds)
    setting = {
        name: getattr(arguments, name)
        for name in ("count", "many", "bare", "rounds", "threads", "workers")
    }
    return {
        "machine": describe_machine(),
        "setting": setting | {"crop_px": CROP},
        "pictures_per_second": {
            "bare_one_call_at_a_time": round(bare, 1),
            "bare_as_many_callers_as_workers": round(callers, 1),
            "predict": round(predict, 1),
        },
        "predict_over_bare": round(median(_over(rounds, "bare")), 3),
        "predict_over_bare_of_many_callers": round(median(_over(rounds, "bare_callers")), 3),
        "goal": GOAL,
        "seconds_with_start": round(median(each["predict"].seconds for each in rounds), 1),
        "peak_mib": round(median(each["predict"].peak_mib for each in rounds), 1),
        "peak_mib_of_small_pictures": {
            count: round(run.peak_mib, 1) for count, run in memory.items()
        },
        "rounds": [
            {
                "bare": round(each["bare"], 1),
                "bare_callers": round(each["bare_callers"], 1),
                "predict": each["predict"].rate,
            }
            for each in rounds
        ],
    }


def _over(rounds: Sequence[dict[str, Any]], bare: str) -> list[float]:
    return [each["predict"].rate / each[bare] for each in rounds]


def print_table(report: dict[str, Any]) -> None:
    for name, rate in report["pictures_per_second"].items():
        print(f"{name.replace('_', ' '):34}{rate:>8} pictures/s")
    print(f"{'predict over bare':34}{report['predict_over_bare']:>8} (goal {GOAL})")
    print(f"{'… of many callers':34}{report['predict_over_bare_of_many_callers']:>8}")
    for count, peak in report["peak_mib_of_small_pictures"].items():
        print(f"{f'peak memory, {count} small pictures':34}{peak:>8} MiB")


if __name__ == "__main__":
    main()
