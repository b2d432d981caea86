"""A network in, the same network that computes each picture once out.

Scoring looks at a valid picture five times and at a test picture twice, for other thresholds.
"""

import hashlib

from torch import Tensor, nn


class Remembered(nn.Module):
    """Keeps all logits in memory: at 256 px and 5 classes 1.6 MB a picture."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._logits: dict[bytes, Tensor] = {}

    def forward(self, images: Tensor) -> Tensor:
        """(N, C + 1, S, S) → logits (N, 1 + K, S, S)."""
        key = hashlib.sha256(images.cpu().numpy().tobytes()).digest()
        if key not in self._logits:
            self._logits[key] = self.network(images)
        return self._logits[key]
