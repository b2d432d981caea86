"""Milliseconds from JPEG bytes to a mask, every engine beside every other: a table and JSON.

The trained model of the pipeline, JPEG files of its test part, two threads each. Every contender
has a process of its own; one picture after the other goes to each of them in turn, so that a busy
moment of the machine hits all alike. `served.py` says who they are.

p50_ms, p95_ms  of all pictures
quiet_ms        a quiet moment of the machine: a tenth of the pictures were faster
cpu_ms          the processor time of all threads, the median: what others do hardly changes it

It also measures what the machine's matrix products reach, counts the network's arithmetic, and
says how much of that limit the convolutions and the whole way of a picture use.
"""

import argparse
import io
import multiprocessing
import os
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from defectseg.data.split import read_split
from defectseg.data.tile import read_tiles
from defectseg.files import write_json
from defectseg.machine import cpu_flags
from defectseg.network.unet import load_unet
from defectseg.pixels import TEXTURE_PLANES
from gflop import count_gflop
from machine import describe_machine
from peak import measure_peaks
from profiles import convolution_share, profile_onnxruntime, profile_openvino
from served import CONTENDERS, FILES, answer

RESULTS = Path("benchmarks/results/inference.json")
WARM_UP = 5
GOALS = {
    "best_fp32_times_eager": 2.0,
    "best_int8_times_eager": 5.0,
    "best_times_fastai": 15.0,
    "share_of_peak": 0.7,
}
Times = dict[str, list[float]]  # seconds of each picture


def main() -> None:
    arguments = parse_arguments()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # idle contenders must not spin
    pictures = encode_pictures(arguments)
    times, cpu = measure(arguments, pictures)
    rows = [describe(name, times, cpu) for name in times]
    limits = measure_limits(arguments, times, pictures)
    ratios = find_ratios(times, cpu, limits)
    print_results(rows, limits, ratios)
    write_json(
        arguments.out,
        {
            "machine": describe_machine() | {"cpu_flags": cpu_flags()},
            "setting": {"threads": arguments.threads, "pictures": len(pictures)},
            "contenders": rows,
            "limits": limits,
            "goals": GOALS,
            "ratios": ratios,
        },
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=Path("models"), help="default: models")
    parser.add_argument("--tiles", type=Path, default=Path("data/tiles"))
    parser.add_argument("--split", type=Path, default=Path("data/split.csv"))
    parser.add_argument("--pictures", type=int, default=60, help="of the test part; default: 60")
    parser.add_argument("--threads", type=int, default=2, help="of each contender; default: 2")
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"default: {RESULTS}")
    return parser.parse_args()


def encode_pictures(arguments: argparse.Namespace) -> list[bytes]:
    """Pictures of the test part as JPEG, evenly over it."""
    tiles = read_tiles(arguments.tiles)
    test = tiles.only(read_split(arguments.split).ids("test")).tiles
    chosen = np.linspace(0, len(test) - 1, min(arguments.pictures, len(test))).astype(int)
    encoded = []
    for index in chosen:
        buffer = io.BytesIO()
        with Image.open(tiles.folder / test[index].image) as picture:
            picture.convert("L").save(buffer, "JPEG", quality=90)
        encoded.append(buffer.getvalue())
    return encoded


def measure(arguments: argparse.Namespace, pictures: list[bytes]) -> tuple[Times, Times]:
    """Wall and processor time of every picture of every contender that there is a file for."""
    context = multiprocessing.get_context("spawn")
    names = [name for name in CONTENDERS if has_file(name, arguments.model)]
    ends, processes = {}, []
    for name in names:
        ends[name], theirs = context.Pipe()
        details = (theirs, name, arguments.model, arguments.threads)
        processes.append(context.Process(target=answer, args=details, daemon=True))
        processes[-1].start()
        theirs.close()
        ends[name].recv()
    times: Times = {name: [] for name in names}
    cpu: Times = {name: [] for name in names}
    for number, content in enumerate(tqdm([*pictures[:WARM_UP], *pictures], unit="picture")):
        for name, end in ends.items():
            end.send(content)
            seconds, used = end.recv()
            if number >= WARM_UP:
                times[name].append(seconds)
                cpu[name].append(used)
    for end in ends.values():
        end.send(None)
    for process in processes:
        process.join()
    return times, cpu


def has_file(name: str, folder: Path) -> bool:
    precision = name.partition(" ")[2]
    return not precision or (folder / FILES[precision]).is_file()


