"""A clean tile in, the same tile with a defect drawn on it and the defect's mask out.

Sizes and contrasts were measured on the real magnetic tiles of Huang, Qiu and Yuan, "Surface defect
saliency of magnetic tile" (The Visual Computer, 2018).
Shapes: H rows, W columns, margin included. Shares are of the nominal frame, without the margin.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from defectseg.data.synthetic.shapes import (
    Patch,
    Points,
    Shape,
    cover,
    draw_noise,
    outline_blob,
    outline_chip,
    outline_ribbon,
    rim_of,
    slope_of,
    wander,
)
from defectseg.data.synthetic.surface import MARGIN, Canvas, draw_grinding

Mask = npt.NDArray[np.uint8]  # (H, W), 255 inside the defect, anti-aliased at its edge


def draw_blowhole(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A small dark pit, deepest off its centre, with a lit rim."""
    area = draw_area(rng, canvas, median=0.0012, spread=0.7, low=0.0004, high=0.008)
    centre = draw_place(rng, canvas, 12 + np.sqrt(area))
    stretch = rng.uniform(0.6, 1.8)
    pit = cover(canvas.shape, [outline_blob(rng, centre, area, stretch, roughness=0.35)])
    depth = np.float32(rng.uniform(0.35, 0.75))
    shade = 0.6 + 0.4 * slope_of(rng, pit.cover)
    canvas.light[pit.box] += 0.2 * rim_of(pit.cover) * slope_of(rng, pit.cover)
    canvas.light[pit.box] -= depth * pit.cover * (0.8 + 0.4 * shade)
    canvas.texture[pit.box] *= 1 - 0.5 * pit.cover
    return to_mask(canvas.shape, [pit])


