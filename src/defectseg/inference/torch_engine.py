"""The torch engine: pictures in, probabilities out, by the modules that training used."""

import numpy as np
import numpy.typing as npt
import torch

from defectseg.pixels import to_input, to_probability


class TorchEngine:
    """Runs a Unet with the pixel path around it."""

    def __init__(self, network: torch.nn.Module, image_size: int, device: torch.device) -> None:
        self._network = network.to(device).eval()
        self._image_size = image_size
        self._device = device

    def run(self, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """See `Engine.run`."""
        with torch.inference_mode():
            batch = torch.from_numpy(np.array(pictures)).to(self._device)
            logits = self._network(to_input(batch, self._image_size))
            return to_probability(logits, *pictures.shape[1:3]).cpu().numpy()
