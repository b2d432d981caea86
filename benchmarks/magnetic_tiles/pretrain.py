"""A setting in, weights trained on drawn tiles out.

They know no real picture, so all folds and seeds may share them.
"""

from functools import partial
from pathlib import Path

from pydantic import Field
from train_once import digest_of, train_once

from defectseg.data.load import LoadParams, Places, load_tiles
from defectseg.data.split import Split, SplitParams, split_tiles
from defectseg.data.tile import MANIFEST, TileSet, read_tiles
from defectseg.determinism import ComputeParams, set_up
from defectseg.network.learner import TrainParams
from defectseg.network.training import ModelFiles
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


def pretrain(
    params: PretrainParams, train: TrainParams, compute: ComputeParams, work: Path
) -> ModelFiles:
    """Weights that know drawn tiles only: draw and train, unless that has been done."""
    changed = train.model_copy(
        update={
            "epochs": params.epochs,
            "pictures_per_epoch": params.pictures_per_epoch,
            "batch_size": params.batch_size,
            "learning_rate": params.learning_rate,
            "start_from": None,
        }
    )
    device = set_up(compute)
    name = digest_of(params.model_dump_json(), changed.model_dump_json())
    data = partial(draw, params, work)
    return train_once(work / "pretrained" / name, data, changed, compute.seed, device)


def draw(params: PretrainParams, work: Path) -> tuple[TileSet, Split]:
    """The drawn tiles, by the pipeline's own generator; a twentieth of them is valid."""
    folder = work / "drawn" / digest_of(params.model_dump_json())
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
    tiles = read_tiles(folder / "tiles")
    return tiles, split_tiles(tiles.tiles, SplitParams(folds=20, fold=0, seed=0, random=False))
