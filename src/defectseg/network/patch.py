"""A batch of pictures in, a patch of each out: a step then costs less, at the same fineness.

Shapes: N images, C channels, S × S network size, P × P patch.
"""

import torch
from pydantic import Field
from torch import Tensor

from defectseg.network.unet import Side
from defectseg.params import Section


class PatchParams(Section):
    """params.yaml: train.patch."""

    size: Side | None
    on_defect: float = Field(ge=0, le=1)


def cut_patches(
    images: Tensor, masks: Tensor, params: PatchParams, draw: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Cut a random patch of each picture, often one that shows a part of its defect.

    Left to chance, most patches of a picture with a small defect would be clean. nnU-Net does so
    too: Isensee et al., "nnU-Net: a self-configuring method …", Nature Methods, 2021.

    Args:
        images: (N, C, S, S); standardized, so that a patch is as bright as in its whole picture.
        masks: (N, S, S) int64 in 0..K.
        draw: On the CPU, so that every device draws the same.

    Returns:
        (N, C, P, P) and (N, P, P); what came in where no size is asked for.
    """
    if params.size is None:
        return images, masks
    count, side, size = len(masks), masks.shape[-1], params.size
    drawn = torch.rand(count, 6, generator=draw).to(masks.device)
    pixel, has_defect = defect_pixels(masks, drawn[:, 0])
    around = pixel - (drawn[:, 1:3] * size).long()
    anywhere = (drawn[:, 3:5] * (side - size + 1)).long()
    wanted = has_defect & (drawn[:, 5] < params.on_defect)
    corner = torch.where(wanted[:, None], around, anywhere).clamp(0, side - size)
    reach = torch.arange(size, device=masks.device)
    rows = (corner[:, :1] + reach)[:, :, None]
    columns = (corner[:, 1:] + reach)[:, None, :]
    which = torch.arange(count, device=masks.device)[:, None, None]
    return images[which, :, rows, columns].permute(0, 3, 1, 2), masks[which, rows, columns]


def defect_pixels(masks: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column (N, 2) of a random defect pixel of each mask, and whether it has one (N,).

    Args:
        masks: (N, S, S) in 0..K.
        drawn: (N,) in [0, 1): each pixel of a defect is as likely as any other.
    """
    found = (masks > 0).flatten(1).cumsum(1)
    total = found[:, -1]
    place = torch.searchsorted(found, (drawn * total).long()[:, None] + 1)[:, 0]
    side = masks.shape[-1]
    return torch.stack([place // side, place % side], dim=1), total > 0
