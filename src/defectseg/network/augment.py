"""A batch of images and masks in, the same batch as another camera might have seen it out.

Shapes: N images, C channels, S × S network size.
"""

import math

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from defectseg.network.paste import paste
from defectseg.params import Section
from defectseg.pixels import TEXTURE_PLANES


class AugmentParams(Section):
    """params.yaml: train.augment."""

    flip_horizontal: bool
    flip_vertical: bool
    rotation_degrees: float = Field(ge=0, le=180)
    smallest_crop: float = Field(gt=0, le=1)
    gamma: float = Field(ge=0, le=2)
    gradient: float = Field(ge=0, le=1)
    noise: float = Field(ge=0, le=0.5)
    paste: float = Field(ge=0, le=1)
    paste_largest: float = Field(gt=0, le=1)


def augment(
    images: Tensor, masks: Tensor, params: AugmentParams, draw: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Paste defects, then flip, turn, crop and expose each image by its own random amounts.

    Args:
        images: (N, C + 1, S, S) float in [0, 1]; light does not change the last, the texture.
        masks: (N, S, S) int64 in 0..K; they follow the geometry, by nearest neighbour.
        draw: On the CPU. An accelerator draws the noise itself, from a seed of this one.
    """
    if params.paste:
        images, masks = paste(images, masks, params.paste, params.paste_largest, draw)
    images, masks = move(images, masks, random_geometry(len(images), params, draw))
    seen, texture = images[:, :-TEXTURE_PLANES], images[:, -TEXTURE_PLANES:]
    return torch.cat([expose(seen, params, draw), texture], dim=1), masks


def random_geometry(count: int, params: AugmentParams, draw: torch.Generator) -> Tensor:
    """Affine maps (N, 2, 3) from the new picture's coordinates in [-1, 1] to the old one's."""
    angle = (uniform(count, draw) * 2 - 1) * math.radians(params.rotation_degrees)
    crop = 1 - uniform(count, draw) * (1 - params.smallest_crop)
    flip_x = 1 - 2.0 * ((uniform(count, draw) < 0.5) & params.flip_horizontal)
    flip_y = 1 - 2.0 * ((uniform(count, draw) < 0.5) & params.flip_vertical)
    shift = (torch.rand(count, 2, generator=draw) * 2 - 1) * (1 - crop)[:, None]
    cos, sin = torch.cos(angle) * crop, torch.sin(angle) * crop
    turn = torch.stack([cos * flip_x, -sin * flip_y, sin * flip_x, cos * flip_y], dim=1)
    return torch.cat([turn.view(-1, 2, 2), shift[:, :, None]], dim=2)


def move(images: Tensor, masks: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Apply affine maps to images (bilinear) and masks (nearest); what lies outside is mirrored."""
    grid = affine_grid(maps.to(images.device), list(images.shape), align_corners=False)
    moved = grid_sample(images, grid, "bilinear", "reflection", align_corners=False)
    planes = masks[:, None].to(images.dtype)
    moved_masks = grid_sample(planes, grid, "nearest", "reflection", align_corners=False)
    return moved, moved_masks[:, 0].round().long()


def expose(images: Tensor, params: AugmentParams, draw: torch.Generator) -> Tensor:
    """Change gamma, lay a linear light gradient over it, add sensor noise: stays in [0, 1].

    Gain and offset are left out: `pixels.standardize` takes them away again.
    """
    count, side = len(images), images.shape[-1]
    gamma = torch.exp((uniform(count, draw) * 2 - 1) * params.gamma)
    slope = (torch.rand(count, 2, generator=draw) * 2 - 1) * params.gradient
    axis = torch.linspace(-1, 1, side)
    light = 1 + slope[:, 0, None, None] * axis[:, None] + slope[:, 1, None, None] * axis[None, :]
    device = images.device
    noise = normal_like(images, draw)
    noise = noise * params.noise * uniform(count, draw)[:, None, None, None].to(device)
    bent = images.clamp(1e-4, 1) ** gamma.to(device)[:, None, None, None]
    return (bent * light.to(device)[:, None] + noise).clamp(0, 1)


def normal_like(images: Tensor, draw: torch.Generator) -> Tensor:
    """Normal numbers of the shape of images, drawn where they are: on CPUs by `draw` itself."""
    device = images.device
    if device.type != "cpu":
        seed = int(torch.randint(2**62, (1,), generator=draw))
        draw = torch.Generator(device).manual_seed(seed)
    return torch.randn(images.shape, generator=draw, device=device)


def uniform(count: int, draw: torch.Generator) -> Tensor:
    """(N,) in [0, 1)."""
    return torch.rand(count, generator=draw)
