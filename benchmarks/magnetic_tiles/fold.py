"""A setting, a fold and a seed in; one trained model, its scored pictures and its facts out.

The rows of the valid and the test part are kept, picture by picture: from them every score and
every comparison can be computed again. Settings are chosen by the valid rows alone. Each part has
two kinds of rows: `plain`, whose masks are where a defect is likelier than none, as segmentation is
scored elsewhere; and `operating`, whose masks and verdicts are those of the operating point, which
leaves out what is too small or too unsure to reject a picture for.
"""

import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from flips import MirroredMean
from pretrain import Pretrained, train_code
from protocol import Protocol
from settings import Setting

from defectseg.data.tile import TileSet
from defectseg.determinism import ComputeParams, set_up
from defectseg.evaluation.evaluate import choose_on_valid
from defectseg.evaluation.scored import ScoredPicture, score_part
from defectseg.evaluation.tables import write_per_image
from defectseg.files import replace_atomically, write_json
from defectseg.inference.operating_point import neutral_point
from defectseg.inference.torch_engine import TorchEngine
from defectseg.machine import describe_hardware
from defectseg.network.checkpoint import remove_checkpoint
from defectseg.network.learner import TrainParams
from defectseg.network.training import ModelFiles, open_logs, train_model
from defectseg.network.unet import load_unet

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

    @property
    def name(self) -> str:
        """Such as base/seed-0-fold-3."""
        return f"{self.setting}/seed-{self.seed}-fold-{self.fold}"

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
    start: Pretrained | None,
    protocol: Protocol,
    compute: ComputeParams,
    work: Path,
) -> dict[str, Any]:
    """Train (or resume), choose the operating point on valid, score valid and test, write."""
    device = set_up(compute.model_copy(update={"seed": run.seed}))
    split, params = protocol.split(run.fold), setting.train
    if start:
        params = params.model_copy(update={"start_from": str(start.weights)})
    folder = work / "runs" / training_name(run, params)
    files = ModelFiles(folder / "unet.safetensors", folder / "unet.run.json")
    if not files.record.exists():  # settings that only predict in other ways share a training
        with open_logs(folder / "train", folder / "speed", folder / "checkpoint") as logs:
            train_model(protocol.tiles, split, params, run.seed, device, logs, files)
        remove_checkpoint(folder / "checkpoint")
    parts = {part: protocol.tiles.only(split.ids(part)) for part in PARTS}
    scored = score(files.weights, setting, parts, run.seed, device)
    for (part, kind), pictures in scored.items():
        write_rows(run.rows(part, kind), pictures)
    facts = describe(setting, start, files, device)
    write_json(run.facts, facts)
    return facts


def training_name(run: Run, params: TrainParams) -> str:
    """Of all that decides the weights: params, code, seed and fold."""
    told = [params.model_dump_json(), *train_code(), str(run.seed), str(run.fold)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


def score(
    weights: Path, setting: Setting, parts: dict[str, TileSet], seed: int, device: torch.device
) -> dict[tuple[str, str], list[ScoredPicture]]:
    """The pictures by part and kind; the operating point is chosen on valid."""
    network, info = load_unet(weights)
    channels, rule = info.network.in_channels, setting.evaluate.operating_point
    start = neutral_point(info.classes)
    seen = MirroredMean(network) if setting.flips else network
    engine = TorchEngine(seen, info.image_size, start, device)
    chosen, _ = choose_on_valid(engine, parts["valid"], channels, rule, seed)
    points = dict(zip(KINDS, (start, chosen), strict=True))
    return {
        (part, kind): score_part(engine.at(point), point, tiles, channels, part)[0]
        for part, tiles in parts.items()
        for kind, point in points.items()
    }


def write_rows(path: Path, pictures: Sequence[ScoredPicture]) -> None:
    """metrics/per_image.csv, packed: the same rows, the same bytes."""
    with replace_atomically(path) as staging:
        plain = staging.with_suffix(".csv")
        write_per_image(plain, pictures)
        staging.write_bytes(gzip.compress(plain.read_bytes(), 9, mtime=0))
        plain.unlink()


def describe(
    setting: Setting,
    start: Pretrained | None,
    files: ModelFiles,
    device: torch.device,
) -> dict[str, Any]:
    """The facts of a run, beside its rows."""
    network, info = load_unet(files.weights)
    record = json.loads(files.record.read_text(encoding="utf-8"))
    params = setting.train
    pictures = (params.pictures_per_epoch or 0) * params.epochs
    return {
        "changes": setting.changes,
        "flips": setting.flips,
        "pretrain": setting.pretrain.model_dump() if setting.pretrain else None,
        "start_digest": info.start_digest,
        "code_digest": info.code_digest,
        "data_digest": info.data_digest,
        "parameters": sum(value.numel() for value in network.parameters()),
        "best_epoch": info.best_epoch,
        "pictures_seen": pictures,
        "train_seconds": record["seconds"],
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "hardware": describe_hardware(),
        "record": record,
        "start_record": json.loads(start.record.read_text(encoding="utf-8")) if start else None,
    }
