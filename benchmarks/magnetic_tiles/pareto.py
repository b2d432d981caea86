"""Settings with results in, what each costs and what it gains out: results/speed.json, a drawing.

The time of a network does not depend on its weights, so each is built anew, exported as the stage
export does (float32 and INT8) and run by ONNX Runtime on real pictures, one after the other, all
files in turn. A SMP Unet of ResNet-34 at 224 px, of the size of the reference, is the yardstick.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import onnxruntime
from fold import RESULTS, count_parameters
from matplotlib.ticker import LogLocator, NullFormatter
from protocol import add_places, open_protocol
from settings import read_setting

from defectseg.data.tile import TileSet
from defectseg.errors import DefectsegError
from defectseg.export.graph import export_graph
from defectseg.export.quantize import quantize_int8
from defectseg.export.ranges import choose_pictures
from defectseg.files import replace_atomically, write_json
from defectseg.inference.engine import Engine
from defectseg.inference.onnx_engine import OnnxEngine
from defectseg.inference.operating_point import neutral_point
from defectseg.machine import describe_hardware
from defectseg.network.unet import ModelInfo, NetworkParams, build_unet, save_unet
from results import CLASSES

SPEED = RESULTS / "speed.json"
DRAWING = Path("docs/images/magnetic-tiles-front.svg")
YARDSTICK = "Unet resnet34, 224 px"
RESNET34 = NetworkParams(
    encoder="resnet34",
    encoder_weights=None,
    encoder_options={},
    decoder_channels=(256, 128, 64, 32, 16),
    in_channels=1,
)
CALIBRATION = 16  # pictures that the ranges of INT8 are taken from
OPSET = 20
SHOWN = {"iou_macro": "macro IoU", "dice_pooled": "pooled Dice"}
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Candidate:
    """A network whose time is measured."""

    name: str
    network: NetworkParams
    image_size: int
    looks: int  # at each picture: 4 where the mirror images are predicted too


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_places(parser)
    parser.add_argument("--pictures", type=int, default=60, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--draw", action="store_true", help="only draw what was measured before")
    arguments = parser.parse_args()
    if not arguments.draw:
        tiles = open_protocol(arguments.source, arguments.work).tiles
        write_json(SPEED, measure(tiles, arguments.pictures, arguments.threads))
    told = json.loads(SPEED.read_text(encoding="utf-8"))
    draw(told["networks"], read_scores())
    print(f"{SPEED}, {DRAWING}")


def read_scores() -> dict[str, dict[str, Any]]:
    """The test scores of each setting in results/table.json."""
    rows = json.loads((RESULTS / "table.json").read_text(encoding="utf-8"))
    return {row["setting"]: row["test"] for row in rows}


def candidates(names: Sequence[str]) -> list[Candidate]:
    """The networks of the settings, and the yardstick."""
    found = []
    for name in names:
        setting = read_setting(name)
        bare = setting.train.network.model_copy(update={"encoder_weights": None})
        looks = 4 if setting.flips else 1
        size = setting.predict_size or setting.train.image_size
        found.append(Candidate(name, bare, size, looks))
    return [*found, Candidate(YARDSTICK, RESNET34, 224, 1)]


def measure(tiles: TileSet, count: int, threads: int) -> dict[str, Any]:
    """Milliseconds of every network, in both precisions, on the same pictures."""
    chosen = choose_pictures(tiles.tiles, count)
    pictures = [tiles.picture(tile, 1) for tile in chosen]
    networks = candidates(list(read_scores()))
    with tempfile.TemporaryDirectory(prefix="defectseg-") as folder:
        engines = {}
        sizes = {}
        for number, each in enumerate(networks):
            print(f"export {each.name}", flush=True)
            paths, sizes[each.name] = export(each, Path(folder, str(number)), pictures)
            for precision, path in paths.items():
                engines[each.name, precision] = OnnxEngine(path, threads, provider="cpu")
        times = run_in_turn(engines, pictures)
    return {
        "machine": describe_hardware() | {"onnxruntime": onnxruntime.__version__},
        "setting": {"pictures": len(pictures), "threads": threads},
        "networks": [
            {
                "name": each.name,
                "image_size": each.image_size,
                "parameters": sizes[each.name],
                **{
                    precision: spread(each.looks * 1000 * np.array(times[each.name, precision]))
                    for precision in ("fp32", "int8")
                },
            }
            for each in networks
        ],
    }


def export(
    candidate: Candidate, folder: Path, pictures: Sequence[Picture]
) -> tuple[dict[str, Path], int]:
    """Both files of a new network, and how many parameters it has."""
    info = ModelInfo(
        network=candidate.network,
        classes=CLASSES,
        image_size=candidate.image_size,
        best_epoch=0,
        start_digest=None,
        data_digest="",
        code_digest="",
        package_version="",
    )
    folder.mkdir()
    network = build_unet(candidate.network, len(info.classes)).eval()
    save_unet(network, info, folder / "unet.safetensors")
    paths = {"fp32": folder / "unet.onnx", "int8": folder / "unet.int8.onnx"}
    weights = folder / "unet.safetensors"
    export_graph(network, info, neutral_point(info.classes), weights, paths["fp32"], OPSET)
    quantize_int8(paths["fp32"], paths["int8"], pictures[:CALIBRATION])
    return paths, count_parameters(network)


def run_in_turn(
    engines: dict[tuple[str, str], OnnxEngine], pictures: Sequence[Picture]
) -> dict[tuple[str, str], list[float]]:
    """Seconds of each picture in each engine; the first picture warms all up."""
    times: dict[tuple[str, str], list[float]] = {key: [] for key in engines}
    for number, picture in enumerate([pictures[0], *pictures]):
        for key, engine in engines.items():
            seconds = time_of(engine, picture)
            if number:
                times[key].append(seconds)
    return times


def time_of(engine: Engine, picture: Picture) -> float:
    """Seconds of one picture (H, W, C)."""
    started = time.perf_counter()
    engine.run(picture[None])
    return time.perf_counter() - started


def spread(milliseconds: npt.NDArray[np.float64]) -> dict[str, float]:
    """The median, and between what lie eight of ten."""
    low, middle, high = np.percentile(milliseconds, (10, 50, 90))
    return {
        "p50_ms": round(float(middle), 2),
        "p10_ms": round(float(low), 2),
        "p90_ms": round(float(high), 2),
    }


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Of points (cost, gain): whether none costs less and gains at least as much."""
    return [
        not any(
            cost <= mine and gain >= own and (cost, gain) != (mine, own) for cost, gain in points
        )
        for mine, own in points
    ]


