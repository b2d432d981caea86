"""Around each batch and epoch of fastai's loop: pixels in, scores, checkpoints and logs out."""

import resource
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from dvclive import Live
from fastai.callback.core import Callback, CancelFitException
from torch import Tensor
from tqdm import tqdm

from defectseg.confusion import any_defect, iou_by_class, iou_macro
from defectseg.errors import TrainingError
from defectseg.network.augment import AugmentParams, augment
from defectseg.network.average import WeightAverage
from defectseg.network.checkpoint import (
    Progress,
    optimizer_tensors,
    prefixed,
    save_checkpoint,
)
from defectseg.network.decoded import Decoded
from defectseg.network.patch import PatchParams, cut_patches
from defectseg.network.processes import count, mean_over_processes, rank, share_of
from defectseg.network.sampling import RatioSampler
from defectseg.overlay import overlay
from defectseg.pixels import TEXTURE_PLANES, standardize, to_images


class Prepare(Callback):
    """Turns each batch of stored pictures into network input; augments it while training."""

    order = -5

    def __init__(
        self, augments: AugmentParams, patch: PatchParams, sampler: RatioSampler, seed: int
    ) -> None:
        self._augments, self._patch = augments, patch
        self._sampler, self._seed = sampler, seed
        self._draw = torch.Generator()

    def before_train(self) -> None:
        """Draw anew each epoch, but the same in a resumed run as in an uninterrupted one."""
        self._sampler.epoch = self.epoch
        self._draw.manual_seed(self._seed * 1_000_003 + self.epoch)
        torch.manual_seed(self._seed * 1_000_003 + self.epoch)

    def before_batch(self) -> None:
        """Stored (B, S, S, C + 1) uint8 → input (B, C + 1, S, S) float32, or patches of it."""
        images, masks = to_images(self.xb[0]), self.yb[0]
        if self.training:
            images, masks = augment(images, masks, self._augments, self._draw)
        images = standardize(images)
        if self.training:
            images, masks = cut_patches(images, masks, self._patch, self._draw)
            images, masks = share_of(images), share_of(masks)
        images = images.contiguous(memory_format=torch.channels_last)
        self.learn.xb, self.learn.yb = (images,), (masks,)


class Bfloat16(Callback):
    """Runs the network in bfloat16 where that is safe; fastai's MixedPrecision knows only CUDA."""

    order = 10

    def before_batch(self) -> None:
        """Enter autocast before the forward pass."""
        device = next(self.model.parameters()).device.type
        self._autocast = ExitStack()
        self._autocast.enter_context(torch.autocast(device, dtype=torch.bfloat16))

    def after_pred(self) -> None:
        """Leave it after the forward pass: the loss is computed in float32."""
        self._autocast.close()
        self.learn.pred = self.pred.float()


class StopOnNaN(Callback):
    """Stops with advice as soon as the loss is no number."""

    order = 20

    def after_loss(self) -> None:
        """Raises: TrainingError: The loss is NaN or infinite."""
        if self.training and not torch.isfinite(self.loss):
            raise TrainingError(
                f"the loss became {self.loss.item()} in epoch {self.epoch}; "
                "lower train.learning_rate, set train.gradient_clip, "
                "or set train.precision to float32"
            )


class ValidScores(Callback):
    """Counts the confusion of the valid part in each epoch."""

    order = 30

    def __init__(self, classes: tuple[str, ...]) -> None:
        self._size, self._classes = 1 + len(classes), classes
        self.confusion = np.zeros((self._size, self._size), dtype=np.int64)

    def before_validate(self) -> None:
        """Count from zero."""
        self.confusion[:] = 0

    def after_pred(self) -> None:
        """Add one batch: logits (B, 1 + K, S, S) against masks (B, S, S)."""
        if not self.training:
            cells = self.y.cpu() * self._size + self.pred.argmax(1).cpu()
            counts = torch.bincount(cells.flatten(), minlength=self._size**2)
            self.confusion += counts.reshape(self._size, self._size).numpy()

    def scores(self) -> dict[str, float]:
        """Dice and IoU at the network's size; 0 where a class was neither there nor predicted."""
        pooled = {"dice": float(any_defect(self.confusion).dice), "iou_macro": self.iou_macro()}
        scores = pooled | iou_by_class(self.confusion, self._classes)
        return {name: 0.0 if np.isnan(value) else value for name, value in scores.items()}

    def iou_macro(self) -> float:
        """What the best epoch is chosen by."""
        return float(np.nan_to_num(iou_macro(self.confusion)))


Keep = Literal["best", "last"]  # which epoch's weights a training ends with


