"""Raw pictures in, probabilities and masks at their own size out: one signature for all engines."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Output:
    """What a graph says about N pictures of one size."""

    probability: npt.NDArray[np.float32]  # (N, 1 + K, H, W) in [0, 1], sums to 1 over axis 1
    mask: npt.NDArray[np.uint8]  # (N, H, W) in 0..K, by the thresholds inside the model


class Engine(Protocol):
    """Runs the pixel path, the network and the thresholds."""

    def run(self, pictures: npt.NDArray[np.uint8]) -> Output:
        """Pictures (N, H, W, C) in 0..255 → probabilities and masks at the same size."""