def draw(networks: Sequence[dict[str, Any]], scores: dict[str, dict[str, Any]]) -> None:
    """Both scores against the milliseconds; what is on the front is filled."""
    shown = [each for each in networks if each["name"] in scores]
    yardstick = next(each for each in networks if each["name"] == YARDSTICK)
    plt.rcParams["svg.hashsalt"] = "defectseg"
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, (key, label) in zip(axes, SHOWN.items(), strict=True):
        points = [
            (each[precision]["p50_ms"], scores[each["name"]][key]["value"])
            for each in shown
            for precision in ("fp32", "int8")
        ]
        best = iter(front(points))
        for each in shown:
            score = scores[each["name"]][key]
            for precision, mark in (("fp32", "o"), ("int8", "s")):
                axis.errorbar(
                    each[precision]["p50_ms"],
                    score["value"],
                    yerr=[
                        [score["value"] - score["low"]],
                        [score["high"] - score["value"]],
                    ],
                    fmt=mark,
                    color="tab:blue" if precision == "fp32" else "tab:orange",
                    fillstyle="full" if next(best) else "none",
                    capsize=3,
                )
            where = (each["fp32"]["p50_ms"], score["high"])
            axis.annotate(
                each["name"], where, textcoords="offset points", xytext=(-4, 4), rotation=60
            )
        axis.axvline(yardstick["fp32"]["p50_ms"], color="grey", linestyle=":")
        axis.set(xscale="log", xlabel="ms a picture", ylabel=label, ylim=(0, 1))
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter(NullFormatter())
    figure.suptitle(f"○ float32  □ INT8  filled: on the front  dotted: {YARDSTICK}, float32")
    DRAWING.parent.mkdir(parents=True, exist_ok=True)
    with replace_atomically(DRAWING) as staging:
        figure.savefig(staging, format="svg", metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    try:
        main()
    except DefectsegError as error:
        raise SystemExit(f"error: {error}") from error