def draw_crack(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A thin dark wandering line, most often along the grinding; its mask is a little wider."""
    height, width = canvas.shape
    area = draw_area(rng, canvas, median=0.0029, spread=0.55, low=0.0008, high=0.02)
    thickness = rng.uniform(2.6, 4.4)
    length = float(np.clip(area / thickness, 26, 0.85 * height))
    thickness = max(area / length, 2.0)
    heading = np.pi / 2 + rng.normal(0, 0.3 if length > 0.3 * width else 0.7)
    x, y = draw_place(rng, canvas, 14)
    y = MARGIN + rng.uniform(0.03, 0.97) * max(1.0, height - 2 * MARGIN - length)
    walk = wander(rng, (x, y), length, heading, restlessness=0.16)
    walk[:, 0] = np.clip(walk[:, 0], MARGIN + 4, width - MARGIN - 4)
    core = np.clip(0.45 * thickness * (1 + rng.normal(0, 0.25, len(walk))), 0.7, None)
    line = cover(canvas.shape, [outline_ribbon(walk, core)])
    halo = cover(canvas.shape, [outline_ribbon(walk, thickness)])
    canvas.light[halo.box] -= np.float32(rng.uniform(0.05, 0.14)) * halo.cover
    canvas.light[line.box] -= np.float32(rng.uniform(0.4, 0.8)) * line.cover
    return to_mask(canvas.shape, [halo])


def draw_break(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A chip, most often out of an edge: jagged, rough inside, darker, with a sharp line around."""
    height, width = canvas.shape
    area = draw_area(rng, canvas, median=0.0125, spread=1.05, low=0.0015, high=0.2)
    x, y = draw_place(rng, canvas, 20)
    stretch = float(np.exp(rng.normal(0, 0.5)))
    where = rng.uniform()
    if where < 0.5:
        x, stretch, area = place_at_edge(rng, width), max(2.0, 2 * stretch), 1.6 * area
    elif where < 0.8:
        y, stretch, area = place_at_edge(rng, height), min(0.5, stretch), 1.6 * area
    chip = cover(canvas.shape, [outline_chip(rng, (x, y), area, stretch)])
    tone = rng.uniform(-0.45, -0.2) if rng.uniform() < 0.8 else rng.uniform(0.15, 0.35)
    roughen(rng, canvas, chip, tone=tone, smoothing=0.8, roughness=0.14)
    canvas.light[chip.box] -= np.float32(rng.uniform(0.2, 0.5)) * rim_of(chip.cover)
    return to_mask(canvas.shape, [chip])


def draw_fray(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A large worn area, standing on the lower edge or free: darker, its grinding worn off."""
    height, width = canvas.shape
    area = draw_area(rng, canvas, median=0.155, spread=0.6, low=0.006, high=0.36)
    stretch = rng.uniform(0.8, 2.2) * np.sqrt(height / width)
    reach = 0.5 * np.sqrt(area * stretch)
    x = width / 2 + rng.normal(0, 0.12) * width
    standing = rng.uniform() < 0.6
    y = height - MARGIN - 0.8 * reach if standing else height / 2 + rng.normal(0, 0.08) * height
    outlines = [outline_blob(rng, (x, y), area, stretch, roughness=0.14, squareness=2.3)]
    if standing:
        foot = rng.uniform(0.7, 1.2) * area / reach  # px wide, and 7 px high
        base = (x, height - MARGIN - 3)
        outlines.append(outline_blob(rng, base, 5.5 * foot, 7 / foot, roughness=0.05))
    worn = cover(canvas.shape, outlines)
    faint = rng.uniform() < 0.3
    tone = rng.uniform(-0.2, -0.12) if faint else rng.uniform(-0.45, -0.25)
    roughen(rng, canvas, worn, tone=tone, smoothing=0.65, roughness=0.1 if faint else 0.05)
    canvas.light[worn.box] -= np.float32(rng.uniform(0.05, 0.2)) * rim_of(worn.cover)
    return to_mask(canvas.shape, [worn])


def draw_uneven(rng: np.random.Generator, canvas: Canvas) -> Mask:
    """A large area that was ground differently: stronger and coarser streaks, another tone, a seam.

    As in the real set, its texture is 1.0 to 2.0 times that of the rest (quartiles 1.1 and 1.5).
    """
    share = float(np.clip(rng.normal(0.25, 0.12), 0.05, 0.5))
    ground = cover(canvas.shape, [outline_ground(rng, canvas.shape, share)])
    tone = rng.uniform(-0.1, 0.25)
    strength = rng.uniform(0.65, 1.3)
    size = (ground.cover.shape[0], ground.cover.shape[1])
    streaks = draw_grinding(rng, size) + 0.08 * draw_noise(rng, size, (size[0] / 2, 2.0))
    canvas.texture[ground.box] *= 1 - 0.4 * ground.cover
    canvas.texture[ground.box] += np.float32(strength) * ground.cover * streaks
    canvas.light[ground.box] += np.float32(tone) * ground.cover
    canvas.light[ground.box] += np.float32(rng.normal(0, 0.12)) * rim_of(ground.cover)
    return to_mask(canvas.shape, [ground])


def outline_ground(rng: np.random.Generator, canvas: Shape, share: float) -> Points:
    """Outline what a grinding wheel missed: a patch, or all above or below a wavy line."""
    height, width = canvas
    if rng.uniform() < 0.3:
        area = share * (height - 2 * MARGIN) * (width - 2 * MARGIN)
        stretch = float(np.exp(rng.normal(0, 0.3))) * height / width
        reach_x, reach_y = 0.5 * np.sqrt(area / stretch), 0.5 * np.sqrt(area * stretch)
        x, y = place_beside(rng, reach_x, width), place_beside(rng, reach_y, height)
        if rng.uniform() < 0.3:
            x = rng.uniform(0.4, 0.6) * width
        squareness = rng.uniform(3, 9)
        return outline_blob(rng, (x, y), area, stretch, roughness=0.09, squareness=squareness)
    across = np.linspace(0, 1, 32)
    waves = rng.normal(0, [0.015, 0.006, 0.003]) @ np.sin(np.outer([5, 13, 28], across) + 1)
    depth = height * (share + waves + rng.normal(0, 0.13) * (across - 0.5))
    depth = np.maximum(depth, 3) + MARGIN
    above = np.concatenate([np.stack([across * width, depth], axis=1), [[width, 0], [0, 0]]])
    return above if rng.uniform() < 0.5 else np.array([0, height]) + above * [1, -1]


def place_beside(rng: np.random.Generator, reach: float, size: int) -> float:
    """Draw the middle of something that lies against either end of a side, cut off a little."""
    middle = MARGIN + rng.uniform(0.75, 1.2) * reach
    return float(middle if rng.uniform() < 0.5 else size - middle)


def place_at_edge(rng: np.random.Generator, size: int) -> float:
    """Draw where along a side of `size` pixels a chip sits that reaches over either of its ends."""
    inset = MARGIN + rng.uniform(2, 7)
    return float(inset if rng.uniform() < 0.5 else size - inset)


def roughen(
    rng: np.random.Generator,
    canvas: Canvas,
    patch: Patch,
    *,
    tone: float,
    smoothing: float,
    roughness: float,
) -> None:
    """Shift the tone of a patch, wear its grinding off and put an undirected grain there."""
    grain = draw_noise(rng, (patch.cover.shape[0], patch.cover.shape[1]), (2, 2))
    canvas.texture[patch.box] *= 1 - np.float32(smoothing) * patch.cover
    canvas.light[patch.box] += patch.cover * (np.float32(tone) + np.float32(roughness) * grain)


def draw_area(
    rng: np.random.Generator,
    canvas: Canvas,
    *,
    median: float,
    spread: float,
    low: float,
    high: float,
) -> float:
    """Draw an area in pixels from a log-normal over the share of the frame, cut to low..high."""
    height, width = canvas.shape
    share = np.clip(median * np.exp(rng.normal(0, spread)), low, high)
    return float(share) * (height - 2 * MARGIN) * (width - 2 * MARGIN)


def draw_place(rng: np.random.Generator, canvas: Canvas, gap: float) -> tuple[float, float]:
    """Draw a point (x, y) that keeps `gap` pixels from the rim of the canvas."""
    height, width = canvas.shape
    return rng.uniform(gap, width - gap), rng.uniform(gap, height - gap)


def to_mask(canvas: Shape, patches: Sequence[Patch]) -> Mask:
    """Put patches on an empty mask of the whole canvas."""
    mask = np.zeros(canvas, dtype=np.uint8)
    for patch in patches:
        mask[patch.box] = np.maximum(mask[patch.box], np.round(255 * patch.cover))
    return mask


PAINTERS: Mapping[str, Callable[[np.random.Generator, Canvas], Mask]] = MappingProxyType(
    {
        "Blowhole": draw_blowhole,
        "Break": draw_break,
        "Crack": draw_crack,
        "Fray": draw_fray,
        "Uneven": draw_uneven,
    }
)  # by the class's name in the folders of the real data set
