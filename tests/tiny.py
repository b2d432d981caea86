"""Tiny tiles, params and networks that the tests of network and export train in seconds.

Classes are `crack` (1) and `blowhole` (2). Every picture is grey grain with dark defects.
"""

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from conftest import mask, save_array
from defectseg.data.tile import CLEAN, Tile, TileSet, write_manifest
from defectseg.network.learner import TrainParams
from defectseg.network.unet import ModelInfo, NetworkParams, build_unet

CLASSES = ("crack", "blowhole")
CRACK = mask("........ .######. ........ ........", 16)  # (64, 128)
BLOWHOLE = mask("........ ..22.... ..22.... ........", 16)  # (64, 128)
FREE = mask("........ ........ ........ ........", 16)  # (64, 128)
MASKS = {"crack": CRACK, "blowhole": BLOWHOLE, CLEAN: FREE}


def tile(tile_id: str, defect_class: str, surface: str = "") -> Tile:
    """A row of a manifest, without files; its own surface unless one is given."""
    return Tile(tile_id, "", "", defect_class, surface or tile_id, 128, 64, 0, "")


def write_tiles(folder: Path, classes: Sequence[str], masks: Any = MASKS) -> TileSet:
    """Write one tile for each class name, ids t00, t01, …"""
    tiles = []
    for number, name in enumerate(classes):
        drawn = masks[name]
        picture = draw_picture(f"t{number:02}", drawn)
        save_array(folder / f"images/t{number:02}.png", picture)
        save_array(folder / f"masks/t{number:02}.png", drawn)
        tiles.append(
            Tile(
                id=f"t{number:02}",
                image=f"images/t{number:02}.png",
                mask=f"masks/t{number:02}.png",
                defect_class=name,
                surface=f"surface_{number:02}",
                width=drawn.shape[1],
                height=drawn.shape[0],
                defect_px=int((drawn > 0).sum()),
                sha256=f"{zlib.crc32(picture.tobytes() + drawn.tobytes()):08x}",
            )
        )
    return write_manifest(folder, CLASSES, tiles)


def draw_picture(name: str, drawn: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Grain around grey 150, 70 darker where the mask says defect; another name, another grain."""
    grain = np.random.default_rng(zlib.crc32(name.encode())).normal(150, 10, drawn.shape)
    return np.clip(grain - 70.0 * (drawn > 0), 0, 255).astype(np.uint8)


def train_params(**changes: Any) -> TrainParams:
    """Params of four short epochs of a tiny network, with some of them changed."""
    params = {
        "image_size": 64,
        "epochs": 4,
        "pictures_per_epoch": 8,
        "batch_size": 4,
        "learning_rate": 0.01,
        "weight_decay": 0.01,
        "warmup": 0.25,
        "gradient_clip": 1.0,
        "weight_average": 0.5,
        "start_from": None,
        "beside": {"tiles": None, "share": 0.5},
        "defect_fraction": 0.7,
        "keep": "best",
        "patience": 0,
        "precision": "float32",
        "compile": False,
        "resume": True,
        "network": network_params().model_dump(),
        "loss": {"dice_weight": 1.0, "pixel": "cross_entropy", "focal_gamma": 2.0},
        "augment": {
            "flip_horizontal": True,
            "flip_vertical": True,
            "rotation_degrees": 6.0,
            "smallest_crop": 0.7,
            "paste": 0.5,
            "paste_largest": 0.5,
            "gamma": 0.3,
            "gradient": 0.25,
            "noise": 0.03,
        },
        "patch": {"size": None, "on_defect": 0.8},
    }
    return TrainParams.model_validate(params | changes)


def network_params(**changes: Any) -> NetworkParams:
    """The smallest network that there is, with some of its params changed."""
    params = {
        "encoder": "tu-test_resnet",
        "encoder_weights": None,
        "decoder_channels": (16, 8, 8, 4, 4),
        "in_channels": 1,
    }
    return NetworkParams.model_validate(params | changes)


def network(**changes: Any) -> torch.nn.Module:
    """That network, untrained but with opinions, ready to predict: always the same weights."""
    torch.manual_seed(0)
    net = build_unet(network_params(**changes), len(CLASSES)).eval()
    with torch.no_grad():
        net.get_submodule("segmentation_head").get_parameter("0.weight").mul_(50)
    return net


def model_info(**changes: Any) -> ModelInfo:
    """What stands beside the weights of that network."""
    facts = {
        "network": network_params(),
        "classes": CLASSES,
        "image_size": 64,
        "best_epoch": 3,
        "data_digest": "d" * 64,
        "code_digest": "c" * 64,
        "package_version": "0.1.0",
    }
    return ModelInfo.model_validate(facts | changes)
