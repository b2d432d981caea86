"""Split tiles in, a trained model with its operating point out: the stage train, in order."""

import hashlib

import torch

from defectseg.data.split import Split
from defectseg.data.tile import TileSet
from defectseg.evaluation.operating_point import choose_operating_point
from defectseg.inference.torch_engine import TorchEngine
from defectseg.network.decoded import decode_tiles
from defectseg.network.learner import Logs, TrainParams, train_unet
from defectseg.network.unet import ModelInfo
from defectseg.provenance import code_digest, package_version


def train_model(
    tiles: TileSet, split: Split, params: TrainParams, seed: int, device: torch.device, logs: Logs
) -> tuple[torch.nn.Module, ModelInfo]:
    """Train on the train part, choose the best epoch and both thresholds on the valid part."""
    size, channels = params.image_size, params.network.in_channels
    train, valid = tiles.only(split.ids("train")), tiles.only(split.ids("valid"))
    told = [params.model_dump_json(exclude={"resume"}), str(seed), code_digest()]
    told += [tiles.digest(), ",".join(split.ids("train")), ",".join(split.ids("valid"))]
    trained = train_unet(
        decode_tiles(train, size, channels, "train"),
        decode_tiles(valid, size, channels, "valid"),
        params,
        logs,
        hashlib.sha256("\n".join(told).encode()).hexdigest(),
        device,
        seed,
    )
    point = choose_operating_point(TorchEngine(trained.network, size, device), valid, channels)
    info = ModelInfo(
        network=params.network,
        classes=tiles.classes,
        image_size=size,
        threshold=point.threshold,
        picture_threshold=point.picture_threshold,
        best_epoch=trained.progress.best_epoch,
        data_digest=tiles.digest(),
        code_digest=code_digest(),
        package_version=package_version(),
    )
    return trained.network, info