def describe(name: str, times: Times, cpu: Times) -> dict[str, Any]:
    """One row."""
    milliseconds = 1e3 * np.array(times[name])
    return {
        "name": name,
        "p50_ms": round(float(np.percentile(milliseconds, 50)), 2),
        "p95_ms": round(float(np.percentile(milliseconds, 95)), 2),
        "quiet_ms": round(float(np.percentile(milliseconds, 10)), 2),
        "cpu_ms": round(1e3 * median(cpu[name]), 2),
        "times_eager": times_faster(times, name, "eager"),
        "times_eager_cpu": times_faster(cpu, name, "eager"),
        "times_fastai": times_faster(times, name, "fastai"),
    }


def times_faster(times: Times, name: str, other: str) -> float:
    """The median over the pictures of how many times faster one was with the same picture."""
    pairs = zip(times[other], times[name], strict=True)
    return round(median(slow / fast for slow, fast in pairs), 2)


def measure_limits(
    arguments: argparse.Namespace, times: Times, pictures: list[bytes]
) -> dict[str, Any]:
    """What the matrix products of this machine reach, and what each engine makes of it."""
    peaks = measure_peaks(arguments.threads)
    network, info = load_unet(arguments.model / "unet.safetensors")
    planes = info.network.in_channels + TEXTURE_PLANES
    gflop = count_gflop(network, planes, info.image_size)
    with Image.open(io.BytesIO(pictures[len(pictures) // 2])) as image:
        picture = np.asarray(image)[None, :, :, None]
    used = {}
    for precision, file in FILES.items():
        path = arguments.model / file
        if path.is_file():
            for engine, profile in (
                ("onnxruntime", profile_onnxruntime),
                ("openvino", profile_openvino),
            ):
                spent = profile(path, picture, arguments.threads)
                name = f"{engine} {precision}"
                used[name] = share_of_peak(gflop, spent, peaks[PEAK_OF[precision]], times[name])
    return {"peak_gflops": peaks, "network_gflop": round(gflop, 4), "engines": used}


PEAK_OF = {"fp32": "torch_float32", "int8": "onnxruntime_u8s8"}


def share_of_peak(
    gflop: float, spent: Mapping[str, float], peak: float, seconds: list[float]
) -> dict[str, Any]:
    """How much of the limit the convolutions alone use, and the whole way of a picture."""
    convolutions = convolution_share(spent) / 1e3
    quiet = float(np.percentile(seconds, 10))
    return {
        "convolutions_ms": round(1e3 * convolutions, 3),
        "operators_ms": round(sum(spent.values()), 3),
        "convolutions_gflops": round(gflop / convolutions, 1) if convolutions else None,
        "convolutions_share_of_peak": round(gflop / convolutions / peak, 3)
        if convolutions
        else None,
        "whole_share_of_peak": round(gflop / quiet / peak, 3),
        "profile_ms": dict(spent),
    }


def find_ratios(times: Times, cpu: Times, limits: Mapping[str, Any]) -> dict[str, float | None]:
    """What the goals are about."""

    def best(precision: str, other: str, of: Times = times) -> float | None:
        names = [name for name in of if name.endswith(precision) and " " in name]
        return max((times_faster(of, name, other) for name in names), default=None)

    def share(precision: str) -> float | None:
        found = [e for name, e in limits["engines"].items() if name.endswith(precision)]
        return max((e["convolutions_share_of_peak"] or 0.0 for e in found), default=None)

    return {
        "best_fp32_times_eager": best("fp32", "eager"),
        "best_int8_times_eager": best("int8", "eager"),
        "best_times_fastai": best("", "fastai"),
        "best_fp32_times_eager_cpu": best("fp32", "eager", cpu),
        "best_int8_times_eager_cpu": best("int8", "eager", cpu),
        "share_of_peak_fp32": share("fp32"),
        "share_of_peak_int8": share("int8"),
    }


def print_results(
    rows: list[dict[str, Any]], limits: Mapping[str, Any], ratios: Mapping[str, float | None]
) -> None:
    keys = [key for key in rows[0] if key != "name"]
    print(f"{'':18}" + "".join(f"{key:>16}" for key in keys))
    for row in rows:
        print(f"{row['name']:18}" + "".join(f"{row[key]:16.2f}" for key in keys))
    print(f"network: {limits['network_gflop']} GFLOP a picture; peaks: {limits['peak_gflops']}")
    for name, used in limits["engines"].items():
        print(
            f"{name:18}convolutions {used['convolutions_ms']:.2f} of "
            f"{used['operators_ms']:.2f} ms, {used['convolutions_share_of_peak']} of the peak; "
            f"the whole way {used['whole_share_of_peak']}"
        )
    print(f"goals: {GOALS}\nfound: {dict(ratios)}")


if __name__ == "__main__":
    main()
