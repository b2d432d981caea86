"""Logits of the valid part in, the temperature that makes the probabilities honest out.

Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017.
N pictures, K defect classes, S × S network size, P pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax
from tqdm import tqdm

from defectseg.data.tile import TileSet
from defectseg.evaluation.pixel_counts import PixelCounts, calibration_error, reliability
from defectseg.inference.predictor import defect_probability, likeliest_kind

PIXELS = 2_000_000  # at most so many of the part are looked at: memory does not grow with it
RANGE = (-3.0, 3.0)  # of the logarithm of the temperature: 0.05 to 20

Logits = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Calibration:
    """How honest the probabilities are, on pixels drawn at network size."""

    temperature: float
    error_before: float  # expected calibration error with the temperature 1; NaN without pixels
    error_after: float


def calibrate(logits_of: Logits, valid: TileSet, channels: int, seed: int) -> Calibration:
    """Find the temperature with the lowest cross-entropy on the pixels of a part.

    Args:
        logits_of: Pictures (N, H, W, C) → logits (N, 1 + K, S, S).
    """
    logits, truth = draw_pixels(logits_of, valid, channels, seed)
    temperature = fit_temperature(logits, truth)
    errors = [measure_error(logits / each, truth) for each in (1.0, temperature)]
    return Calibration(temperature, *errors)


def fit_temperature(logits: npt.NDArray[np.float64], truth: npt.NDArray[np.int64]) -> float:
    """The temperature for logits (P, 1 + K) and true classes (P,); 1 where nothing is better."""

    def cross_entropy(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        right = np.take_along_axis(scaled, truth[:, None], axis=1)[:, 0]
        return float((logsumexp(scaled, axis=1) - right).mean())

    if not len(truth):
        return 1.0
    found = minimize_scalar(cross_entropy, bounds=RANGE, method="bounded")
    return round(float(np.exp(found.x)), 4) if found.fun < cross_entropy(0.0) else 1.0


def measure_error(logits: npt.NDArray[np.float64], truth: npt.NDArray[np.int64]) -> float:
    """The expected calibration error of logits (P, 1 + K) for true classes (P,)."""
    probability = softmax(logits, axis=1).astype(np.float32).T
    pixels = PixelCounts(len(probability) - 1)
    pixels.add(defect_probability(probability), likeliest_kind(probability), truth.astype(np.uint8))
    return calibration_error(reliability(pixels))


def draw_pixels(
    logits_of: Logits, part: TileSet, channels: int, seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Logits (P, 1 + K) and true classes (P,) of pixels drawn at network size, as many a tile."""
    draw = np.random.default_rng(seed)
    each = max(1, PIXELS // max(1, len(part.tiles)))
    logits, truth = [np.zeros((0, 1 + len(part.classes)))], [np.zeros(0, dtype=np.int64)]
    for tile in tqdm(part.tiles, desc="calibration", unit="picture"):
        values = logits_of(part.picture(tile, channels)[None])[0]
        flat = values.reshape(len(values), -1)
        chosen = draw.choice(flat.shape[1], min(each, flat.shape[1]), replace=False)
        logits.append(flat[:, chosen].T.astype(float))
        small = _shrink(part.mask(tile), values.shape[1:])
        truth.append(small.ravel()[chosen].astype(np.int64))
    return np.concatenate(logits), np.concatenate(truth)


def _shrink(mask: npt.NDArray[np.uint8], size: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """The mask (H, W) at (S, S), by the pixel in the middle, as training sees it."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int)
        for new, old in zip(size, mask.shape, strict=True)
    )
    return mask[np.ix_(rows, columns)]
