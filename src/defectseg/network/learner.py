"""Tiles and params in, a trained Unet out: fastai's loop over our pictures, logged by DVCLive."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self

import torch
from dvclive import Live
from fastai.callback.channelslast import ChannelsLast
from fastai.callback.progress import ProgressCallback
from fastai.callback.schedule import Learner  # fit_one_cycle is patched into it here
from fastai.callback.training import GradientClip
from fastai.data.core import DataLoaders
from fastai.optimizer import OptimWrapper
from pydantic import Field, model_validator
from torch.utils.data import DataLoader

from defectseg.data.beside import BesideParams
from defectseg.determinism import bfloat16_pays
from defectseg.errors import TrainingError
from defectseg.network.augment import AugmentParams
from defectseg.network.average import WeightAverage
from defectseg.network.callbacks import (
    Bar,
    Bfloat16,
    EpochLog,
    Keep,
    Keeper,
    Prepare,
    StopOnNaN,
    ValidScores,
)
from defectseg.network.checkpoint import (
    Progress,
    load_checkpoint,
    restore_optimizer,
    without_prefix,
)
from defectseg.network.decoded import Decoded
from defectseg.network.loss import LossParams, SegmentationLoss
from defectseg.network.patch import PatchParams
from defectseg.network.processes import Share, synchronized
from defectseg.network.sampling import RatioSampler, draw_weights
from defectseg.network.unet import NetworkParams, Side, build_unet, start_from
from defectseg.params import Section

SHOWN = 3  # valid pictures drawn after each epoch


class TrainParams(Section):
    """params.yaml: train."""

    image_size: Side
    epochs: int = Field(ge=1)
    pictures_per_epoch: int | None = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    warmup: float = Field(gt=0, lt=1)
    gradient_clip: float = Field(ge=0)
    weight_average: float = Field(ge=0, lt=1)
    start_from: str | None
    beside: BesideParams
    defect_fraction: float = Field(gt=0, le=1)
    keep: Keep
    patience: int = Field(ge=0)
    precision: Literal["auto", "float32", "bfloat16"]
    compile: bool
    resume: bool
    network: NetworkParams
    loss: LossParams
    augment: AugmentParams
    patch: PatchParams

    @model_validator(mode="after")
    def _patience_has_a_best_epoch(self) -> Self:
        if self.patience and self.keep == "last":
            raise ValueError(
                f"patience {self.patience} waits for a better epoch, but keep: last is not for the "
                "best one; say keep: best, or patience: 0"
            )
        return self

    @model_validator(mode="after")
    def _patch_fits(self) -> Self:
        if self.patch.size and self.patch.size > self.image_size:
            raise ValueError(
                f"patch.size {self.patch.size} is more than image_size {self.image_size}: "
                "a patch is cut out of the resized picture"
            )
        return self


@dataclass(frozen=True)
class Logs:
    """Where a training writes what it sees."""

    live: Live  # losses, scores, learning rate: the same on every run
    speed: Live  # pictures/s and memory: never the same twice
    checkpoint: Path  # folder


@dataclass(frozen=True)
class Trained:
    """A network with the weights of the epoch that params.keep asks for."""

    network: torch.nn.Module
    progress: Progress
    epochs: int  # of this process; fewer than all where an earlier one was interrupted


def train_unet(
    train: Decoded,
    valid: Decoded,
    params: TrainParams,
    logs: Logs,
    fingerprint: str,
    device: torch.device,
    seed: int,
) -> Trained:
    """Train, or resume the training of the same fingerprint that left a checkpoint.

    The checkpoint of the last epoch stays: whoever has used the network removes it.

    Raises:
        TrainingError: There is nothing to learn from, the loss is no number, or memory runs out.
    """
    weights = draw_weights(train.tiles.tiles, params.defect_fraction)
    pictures = params.pictures_per_epoch or len(train)
    sampler = RatioSampler(weights, pictures, params.batch_size, seed)
    network = _first_network(params, len(train.tiles.classes), device, seed)
    fresh: tuple[Progress, dict[str, torch.Tensor]] = (Progress(fingerprint), {})
    resumed = load_checkpoint(logs.checkpoint, fingerprint) if params.resume else fresh
    progress, tensors = resumed
    epochs_before = progress.epoch + 1
    scores = ValidScores(train.tiles.classes)
    best = without_prefix("best", tensors)
    average = WeightAverage(params.weight_average, without_prefix("average", tensors))
    keeper = Keeper(scores, average, progress, best, logs.checkpoint, params.keep, params.patience)
    learn = _learner(_loaders(train, valid, sampler, params, device), network, params, device)
    log = EpochLog(keeper, logs.live, logs.speed, valid.some_defects(SHOWN))
    bar = Bar(progress, len(sampler), params.epochs)
    prepare = Prepare(params.augment, params.patch, sampler, seed)
    learn.add_cbs([prepare, average, Share(), scores, keeper, log, bar])
    _fit(learn, params, progress, tensors)
    network.load_state_dict(keeper.best)
    epochs = progress.epoch + 1 - epochs_before
    return Trained(network.to(memory_format=torch.contiguous_format).eval(), progress, epochs)


def _first_network(
    params: TrainParams, classes: int, device: torch.device, seed: int
) -> torch.nn.Module:
    torch.manual_seed(seed)
    network = build_unet(params.network, classes)
    if params.start_from:
        start_from(network, Path(params.start_from))
    network = synchronized(network.to(device), device)
    if params.compile:
        network.compile()
    return network


def _fit(
    learn: Learner, params: TrainParams, progress: Progress, tensors: dict[str, torch.Tensor]
) -> None:
    learn.create_opt()
    if tensors:
        print(f"train: resuming after epoch {progress.epoch}")
        learn.model.load_state_dict(without_prefix("network", tensors))
        restore_optimizer(learn.opt.opt, without_prefix("optimizer", tensors))
    with _memory_advice(), learn.no_logging():
        learn.fit_one_cycle(
            params.epochs,
            params.learning_rate,
            pct_start=params.warmup,
            start_epoch=progress.epoch + 1,
        )


def _loaders(
    train: Decoded, valid: Decoded, sampler: RatioSampler, params: TrainParams, device: torch.device
) -> DataLoaders:
    draw = DataLoader(train.to(device), batch_sampler=sampler, collate_fn=_as_it_is)
    look = DataLoader(valid.to(device), batch_size=params.batch_size, collate_fn=_as_it_is)
    return DataLoaders(draw, look, device=device)


def _as_it_is(batch: Any) -> Any:
    return batch  # `Decoded` fetches whole batches


def _learner(
    loaders: DataLoaders,
    network: torch.nn.Module,
    params: TrainParams,
    device: torch.device,
) -> Learner:
    classes = len(loaders.valid.dataset.tiles.classes)
    callbacks = [ChannelsLast(), StopOnNaN()]
    if params.gradient_clip:
        callbacks.append(GradientClip(params.gradient_clip))
    if params.precision == "bfloat16" or (params.precision == "auto" and bfloat16_pays(device)):
        callbacks.append(Bfloat16())
    learn = Learner(
        loaders,
        network,
        loss_func=SegmentationLoss(params.loss, classes).to(device),
        opt_func=partial(OptimWrapper, opt=torch.optim.AdamW),
        wd=params.weight_decay,
        cbs=callbacks,
    )
    return learn.remove_cb(ProgressCallback)


@contextmanager
def _memory_advice() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # CUDA's OutOfMemoryError is a RuntimeError
        text = str(error).lower()
        if (
            not isinstance(error, MemoryError)
            and "out of memory" not in text
            and "allocate memory" not in text
        ):
            raise
        raise TrainingError(
            "memory ran out; lower train.batch_size first, then train.patch.size, train.image_size "
            "or train.network.decoder_channels"
        ) from error
