"""Raw pictures in, probabilities at their own size out: one signature for all that can do it."""

from typing import Protocol

import numpy as np
import numpy.typing as npt


class Engine(Protocol):
    """Runs the pixel path and the network."""

    def run(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Pictures (N, H, W, C) in 0..255 → probabilities (N, 1 + K, H, W) in [0, 1]."""
