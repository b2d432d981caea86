"""Split tiles in, a model file out: the stage train, in order."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from dvclive import Live

from defectseg.data.beside import lay_beside, read_beside
from defectseg.data.split import Split
from defectseg.data.tile import TileSet
from defectseg.errors import TrainingError
from defectseg.files import remove_leftovers, write_json
from defectseg.network.decoded import decode_tiles
from defectseg.network.learner import Logs, TrainParams, train_unet
from defectseg.network.processes import count, joined, own_device, rank
from defectseg.network.unet import ModelInfo, file_digest, save_unet, weights_path
from defectseg.provenance import code_digest, package_version
from defectseg.run_record import describe_run, measure_run

ALONE: dict[str, Any] = {"dvcyaml": None, "save_dvc_exp": False}  # those are DVC's to write


@dataclass(frozen=True)
class ModelFiles:
    """Where a training writes its result."""

    weights: Path  # and the JSON beside them
    record: Path  # what the training ran on and what it cost


@dataclass(frozen=True)
class Extras:
    """What a training learns from besides its data: digests; None where there is no such thing."""

    start: str | None  # of the weights that it begins with
    beside: str | None  # of the other tiles


@contextmanager
def open_logs(losses: Path, speed: Path, checkpoint: Path) -> Iterator[Logs]:
    """Inside, a training logs into two folders and leaves its checkpoint in a third.

    Of several processes only the first does; what the others log is thrown away.
    """
    with tempfile.TemporaryDirectory(prefix="defectseg") as nowhere:
        if rank():
            losses, speed = Path(nowhere, "losses"), Path(nowhere, "speed")
        with Live(losses, **ALONE) as live, Live(speed, **ALONE) as fast:
            yield Logs(live, fast, checkpoint)


def train_model(
    tiles: TileSet,
    split: Split,
    params: TrainParams,
    seed: int,
    device: torch.device,
    logs: Logs,
    files: ModelFiles,
) -> ModelInfo:
    """Train on the train part, judge each epoch on the valid part, save the one to keep.

    The checkpoint stays: who knows that the result counts removes it.
    """
    device = own_device(device)
    size, channels = params.image_size, params.network.in_channels
    train, valid = tiles.only(split.ids("train")), tiles.only(split.ids("valid"))
    others = read_beside(params.beside, tiles, split)
    seen = lay_beside(train, others, params.beside.share) if others else train
    extras = Extras(start_digest(params), others.digest() if others else None)
    code, data = code_digest(), tiles.digest()
    with joined(device):
        with measure_run() as meter:
            trained = train_unet(
                decode_tiles(seen, size, channels, "train"),
                decode_tiles(valid, size, channels, "valid"),
                params,
                logs,
                fingerprint(params, seed, extras, code, data, split),
                device,
                seed,
            )
        best = trained.progress.best_epoch
        info = describe_model(params, tiles.classes, best, extras, data, code)
        if rank() == 0:
            save_unet(trained.network, info, files.weights)
            facts = {"data_digest": data, "code_digest": code, "epochs": trained.epochs}
            remove_leftovers(files.record)
            write_json(files.record, describe_run(meter, device, processes=count(), **facts))
    return info


def describe_model(
    params: TrainParams,
    classes: tuple[str, ...],
    best_epoch: int,
    extras: Extras,
    data: str,
    code: str,
) -> ModelInfo:
    """What models/unet.json says; `data` and `code` are digests."""
    return ModelInfo(
        network=params.network,
        classes=classes,
        image_size=params.image_size,
        best_epoch=best_epoch,
        start_digest=extras.start,
        beside_digest=extras.beside,
        data_digest=data,
        code_digest=code,
        package_version=package_version(),
    )


def fingerprint(
    params: TrainParams, seed: int, extras: Extras, code: str, data: str, split: Split
) -> str:
    """sha256 over all that a training depends on: only a run of the same may resume it."""
    told = [params.model_dump_json(exclude={"resume"}), str(seed), code, data]
    told += [extras.start or "", extras.beside or ""]
    told += [",".join(split.ids("train")), ",".join(split.ids("valid"))]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def start_digest(params: TrainParams) -> str | None:
    """sha256 of the file that a training goes on from, or else that its encoder begins with.

    None where all weights are random, or a hub's.

    Raises:
        TrainingError: A file that params.yaml names is not there.
    """
    if params.start_from is None:
        encoder = weights_path(params.network.encoder_weights)
        return file_digest(encoder) if encoder else None
    path = Path(params.start_from)
    if not path.is_file():
        raise TrainingError(f"train.start_from: {path}: no such file")
    return file_digest(path)
