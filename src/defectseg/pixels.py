"""The only way into and out of the network: pictures → input; logits → probabilities at (H, W).

Training, evaluation and the exported graph all run these functions, so they cannot differ.
Shapes: N pictures, C channels, H × W picture size, S × S network size, K defect classes.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

CONTRAST_FLOOR = 0.02  # of full scale: a flat picture stays flat instead of becoming loud noise
TEXTURE_PLANES = 1  # the network sees C + 1 planes
TEXTURE_SIDE = 7  # pixels of the picture: the neighbourhood of a spot
TEXTURE_GAIN = 4.0  # brings a strong grinding mark near full scale
DARK = 0.1  # of full scale: keeps the noise of dark pictures from becoming texture


def to_input(pictures: Tensor, image_size: int) -> Tensor:
    """uint8 pictures (N, H, W, C) → float32 input (N, C + 1, S, S), each plane of mean 0.

    The aspect ratio is not kept: every picture fills the square, and costs the same.
    """
    return standardize(to_planes(pictures, image_size))


def to_planes(pictures: Tensor, image_size: int) -> Tensor:
    """uint8 pictures (N, H, W, C) → float32 planes (N, C + 1, S, S) in [0, 1].

    The last plane is the texture: how much each spot differs from its neighbours at the picture's
    own resolution. Shrinking averages grinding marks away, but not the measure of their strength.
    """
    images = to_images(pictures)
    grey = images.mean(dim=1, keepdim=True)
    around = avg_pool2d(grey, TEXTURE_SIDE, 1, TEXTURE_SIDE // 2, count_include_pad=False)
    texture = TEXTURE_GAIN * (grey - around).abs() / (around + DARK)
    planes = torch.cat([images, texture.clamp(0.0, 1.0)], dim=1)
    return resize(planes, (image_size, image_size))


def to_images(pixels: Tensor) -> Tensor:
    """uint8 pictures or stored planes (N, H, W, C) in 0..255 → float32 (N, C, H, W) in [0, 1]."""
    return pixels.permute(0, 3, 1, 2).float() / 255.0


def standardize(planes: Tensor) -> Tensor:
    """Take the mean and the contrast of each plane away, so that exposure does not matter.

    Args:
        planes: (N, C + 1, S, S) float in [0, 1].
    """
    centred = planes - planes.mean(dim=(2, 3), keepdim=True)
    deviation = centred.square().mean(dim=(2, 3), keepdim=True).sqrt()
    return centred / (deviation + CONTRAST_FLOOR)


def to_probability(logits: Tensor, height: int, width: int) -> Tensor:
    """Logits (N, 1 + K, S, S) → probabilities (N, 1 + K, H, W) in [0, 1], of sum 1 over axis 1."""
    return resize(torch.softmax(logits.float(), dim=1), (height, width))


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (N, C, H, W) bilinearly; antialiased, else a thin crack would fall between samples."""
    return interpolate(images, size=size, mode="bilinear", antialias=True, align_corners=False)
