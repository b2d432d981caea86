"""A picture in, what the model says about it out: probabilities, defects and a verdict.

Shapes: H rows, W columns, C channels, K defect classes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from defectseg.errors import ModelOutputError
from defectseg.inference.defects import Defect, find_defects
from defectseg.inference.engine import Engine
from defectseg.inference.operating_point import OperatingPoint, Verdict


@dataclass(frozen=True)
class Prediction:
    """What the model says about one image, at that image's own size."""

    probability: npt.NDArray[np.float32]  # (1 + K, H, W) in [0, 1], sums to 1 over the first axis
    defect: npt.NDArray[np.float32]  # (H, W) in [0, 1]: the probability of a defect of any kind
    mask: npt.NDArray[np.uint8]  # (H, W) in 0..K: the pixels of the defects
    defects: tuple[Defect, ...]  # the surest first; empty exactly where the verdict is accept
    verdict: Verdict

    @property
    def score(self) -> float:
        """The score of the surest defect; 0 where there is none."""
        return self.defects[0].score if self.defects else 0.0


def predict(engine: Engine, picture: npt.NDArray[np.uint8], point: OperatingPoint) -> Prediction:
    """Predict one picture (H, W, C) in 0..255 at its own size.

    Raises:
        ModelOutputError: A probability is no number.
    """
    output = engine.run(picture[None])
    return judge(output.probability[0], output.mask[0], point)


def judge(
    probability: npt.NDArray[np.float32], mask: npt.NDArray[np.uint8], point: OperatingPoint
) -> Prediction:
    """What an engine said about one picture → its defects and verdict.

    Args:
        probability: (1 + K, H, W) in [0, 1].
        mask: (H, W) in 0..K, by the thresholds of the same operating point.

    Raises:
        ModelOutputError: A probability is no number.
    """
    defect = defect_probability(probability)
    if not np.isfinite(probability[0].sum(dtype=np.float64)):
        raise ModelOutputError(
            "the model gave a probability that is no number; the model file may be damaged, or "
            "its precision too low for this picture"
        )
    defects, kept = find_defects(probability, defect, mask, point)
    score = defects[0].score if defects else 0.0
    verdict = point.verdict(score) if defects else "accept"
    return Prediction(probability, defect, kept, defects, verdict)


def defect_probability(probability: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How likely each pixel is a defect of any kind: (1 + K, H, W) → (H, W) in [0, 1]."""
    defect: npt.NDArray[np.float32] = np.float32(1) - probability[0]
    np.clip(defect, np.float32(0), np.float32(1), out=defect)
    return defect


def likeliest_kind(probability: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """The likeliest defect class of each pixel, likely or not: (1 + K, H, W) → (H, W) in 1..K."""
    return np.asarray(1 + probability[1:].argmax(axis=0), dtype=np.uint8)
