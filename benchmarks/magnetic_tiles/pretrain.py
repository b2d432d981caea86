"""A setting in, weights trained on drawn tiles out.

They know no real picture, so all folds and seeds may share them.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import Field

from defectseg.data.load import LoadParams, Places, load_tiles
from defectseg.data.split import SplitParams, split_tiles
from defectseg.data.tile import MANIFEST, TileSet, read_tiles
from defectseg.determinism import ComputeParams, set_up
from defectseg.network.checkpoint import remove_checkpoint
from defectseg.network.learner import TrainParams
from defectseg.network.training import ModelFiles, open_logs, train_model
from defectseg.network.unet import file_digest
from defectseg.params import Section, read_params

UNCHECKED = ("mixed_labels", "label_agreement", "near_duplicates")  # they compare real photographs


class PretrainParams(Section):
    """settings.yaml: pretrain."""

    seed: int = Field(ge=0)  # of the drawn tiles; not that of the pipeline's demonstration
    pictures: int = Field(ge=100)
    clean_fraction: float = Field(ge=0, lt=1)
    epochs: int = Field(ge=1)
    pictures_per_epoch: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)


@dataclass(frozen=True)
class Pretrained:
    """Weights that know drawn tiles only."""

    weights: Path
    record: Path  # what they cost


def pretrain(
    params: PretrainParams, train: TrainParams, compute: ComputeParams, work: Path
) -> Pretrained:
    """Draw tiles and train on them, unless that has been done."""
    changed = train.model_copy(
        update={
            "epochs": params.epochs,
            "pictures_per_epoch": params.pictures_per_epoch,
            "batch_size": params.batch_size,
            "learning_rate": params.learning_rate,
            "start_from": None,
        }
    )
    told = [params.model_dump_json(), changed.model_dump_json(), *train_code()]
    folder = work / "pretrained" / hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
    files = ModelFiles(folder / "unet.safetensors", folder / "unet.run.json")
    if not files.record.exists():
        tiles = draw(params, work / f"drawn-{params.seed}-{params.pictures}")
        split = split_tiles(tiles.tiles, SplitParams(folds=20, fold=0, seed=0, random=False))
        device = set_up(compute)
        with open_logs(folder / "train", folder / "speed", folder / "checkpoint") as logs:
            train_model(tiles, split, changed, compute.seed, device, logs, files)
        remove_checkpoint(folder / "checkpoint")
    return Pretrained(files.weights, files.record)


def train_code() -> list[str]:
    """The hashes of the code that draws and that trains: other code, other weights."""
    stages = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    deps = {str(dep) for stage in ("data_load", "train") for dep in stages[stage]["deps"]}
    return [file_digest(Path(dep)) for dep in sorted(deps) if dep.endswith(".py")]


def draw(params: PretrainParams, folder: Path) -> TileSet:
    """The drawn tiles, by the pipeline's own generator."""
    if not (folder / "tiles" / MANIFEST).exists():
        load = read_params("data_load", LoadParams)
        drawn = load.synthetic.model_copy(
            update={
                "seed": params.seed,
                "pictures": params.pictures,
                "clean_fraction": params.clean_fraction,
            }
        )
        changes = {
            "source": "synthetic",
            "digest": None,
            "synthetic": drawn,
            "surfaces": load.surfaces.model_copy(update={"source": "none"}),
            "checks": load.checks.model_copy(update=dict.fromkeys(UNCHECKED, "off")),
        }
        load_tiles(
            load.model_copy(update=changes),
            Places.under(folder),
        )
    return read_tiles(folder / "tiles")