class Keeper(Callback):
    """Keeps the best weights, or the last, saves after each epoch, stops when nothing improves."""

    order = 60

    def __init__(
        self,
        scores: ValidScores,
        average: WeightAverage,
        progress: Progress,
        best: dict[str, Tensor],
        folder: Path,
        keep: Keep,
        patience: int,
    ) -> None:
        self._scores, self.progress, self.best = scores, progress, best
        self._average = average
        self._folder, self._keep, self._patience = folder, keep, patience

    def before_epoch(self) -> None:
        """Stop when `patience` epochs brought nothing; pass over what a resumed run has done."""
        self._new = self.epoch > self.progress.epoch
        waited = self.progress.epoch - self.progress.best_epoch
        if self._new and self._patience and waited >= self._patience:
            raise CancelFitException

    def before_train(self) -> None:
        """Average the loss of each epoch alone: a resumed run does not know the ones before."""
        self.recorder.smooth_loss.reset()

    def after_epoch(self) -> None:
        """Judge the epoch by its valid macro IoU; skipped epochs of a resumed run do not count."""
        if not self._new:
            return
        score = self._scores.iou_macro()
        if self._keep == "last" or score > self.progress.best_score:
            self.progress.best_epoch, self.progress.best_score = self.epoch, score
            self.best = {k: v.detach().cpu().clone() for k, v in self.model.state_dict().items()}
        self.progress.epoch = self.epoch
        self.progress.history.append(self._logged())
        if rank() == 0:
            self._save()

    def _logged(self) -> dict[str, float]:
        losses = dict(
            zip(("train_loss", "valid_loss"), map(float, self.recorder.log[1:3]), strict=True)
        )
        losses["train_loss"] = mean_over_processes(losses["train_loss"], self.loss.device)
        rate = float(self.opt.hypers[-1]["lr"])
        valid = {f"valid_{name}": value for name, value in self._scores.scores().items()}
        return {**losses, "learning_rate": rate, **valid}

    def _save(self) -> None:
        tensors = {
            **prefixed("network", self._average.weights()),
            **prefixed("average", self._average.average),
            **prefixed("best", self.best),
            **prefixed("optimizer", optimizer_tensors(self.opt.opt)),
        }
        save_checkpoint(self._folder, self.progress, tensors)


class EpochLog(Callback):
    """Writes each epoch with DVCLive, and its speed apart: no two runs take the same time."""

    order = 70

    def __init__(self, keeper: Keeper, live: Live, speed: Live, shown: Decoded) -> None:
        """Args: shown: the valid pictures that are drawn with truth and prediction, a few."""
        self._keeper, self._live, self._speed, self._shown = keeper, live, speed, shown
        for logged in keeper.progress.history:
            write_epoch(live, logged)

    def before_fit(self) -> None:
        """Draw what a resumed run had drawn: it may have no epoch left to draw after."""
        if self._keeper.progress.history:
            self.model.eval()
            self._draw_overlays()

    def before_train(self) -> None:
        """Start the clock."""
        self._start = time.perf_counter()
        self._pictures = 0

    def after_batch(self) -> None:
        """Count the pictures."""
        if self.training:
            self._pictures += len(self.y) * count()

    def after_train(self) -> None:
        """Stop the clock."""
        self._seconds = time.perf_counter() - self._start

    def after_epoch(self) -> None:
        """Write the epoch that the keeper has just judged."""
        if self._keeper.progress.epoch != self.epoch or not hasattr(self, "_seconds"):
            return
        self._draw_overlays()
        write_epoch(self._live, self._keeper.progress.history[-1])
        rate = self._pictures / max(self._seconds, 1e-9)
        write_epoch(self._speed, {"pictures_per_second": rate, "peak_memory_mb": peak_memory_mb()})

    def _draw_overlays(self) -> None:
        for index, tile in enumerate(self._shown.tiles.tiles):
            picture, true_mask = self._shown.pictures[index], self._shown.masks[index].numpy()
            image = to_images(picture[None])
            with torch.no_grad():
                logits = self.model(standardize(image).to(next(self.model.parameters()).device))
            pred_mask = logits[0].argmax(0).cpu().numpy().astype(np.uint8)
            seen = picture[..., :-TEXTURE_PLANES].numpy()
            pair = [overlay(seen, mask) for mask in (true_mask, pred_mask)]
            self._live.log_image(f"{tile.id}.png", np.concatenate(pair, axis=1))


def write_epoch(live: Live, logged: dict[str, float]) -> None:
    """Log one epoch's numbers as one step."""
    for name, value in logged.items():
        live.log_metric(name, value)
    live.next_step()


def peak_memory_mb() -> float:
    """The most memory that this process, or its CUDA device, ever held: MiB."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # Linux counts KiB, macOS bytes


class Bar(Callback):
    """One progress bar over all batches of the training."""

    order = 80

    def __init__(self, progress: Progress, batches: int, epochs: int) -> None:
        done = (progress.epoch + 1) * batches
        self._bar = tqdm(
            *(None, "train", epochs * batches), initial=done, unit="batch", disable=rank() > 0
        )
        self._progress = progress

    def after_batch(self) -> None:
        """Move on by one batch."""
        if self.training:
            self._bar.update()

    def after_epoch(self) -> None:
        """Show the valid macro IoU so far."""
        shown: dict[str, Any] = {
            "epoch": self.epoch,
            "best_iou": f"{self._progress.best_score:.3f}",
        }
        self._bar.set_postfix(shown)

    def after_fit(self) -> None:
        """Leave the bar."""
        self._bar.close()
