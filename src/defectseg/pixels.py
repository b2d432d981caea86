"""The only way into and out of the network: pictures → input; logits → probabilities at (H, W).

Training, evaluation and the exported graph all run these functions, so they cannot differ.
Shapes: N pictures, C channels, H × W picture size, S × S network size, K defect classes.
"""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

CONTRAST_FLOOR = 0.02  # of full scale: a flat picture stays flat instead of becoming loud noise


def to_input(pictures: Tensor, image_size: int) -> Tensor:
    """uint8 pictures (N, H, W, C) → float32 input (N, C, S, S), of mean 0 and deviation about 1.

    The aspect ratio is not kept: every picture fills the square, and costs the same.
    """
    return standardize(to_square(pictures, image_size))


def to_square(pictures: Tensor, image_size: int) -> Tensor:
    """uint8 pictures (N, H, W, C) → float32 images (N, C, S, S) in [0, 1]."""
    return resize(pictures.permute(0, 3, 1, 2).float() / 255.0, (image_size, image_size))


def standardize(images: Tensor) -> Tensor:
    """Take each picture's own mean and contrast away, so that exposure does not matter.

    Args:
        images: (N, C, S, S) float in [0, 1].
    """
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    centred = images - mean
    deviation = centred.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return centred / (deviation + CONTRAST_FLOOR)


def to_probability(logits: Tensor, height: int, width: int) -> Tensor:
    """Logits (N, 1 + K, S, S) → probabilities (N, 1 + K, H, W) in [0, 1], of sum 1 over axis 1."""
    return resize(torch.softmax(logits.float(), dim=1), (height, width))


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (N, C, H, W) bilinearly; antialiased, else a thin crack would fall between samples."""
    return interpolate(images, size=size, mode="bilinear", antialias=True, align_corners=False)
