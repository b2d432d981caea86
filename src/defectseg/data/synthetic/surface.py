"""A generator and a size in, one clean ground tile out: its light, its grinding and harmless marks.

Everything is drawn in log tone (0 is the mean grey of a picture, -0.7 half of it), where a change
of exposure is a sum and a mark has the same contrast in light and in shade.
Shapes: H rows, W columns, margin included.
"""

from dataclasses import dataclass

import numpy as np

from defectseg.data.synthetic.shapes import (
    Float,
    Shape,
    cover,
    draw_noise,
    outline_blob,
    outline_ribbon,
    wander,
)

MARGIN = 6  # pixels around the nominal frame: what a shifted photograph may also show
BORDER = 44  # rows from the rim of the canvas that an edge of the tile may touch
BACKGROUND = -1.5  # log tone of what lies behind the tile


@dataclass(frozen=True)
class Canvas:
    """A tile while it is drawn, in log tone; defects and marks change the two layers in place."""

    light: Float  # (H, W): illumination, borders, everything that is smooth or dark
    texture: Float  # (H, W), mean 0: the grinding

    @property
    def shape(self) -> Shape:
        """H and W."""
        return self.light.shape[0], self.light.shape[1]


def draw_clean(rng: np.random.Generator, shape: Shape) -> Canvas:
    """Draw a tile without a defect and with the harmless marks that any tile has."""
    canvas = Canvas(draw_light(rng, shape), draw_grinding(rng, shape))
    draw_stains(rng, canvas)
    draw_grease_lines(rng, canvas)
    draw_specks(rng, canvas)
    for turns in range(4):
        draw_edge(rng, np.rot90(canvas.light, turns)[:BORDER])
    return canvas


def draw_grinding(rng: np.random.Generator, shape: Shape) -> Float:
    """Draw the marks of grinding, which run down the tile: grain, streaks, lines, a few bright.

    They are broken all along their length: no two tiles, and no two places of one tile, look alike.
    """
    fine = draw_noise(rng, shape, (2, 1.15))
    streaks = draw_noise(rng, shape, (16, 1.2))
    lines = draw_noise(rng, shape, (80, 1.25))
    bright = np.maximum(lines - 0.9, 0)
    strength = 1 + 0.35 * draw_noise(rng, shape, (shape[0] / 4, shape[1] / 6))
    weights = rng.uniform(0.7, 1.2, 4).astype(np.float32)
    texture = 0.055 * weights[0] * fine + 0.038 * weights[1] * streaks
    texture += 0.045 * weights[2] * lines + 0.15 * weights[3] * bright
    return np.asarray(texture * np.maximum(strength, 0.2), dtype=np.float32)


def draw_light(rng: np.random.Generator, shape: Shape) -> Float:
    """Draw the light on an arched tile: dark flanks, a bright band, a slope and soft patches."""
    down, across = (np.linspace(-1, 1, size, dtype=np.float32) for size in shape)
    flanks = -rng.uniform(0.1, 0.7) * (across - rng.uniform(-0.5, 0.5)) ** 2
    band = rng.uniform(-0.1, 0.55) * np.exp(
        -(((across - rng.uniform(-0.9, 0.9)) / rng.uniform(0.1, 0.5)) ** 2)
    )
    patches = rng.uniform(0.06, 0.16) * draw_noise(rng, shape, (shape[0] / 4, shape[1] / 4))
    slope = rng.normal(0, 0.15) * down
    return np.asarray(patches + (flanks + band) + slope[:, None], dtype=np.float32)


def draw_edge(rng: np.random.Generator, side: Float) -> None:
    """Draw one edge of the tile, in place: a glittering chamfer, and behind it the background.

    Args:
        side: (BORDER, length) view of the light, outermost row first.
    """
    depth, length = side.shape
    along = np.linspace(-1, 1, length, dtype=np.float32)
    edge = MARGIN + rng.uniform(-18, 4) + rng.normal(0, 1.5) * along + rng.normal(0, 2) * along**2
    inside = (np.arange(depth)[:, None] - edge).astype(np.float32)
    breadth, softness = rng.uniform(2, 18), rng.uniform(1, 8)
    if inside[0].min() > breadth:  # this edge and its chamfer lie outside the picture
        return
    chamfer = np.clip((breadth - inside) / softness, 0, 1)
    glitter = draw_noise(rng, (depth, length), (1.5, 4))
    side += chamfer * (rng.normal(-0.08, 0.15) + rng.uniform(0.02, 0.12) * glitter)
    hidden = np.clip(0.5 - inside / 1.5, 0, 1)
    side += hidden * (BACKGROUND - side)


def draw_stains(rng: np.random.Generator, canvas: Canvas) -> None:
    """Draw soft dark patches, in place."""
    height, width = canvas.shape
    for _ in range(rng.poisson(3)):
        rows, columns = (int(size) for size in rng.integers(16, 90, 2))
        top = int(rng.integers(0, max(1, height - rows)))
        left = int(rng.integers(0, max(1, width - columns)))
        patch = canvas.light[top : top + rows, left : left + columns]
        fade = np.outer(np.hanning(patch.shape[0]), np.hanning(patch.shape[1]))
        cloud = np.clip(draw_noise(rng, (patch.shape[0], patch.shape[1]), (6, 6)) + 0.3, 0, 1.5)
        patch -= (rng.uniform(0.1, 0.35) * fade * cloud).astype(np.float32)


def draw_grease_lines(rng: np.random.Generator, canvas: Canvas) -> None:
    """Draw faint curved lines, in place: thin as a crack, but shallow."""
    height, width = canvas.shape
    for _ in range(rng.poisson(4)):
        start = (rng.uniform(0, width), rng.uniform(0, height))
        walk = wander(rng, start, rng.uniform(15, 90), rng.uniform(0, 2 * np.pi), 0.2)
        patch = cover(canvas.shape, [outline_ribbon(walk, rng.uniform(0.8, 2.2))])
        canvas.light[patch.box] -= np.float32(rng.uniform(0.06, 0.2)) * patch.cover


def draw_specks(rng: np.random.Generator, canvas: Canvas) -> None:
    """Draw dots of dirt and of glitter, in place: smaller than any blowhole."""
    height, width = canvas.shape
    for _ in range(rng.poisson(7)):
        centre = (rng.uniform(0, width), rng.uniform(0, height))
        patch = cover(canvas.shape, [outline_blob(rng, centre, rng.uniform(1.5, 8))])
        canvas.light[patch.box] += np.float32(rng.normal(-0.15, 0.3)) * patch.cover
