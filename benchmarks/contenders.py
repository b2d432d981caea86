"""Tiles in, ways to train on them for one epoch out: plain fastai and ours."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from dvclive import Live
from fastai.vision.all import Resize, SegmentationDataLoaders, aug_transforms, resnet34
from fastai.vision.learner import unet_learner

from defectseg.data.tile import TileSet
from defectseg.determinism import bfloat16_pays
from defectseg.network.decoded import Decoded, decode_tiles
from defectseg.network.learner import Logs, TrainParams, train_unet
from defectseg.network.unet import NetworkParams, build_unet
from defectseg.pixels import TEXTURE_PLANES
from gflop import TRAINING, count_gflop

RESNET34 = {"encoder": "resnet34", "decoder_channels": (256, 128, 64, 32, 16)}  # SMP's own
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Contender:
    """One way to train, and how long its batches took."""

    name: str
    precision: str
    train: Callable[[], None]  # one epoch, from a new network
    gflop: float | None = None  # of a picture, forward and backward; None = not counted
    seconds: list[float] = field(default_factory=list)  # of each counted batch
    parts: dict[str, float] = field(default_factory=dict)  # share 0..1 of a step


def line_up(
    tiles: TileSet, params: TrainParams, folder: Path, device: torch.device, compiled: bool
) -> list[Contender]:
    """All contenders, plain fastai first; ours share the pictures, decoded once.

    Args:
        tiles: All but the first are trained on; the first validates.
        params: What ours are trained by; fastai takes its image and batch size from it.
        folder: For what ours log.
        compiled: Let the network of params be compiled too, as one more.
    """
    first, *rest = [tile.id for tile in tiles.tiles]
    size, channels = params.image_size, params.network.in_channels
    train = decode_tiles(tiles.only(rest), size, channels, "train")
    valid = decode_tiles(tiles.only([first]), size, channels, "valid")
    params = params.model_copy(update={"resume": False})  # each trains from a new network
    auto = "bfloat16" if bfloat16_pays(device) else "float32"
    own = auto if params.precision == "auto" else params.precision
    large = params.network.model_copy(update=RESNET34)
    pairs = dict.fromkeys(("float32", auto))  # one of them where the hardware has no bfloat16
    ours: list[tuple[str, dict[str, Any]]] = [
        *(("resnet34", {"network": large, "precision": precision}) for precision in pairs),
        ("params", {"precision": own}),
        *([("compiled", {"precision": own, "compile": True})] if compiled else []),
    ]
    return [
        Contender("fastai", "float32", plain_fastai(tiles, params, device)),
        *(
            Contender(
                name,
                changed.precision,
                our_learner(train, valid, changed, folder, device),
                count_training(changed.network, len(tiles.classes), size),
            )
            for name, changes in ours
            if (changed := params.model_copy(update=changes))
        ),
    ]


def count_training(params: NetworkParams, classes: int, size: int) -> float:
    """GFLOP of one picture, forward and backward."""
    network = build_unet(params, classes)
    return TRAINING * count_gflop(network, params.in_channels + TEXTURE_PLANES, size)


def plain_fastai(tiles: TileSet, params: TrainParams, device: torch.device) -> Callable[[], None]:
    """Fastai as its tutorial has it, without pretrained weights."""

    def mask_of(picture: Path) -> Path:
        return tiles.folder / "masks" / f"{picture.stem}.png"

    def train() -> None:
        torch.use_deterministic_algorithms(False)  # plain fastai does not ask for them
        dls = SegmentationDataLoaders.from_label_func(
            tiles.folder,
            fnames=[tiles.folder / tile.image for tile in tiles.tiles],
            label_func=mask_of,
            codes=["background", *tiles.classes],
            bs=params.batch_size,
            valid_pct=1.5 / len(tiles.tiles),  # rounded down to one picture
            seed=0,
            item_tfms=Resize(params.image_size),
            batch_tfms=aug_transforms(size=params.image_size),
            device=device,
        )
        learn = unet_learner(dls, resnet34, pretrained=False, weights=None)
        with learn.no_bar(), learn.no_logging():
            learn.fit_one_cycle(1)

    return train


def our_learner(
    train: Decoded, valid: Decoded, params: TrainParams, folder: Path, device: torch.device
) -> Callable[[], None]:
    """`train_unet`, as the stage train runs it."""

    def run() -> None:
        torch.use_deterministic_algorithms(True)  # as the stage does
        with (
            Live(folder / "live", dvcyaml=None, save_dvc_exp=False) as live,
            Live(folder / "speed", dvcyaml=None, save_dvc_exp=False) as speed,
        ):
            logs = Logs(live, speed, folder / "checkpoint")
            train_unet(train, valid, params, logs, "benchmark", device, seed=0)

    return run
