"""The torch engine: pictures in, probabilities and masks out, by the modules that training used."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from defectseg.inference.engine import Output
from defectseg.inference.operating_point import OperatingPoint
from defectseg.pixels import to_input, to_mask, to_probability


class Segmenter(nn.Module):
    """A Unet with the pixel path before it and the operating point behind: what is exported."""

    def __init__(self, network: nn.Module, image_size: int, point: OperatingPoint) -> None:
        super().__init__()
        self.network = network
        self._image_size = image_size
        self._temperature = point.temperature
        self._thresholds = point.thresholds

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (N, H, W, C) uint8 → probability (N, 1 + K, H, W) and mask (N, H, W) uint8."""
        height, width = pictures.shape[1], pictures.shape[2]
        probability = to_probability(self.logits(pictures), height, width, self._temperature)
        return probability, to_mask(probability, self._thresholds)

    def logits(self, pictures: Tensor) -> Tensor:
        """Pictures (N, H, W, C) uint8 → logits (N, 1 + K, S, S), before the temperature."""
        logits: Tensor = self.network(to_input(pictures, self._image_size))
        return logits


class TorchEngine:
    """Runs a `Segmenter` on any device."""

    def __init__(
        self, network: nn.Module, image_size: int, point: OperatingPoint, device: torch.device
    ) -> None:
        self._segmenter = Segmenter(network, image_size, point).to(device).eval()
        self._image_size = image_size
        self._device = device

    def at(self, point: OperatingPoint) -> "TorchEngine":
        """The same network with another operating point."""
        return TorchEngine(self._segmenter.network, self._image_size, point, self._device)

    def run(self, pictures: npt.NDArray[np.uint8]) -> Output:
        """See `Engine.run`."""
        with torch.inference_mode():
            probability, mask = self._segmenter(self._batch(pictures))
            return Output(probability.cpu().numpy(), mask.cpu().numpy())

    def logits(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Pictures (N, H, W, C) → logits (N, 1 + K, S, S), before the temperature."""
        with torch.inference_mode():
            logits: Tensor = self._segmenter.logits(self._batch(pictures))
            return logits.float().cpu().numpy()

    def _batch(self, pictures: npt.NDArray[np.uint8]) -> Tensor:
        return torch.from_numpy(np.array(pictures)).to(self._device)
