"""A setting, a fold and a seed in; one trained model, its scored pictures and its facts out.

The rows of the valid and the test part are kept, picture by picture: from them every score and
every comparison can be computed again. Settings are chosen by the valid rows alone. Each part has
two kinds of rows: `plain`, whose masks are where a defect is likelier than none, as segmentation is
scored elsewhere; and `operating`, whose masks and verdicts are those of the operating point, which
leaves out what is too small or too unsure to reject a picture for.

A picture of each train surface is scored as well, to tell what was learnt by heart.
"""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from flips import MirroredMean
from protocol import Protocol
from remembered import Remembered
from settings import Setting
from starts import beside_of
from torch import nn
from train_once import digest_of, train_once

from defectseg.data.split import Split
from defectseg.data.tile import TileSet
from defectseg.determinism import ComputeParams, set_up
from defectseg.evaluation.evaluate import choose_on_valid
from defectseg.evaluation.metrics import ScoreTable, to_number
from defectseg.evaluation.scored import ScoredPicture, score_part
from defectseg.evaluation.tables import write_per_image
from defectseg.files import replace_atomically, write_json
from defectseg.inference.operating_point import neutral_point
from defectseg.inference.torch_engine import TorchEngine
from defectseg.machine import describe_hardware
from defectseg.network.training import ModelFiles
from defectseg.network.unet import ModelInfo, load_unet

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PARTS = ("valid", "test")
KINDS = ("plain", "operating")


@dataclass(frozen=True)
class Run:
    """One training of the benchmark."""

    setting: str
    fold: int
    seed: int
    left_out: int | None = None  # exposure
    leaks: bool = False  # pictures are drawn into the folds one by one

    @property
    def name(self) -> str:
        """Such as base/seed-0-fold-3, base/without-exposure-2/… or base/random-split/…"""
        folder = f"/without-exposure-{self.left_out}" if self.left_out else ""
        folder += "/random-split" if self.leaks else ""
        return f"{self.setting}{folder}/seed-{self.seed}-fold-{self.fold}"

    @property
    def facts(self) -> Path:
        """What it cost and how it learnt; written last: where it is, the run is done."""
        return RESULTS / f"{self.name}.json"

    def rows(self, part: str, kind: str) -> Path:
        """The scored pictures of a part, of one of `KINDS`."""
        return RESULTS / f"{self.name}-{part}-{kind}.csv.gz"


def run_fold(
    run: Run,
    setting: Setting,
    start: ModelFiles | None,
    protocol: Protocol,
    compute: ComputeParams,
    work: Path,
) -> dict[str, Any]:
    """Train (or resume), choose the operating point on valid, score valid and test, write."""
    device = set_up(compute.model_copy(update={"seed": run.seed}))
    tiles, split = protocol.tiles, protocol.split(run.fold, run.left_out, run.leaks)
    trained = train_cycles(run, setting, start, (tiles, split), device, work)
    files = trained[-1]
    parts = {part: tiles.only(split.ids(part)) for part in PARTS}
    network, info = load_unet(files.weights)
    scored = score(network, info, setting, parts, run.seed, device)
    for (part, kind), pictures in scored.items():
        write_rows(run.rows(part, kind), pictures)
    facts = describe(setting, start, trained, info) | describe_network(network, device)
    shown = one_of_each_surface(tiles.only(split.ids("train")))
    facts["on_train"] = score_train(network, info, setting, shown, device)
    write_json(run.facts, facts)
    return facts


def train_cycles(
    run: Run,
    setting: Setting,
    start: ModelFiles | None,
    data: tuple[TileSet, Split],
    device: torch.device,
    work: Path,
) -> list[ModelFiles]:
    """What each training of a fold has made, one after the other: each goes on from the last.

    Settings that only predict in other ways share a training.
    """
    trained: list[ModelFiles] = []
    told = (run.seed, run.fold, run.left_out, *(["leaks"] if run.leaks else []))
    for cycle in setting.cycles:
        params = cycle.train.model_copy(update={"beside": beside_of(cycle, work)})
        if start:
            params = params.model_copy(update={"start_from": str(start.weights)})
        folder = work / "runs" / digest_of(params.model_dump_json(), *map(str, told))
        start = train_once(folder, lambda: data, params, run.seed, device)
        trained.append(start)
    return trained


