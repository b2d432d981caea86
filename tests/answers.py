"""Tiles whose pictures hold the answer, and an engine that reads it off: known probabilities.

Classes are `crack` (1) and `blowhole` (2), as in tiny.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from conftest import mask, save_array
from defectseg.data.tile import TileSet, write_manifest
from defectseg.inference.engine import Output
from defectseg.inference.operating_point import OperatingPoint, neutral_point
from defectseg.network.unet import ModelInfo
from defectseg.pixels import to_mask
from tiny import CLASSES, model_info, network_params, tile


class ColourEngine:
    """Green / 255 is the probability of class 1, blue / 255 that of class 2."""

    def __init__(self, thresholds: Sequence[float] = (0.5, 0.5)) -> None:
        self._thresholds = thresholds

    def at(self, point: OperatingPoint) -> "ColourEngine":
        """The same engine with the thresholds of a point; its temperature changes nothing."""
        return ColourEngine(point.thresholds)

    def logits(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Logits (N, 1 + K, H, W) whose softmax is nearly the probability."""
        return np.log(np.maximum(self.run(pictures).probability, np.float32(1e-3)))

    def run(self, pictures: npt.NDArray[np.uint8]) -> Output:
        """See `Engine.run`; pictures (N, H, W, 3)."""
        defects = pictures[..., 1:].astype(np.float32).transpose(0, 3, 1, 2) / np.float32(255)
        background = 1 - defects.sum(axis=1, keepdims=True)
        probability = np.concatenate([background, defects], axis=1)
        mask = to_mask(torch.from_numpy(probability), self._thresholds)
        return Output(probability, mask.numpy())


@dataclass(frozen=True)
class Answer:
    """One tile, and what the engine will say about it."""

    id: str
    defect_class: str
    surface: str
    truth: str  # the true mask as drawn
    said: str  # the classes as drawn that the engine finds
    grey: int = 255  # … each with the probability grey / 255


def write_answers(folder: Path, answers: Iterable[Answer]) -> TileSet:
    """Write a tile for each answer."""
    tiles = []
    for answer in answers:
        save_array(folder / f"{answer.id}.png", paint(answer))
        save_array(folder / f"{answer.id}_mask.png", mask(answer.truth))
        row = tile(answer.id, answer.defect_class, answer.surface)
        files = {"image": f"{answer.id}.png", "mask": f"{answer.id}_mask.png"}
        tiles.append(type(row)(**{**vars(row), **files}))
    return write_manifest(folder, CLASSES, tiles)


def paint(answer: Answer) -> npt.NDArray[np.uint8]:
    """The picture (H, W, 3) that makes the engine say so."""
    said = mask(answer.said)
    planes = [np.zeros_like(said), said == 1, said == 2]
    return np.stack([plane * np.uint8(answer.grey) for plane in planes], axis=2)


def colour_model() -> ModelInfo:
    """What stands beside the weights of a model of colour pictures."""
    return model_info(network=network_params(in_channels=3))


def answer_point(**changes: Any) -> OperatingPoint:
    """Every pixel that is likelier a defect than not, with some of it changed."""
    return neutral_point(CLASSES).model_copy(update=changes)
