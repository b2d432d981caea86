"""A batch in, the same batch with defects copied onto some of its clean pictures out.

A defect that is seen on one surface only is learnt with that surface; on others it is learnt alone.
Ghiasi et al., "Simple copy-paste is a strong data augmentation method", 2021.
Shapes: N images, C channels, S × S network size.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from defectseg.pixels import TEXTURE_PLANES

NEAR, FAR = (
    2,
    6,
)  # pixels around a defect: between them its light is compared with the new picture's
SOFT = 1  # pixels over which the seam fades
DIMMEST, BRIGHTEST = 0.5, 2.0  # a copy is not relit by more


def paste(
    images: Tensor, masks: Tensor, share: float, largest: float, draw: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Copy the defects of random pictures of the batch onto a share of its clean ones.

    Each copy is mirrored at random and relit to the brightness of its new place.

    Args:
        images: (N, C + 1, S, S) float in [0, 1]; the last plane is the texture.
        masks: (N, S, S) int64 in 0..K.
        share: Of the clean pictures, 0..1, that get a defect.
        largest: Share of a picture, 0..1, that a defect may cover to be copied.
        draw: On the CPU, so that every device draws the same.
    """
    cover = (masks > 0).float().mean(dim=(1, 2))
    donors = torch.nonzero((cover > 0) & (cover <= largest)).flatten().cpu()
    clean = torch.nonzero(cover == 0).flatten().cpu()
    drawn = torch.rand(len(clean), 4, generator=draw)  # the same number whatever comes of it
    if not len(donors):
        return images, masks
    images, masks = images.clone(), masks.clone()
    for place, (chance, which, across, down) in zip(clean.tolist(), drawn.tolist(), strict=True):
        if chance < share:
            donor = int(donors[int(which * len(donors))])
            axes = [axis for axis, toss in ((1, down), (2, across)) if toss < 0.5]
            image, mask = images[donor].flip(axes), masks[donor].flip([axis - 1 for axis in axes])
            images[place] = blend(images[place], image, mask > 0)
            masks[place] = mask
    return images, masks


def blend(target: Tensor, source: Tensor, where: Tensor) -> Tensor:
    """Lay what `where` (S, S) marks of a source over a target, both (C + 1, S, S) in [0, 1]."""
    near, far = grow(where, NEAR), grow(where, FAR)
    ring = (far - near)[0]
    weight = ring.sum().clamp_min(1.0)
    was, becomes = ((image * ring).sum(dim=(1, 2)) / weight for image in (source, target))
    gain = (becomes / was.clamp_min(1e-3)).clamp(DIMMEST, BRIGHTEST)
    gain[-TEXTURE_PLANES:] = 1.0  # the texture is measured against the light already
    lit = (source * gain[:, None, None]).clamp(0, 1)
    soft = avg_pool2d(grow(where, SOFT), 2 * SOFT + 1, 1, SOFT)
    return target * (1 - soft) + lit * soft


def grow(where: Tensor, pixels: int) -> Tensor:
    """A boolean mask (S, S) made larger by some pixels on every side: (1, S, S) float in 0..1."""
    return max_pool2d(where.float()[None], 2 * pixels + 1, 1, pixels)
