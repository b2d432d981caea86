"""A network in, the same network that also looks at the mirror images out."""

import torch
from torch import Tensor, nn

AXES: tuple[tuple[int, ...], ...] = ((), (2,), (3,), (2, 3))  # rows, columns, both


class MirroredMean(nn.Module):
    """The mean logits of a picture and its three mirror images: four times the work."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """(N, C + 1, S, S) → logits (N, 1 + K, S, S)."""
        seen = [torch.flip(self.network(torch.flip(images, axes)), axes) for axes in AXES]
        return torch.stack(seen).mean(dim=0)
