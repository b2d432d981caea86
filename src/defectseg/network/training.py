"""Split tiles in, a model file out: the stage train, in order."""

import hashlib
from pathlib import Path

import torch

from defectseg.data.split import Split
from defectseg.data.tile import TileSet
from defectseg.network.checkpoint import remove_checkpoint
from defectseg.network.decoded import decode_tiles
from defectseg.network.learner import Logs, TrainParams, train_unet
from defectseg.network.unet import ModelInfo, save_unet
from defectseg.provenance import code_digest, package_version


def train_model(
    tiles: TileSet,
    split: Split,
    params: TrainParams,
    seed: int,
    device: torch.device,
    logs: Logs,
    weights: Path,
) -> ModelInfo:
    """Train on the train part, choose the best epoch on the valid part, save.

    The checkpoint goes only when the model is written: a run that is killed before resumes.
    """
    size, channels = params.image_size, params.network.in_channels
    train, valid = tiles.only(split.ids("train")), tiles.only(split.ids("valid"))
    code, data = code_digest(), tiles.digest()
    trained = train_unet(
        decode_tiles(train, size, channels, "train"),
        decode_tiles(valid, size, channels, "valid"),
        params,
        logs,
        fingerprint(params, seed, code, data, split),
        device,
        seed,
    )
    info = ModelInfo(
        network=params.network,
        classes=tiles.classes,
        image_size=size,
        best_epoch=trained.progress.best_epoch,
        data_digest=data,
        code_digest=code,
        package_version=package_version(),
    )
    save_unet(trained.network, info, weights)
    remove_checkpoint(logs.checkpoint)
    return info


def fingerprint(params: TrainParams, seed: int, code: str, data: str, split: Split) -> str:
    """sha256 over all that a training depends on: only a run of the same may resume it."""
    told = [params.model_dump_json(exclude={"resume"}), str(seed), code, data]
    told += [",".join(split.ids("train")), ",".join(split.ids("valid"))]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()
