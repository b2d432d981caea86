"""A picture in, what the model says about it out: probabilities, a mask and one score.

Shapes: H rows, W columns, C channels, K defect classes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from defectseg.inference.engine import Engine


@dataclass(frozen=True)
class Prediction:
    """What the model says about one image, at that image's own size."""

    probability: npt.NDArray[np.float32]  # (1 + K, H, W) in [0, 1], sums to 1 over the first axis
    defect: npt.NDArray[np.float32]  # (H, W) in [0, 1]: the probability of a defect of any kind
    kind: npt.NDArray[np.uint8]  # (H, W) in 1..K: the likeliest defect class
    mask: npt.NDArray[np.uint8]  # (H, W) in 0..K
    score: float  # the highest defect probability of any pixel, in [0, 1]


def predict(engine: Engine, picture: npt.NDArray[np.uint8], threshold: float) -> Prediction:
    """Predict one picture (H, W, C) in 0..255 at its own size."""
    probability = engine.run(picture[None])[0]
    defect, kind = defect_probability(probability), likeliest_kind(probability)
    mask = mask_of(defect, kind, threshold)
    return Prediction(probability, defect, kind, mask, float(defect.max()))


def defect_probability(probability: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How likely each pixel is a defect of any kind: (1 + K, H, W) → (H, W) in [0, 1]."""
    return np.asarray(np.clip(np.float32(1.0) - probability[0], 0.0, 1.0), dtype=np.float32)


def likeliest_kind(probability: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """The likeliest defect class of each pixel, likely or not: (1 + K, H, W) → (H, W) in 1..K."""
    return np.asarray(1 + probability[1:].argmax(axis=0), dtype=np.uint8)


def mask_of(
    defect: npt.NDArray[np.float32], kind: npt.NDArray[np.uint8], threshold: float
) -> npt.NDArray[np.uint8]:
    """The kind (H, W) where a defect is at least as likely as the threshold, else 0."""
    return np.where(defect >= threshold, kind, 0).astype(np.uint8, copy=False)


def to_mask(probability: npt.NDArray[np.float32], threshold: float) -> npt.NDArray[np.uint8]:
    """Probabilities (1 + K, H, W) → the mask (H, W) in 0..K at a threshold."""
    return mask_of(defect_probability(probability), likeliest_kind(probability), threshold)