def score(
    network: nn.Module,
    info: ModelInfo,
    setting: Setting,
    parts: dict[str, TileSet],
    seed: int,
    device: torch.device,
) -> dict[tuple[str, str], list[ScoredPicture]]:
    """The pictures by part and kind; the operating point is chosen on valid."""
    channels, rule = info.network.in_channels, setting.evaluate.operating_point
    start = neutral_point(info.classes)
    engine = engine_of(network, info, setting, device)
    choice, _ = choose_on_valid(engine, parts["valid"], channels, rule, seed)
    points = dict(zip(KINDS, (start, choice.point), strict=True))
    return {
        (part, kind): score_part(engine.at(point), point, tiles, channels, part)[0]
        for part, tiles in parts.items()
        for kind, point in points.items()
    }


def engine_of(
    network: nn.Module, info: ModelInfo, setting: Setting, device: torch.device
) -> TorchEngine:
    """What predicts as the setting says, each picture once."""
    seen = MirroredMean(network) if setting.flips else network
    size = setting.predict_size or info.image_size
    return TorchEngine(Remembered(seen), size, neutral_point(info.classes), device)


def one_of_each_surface(tiles: TileSet) -> TileSet:
    """A picture of every surface: of the first surface its first, of the next its second, …"""
    surfaces: dict[str, list[str]] = {}
    for tile in tiles.tiles:
        surfaces.setdefault(tile.surface, []).append(tile.id)
    chosen = [ids[n % len(ids)] for n, (_, ids) in enumerate(sorted(surfaces.items()))]
    return tiles.only(chosen)


def score_train(
    network: nn.Module, info: ModelInfo, setting: Setting, shown: TileSet, device: torch.device
) -> dict[str, Any]:
    """What the plain masks of pictures that were trained on are worth."""
    engine, point = engine_of(network, info, setting, device), neutral_point(info.classes)
    pictures, _ = score_part(engine, point, shown, info.network.in_channels, "train")
    found = ScoreTable.of(pictures).scores(np.ones((1, len(pictures))), info.classes)
    names = ("dice_pooled", *(name for name in found if name.startswith("iou_")))
    return {"pictures": len(pictures)} | {name: to_number(found[name][0]) for name in names}


def write_rows(path: Path, pictures: Sequence[ScoredPicture]) -> None:
    """metrics/per_image.csv, packed: the same rows, the same bytes."""
    with replace_atomically(path) as staging:
        plain = staging.with_suffix(".csv")
        write_per_image(plain, pictures)
        staging.write_bytes(gzip.compress(plain.read_bytes(), 9, mtime=0))
        plain.unlink()


def describe(
    setting: Setting, start: ModelFiles | None, trained: Sequence[ModelFiles], info: ModelInfo
) -> dict[str, Any]:
    """The facts of a run, beside its rows."""
    *earlier, record = (read_record(files) for files in trained)
    each = [cycle.train for cycle in setting.cycles]
    return {
        "changes": setting.changes,
        "flips": setting.flips,
        "drawn_share": setting.drawn_share,
        "pretrain": setting.pretrain.model_dump() if setting.pretrain else None,
        "start_digest": info.start_digest,
        "code_digest": info.code_digest,
        "data_digest": info.data_digest,
        "best_epoch": info.best_epoch,
        "pictures_seen": sum((params.pictures_per_epoch or 0) * params.epochs for params in each),
        "train_seconds": record["seconds"],
        "record": record,
        "earlier_records": earlier,
        "start_record": read_record(start) if start else None,
    }


def read_record(files: ModelFiles) -> dict[str, Any]:
    """What a training cost and what it ran on."""
    content: dict[str, Any] = json.loads(files.record.read_text(encoding="utf-8"))
    return content


def describe_network(network: nn.Module, device: torch.device) -> dict[str, Any]:
    """How large a network is, and what it was trained on."""
    return {
        "parameters": count_parameters(network),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "hardware": describe_hardware(),
    }


def count_parameters(network: nn.Module) -> int:
    """How many numbers it learns."""
    return sum(value.numel() for value in network.parameters())
