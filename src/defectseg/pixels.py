"""The only way into and out of the network: pictures → input; logits → probabilities at (H, W).

Training, evaluation and the exported graph all run these functions, so they cannot differ. They use
only operations that every engine computes alike: docs/performance.md has what each of them costs.
Shapes: N pictures, C channels, H × W picture size, S × S network size, K defect classes.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

CONTRAST_FLOOR = 0.02  # of full scale: a flat picture stays flat instead of becoming loud noise
TEXTURE_PLANES = 1  # the network sees C + 1 planes
TEXTURE_REACH = 3  # pixels of the picture: the neighbourhood of a spot is 7 × 7
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
    around = mean_around(grey)
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


def to_probability(logits: Tensor, height: int, width: int, temperature: float = 1.0) -> Tensor:
    """Logits (N, 1 + K, S, S) → probabilities (N, 1 + K, H, W) in [0, 1], of sum 1 over axis 1.

    Args:
        temperature: Above 1 makes the probabilities less sure; see `evaluation.calibration`.
    """
    scaled = logits.float() / temperature
    weights = (scaled - scaled.amax(dim=1, keepdim=True)).exp()
    return resize(weights / weights.sum(dim=1, keepdim=True), (height, width))


def to_mask(probability: Tensor, thresholds: Sequence[float]) -> Tensor:
    """Probabilities (N, 1 + K, H, W) → class indices (N, H, W) uint8 in 0..K.

    A pixel has its likeliest defect class, of equals the first, where the probability of a defect
    of any kind, 1 - background, reaches the threshold of that class; else it is background.

    Args:
        thresholds: K numbers in [0, 1].
    """
    likeliest = probability[:, 1]
    kind = torch.ones_like(likeliest, dtype=torch.uint8)
    threshold = torch.full_like(likeliest, thresholds[0])
    for index, at in enumerate(thresholds[1:], start=2):  # argmax costs six times as much
        is_likelier = probability[:, index] > likeliest
        likeliest = torch.maximum(likeliest, probability[:, index])
        kind = kind.masked_fill(is_likelier, index)
        threshold = threshold.masked_fill(is_likelier, at)
    return kind.masked_fill(1.0 - probability[:, 0] < threshold, 0)


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (N, C, H, W) bilinearly; antialiased, else a thin crack would fall between samples.

    The same as `interpolate(…, antialias=True)`, as two matrix products: OpenVINO's Resize ignores
    the antialias flag, and every engine multiplies matrices alike and fast.
    """
    rows, columns = resampling(images.shape[2], size[0]), resampling(images.shape[3], size[1])
    return rows.to(images.device) @ images @ columns.to(images.device).T


def resampling(size_in: int, size_out: int) -> Tensor:
    """The weights (out, in) of every old pixel in every new one; each row sums to 1.

    A triangle around the middle of the new pixel, as wide as that pixel, at least one old pixel.
    """
    scale = size_in / torch.full((), size_out, dtype=torch.float32)  # old pixels in a new one
    middle = (torch.arange(size_out) + 0.5) * scale
    distance = (torch.arange(size_in) + 0.5 - middle[:, None]).abs()
    weights = (1.0 - distance / scale.clamp(min=1.0)).clamp(min=0.0)
    return weights / weights.sum(dim=1, keepdim=True)


def mean_around(images: Tensor) -> Tensor:
    """The mean of the 7 × 7 pixels around each, of those that exist: (N, C, H, W) → the same.

    Sums of shifted pictures: avg_pool2d of one channel costs six times as much in ONNX Runtime and
    twenty times as much in torch.
    """
    counts = _count_around(images.shape[2])[:, None] * _count_around(images.shape[3])
    return _sum_around(_sum_around(images, 3), 2) / counts.to(images.device)


def _sum_around(images: Tensor, axis: int) -> Tensor:
    """The sum of 7 neighbours along one axis, by four additions."""
    length, reach = images.shape[axis], TEXTURE_REACH
    edges = (reach, reach) if axis == 3 else (0, 0, reach, reach)
    padded = pad(images, edges)
    pairs = padded.narrow(axis, 0, length + 5) + padded.narrow(axis, 1, length + 5)
    fours = pairs.narrow(axis, 0, length) + pairs.narrow(axis, 2, length)
    return fours + pairs.narrow(axis, 4, length) + padded.narrow(axis, 6, length)


def _count_around(length: int) -> Tensor:
    """How many of the 7 neighbours along an axis exist: 4 at both ends, 7 in the middle."""
    before = torch.arange(length)
    after = length - 1 - before
    return (before.clamp(max=TEXTURE_REACH) + after.clamp(max=TEXTURE_REACH) + 1).float()
