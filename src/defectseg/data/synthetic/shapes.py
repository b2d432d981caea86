"""A generator and sizes in, noise and anti-aliased shapes out: what synthetic tiles are made of.

Shapes: H rows, W columns, P points. Points are (x, y) in pixels, so x goes with W.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage

Float = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]  # (P, 2)
Shape = tuple[int, int]  # (H, W)

SUPER = 4  # shapes are drawn at this multiple of their size, so that their edges are anti-aliased


@dataclass(frozen=True)
class Patch:
    """A shape on a canvas, kept only where it is."""

    box: tuple[slice, slice]  # rows and columns of the canvas
    cover: Float  # the box's (H, W) in [0, 1]: how much of each pixel lies inside the shape


def draw_near_normal(rng: np.random.Generator, shape: Shape) -> Float:
    """Draw nearly normal noise, mean 0, variance 1, in a quarter of the time of `standard_normal`.

    Of 32 random bits 16 are set on average, with variance 8.
    """
    bits = np.frombuffer(rng.bytes(4 * shape[0] * shape[1]), dtype="<u4").reshape(shape)
    return np.asarray((np.bitwise_count(bits).astype(np.float32) - 16) * np.float32(8**-0.5))


def draw_noise(rng: np.random.Generator, shape: Shape, cell: tuple[float, float]) -> Float:
    """Draw smooth normal noise: (H, W), independent over distances of `cell` = (rows, columns)."""
    rows, columns = (max(2, round(size / step)) for size, step in zip(shape, cell, strict=True))
    grid = Image.fromarray(draw_near_normal(rng, (rows, columns)))
    return np.asarray(grid.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def cover(canvas: Shape, outlines: Sequence[Points]) -> Patch:
    """Fill the union of some closed outlines; what lies off the canvas is cut off."""
    points = np.concatenate(outlines)
    size = np.array(canvas[::-1])
    low = np.clip(np.floor(points.min(axis=0)) - 1, 0, size - 1).astype(int)
    high = np.clip(np.ceil(points.max(axis=0)) + 1, low + 1, size).astype(int)
    width, height = (int(side) for side in SUPER * (high - low))
    image = Image.new("L", (width, height))
    pen = ImageDraw.Draw(image)
    for outline in outlines:
        pen.polygon(((outline - low) * SUPER).ravel().tolist(), fill=255)
    box = (slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0])))
    inside = np.asarray(image.reduce(SUPER), dtype=np.float32) / np.float32(255)
    return Patch(box, inside)


def outline_blob(
    rng: np.random.Generator,
    centre: tuple[float, float],
    area: float,
    stretch: float = 1.0,
    roughness: float = 0.1,
    squareness: float = 2.0,
) -> Points:
    """Outline a closed blob of exactly `area` pixels.

    Args:
        stretch: Height over width.
        roughness: Size of the bumps, as a share of the radius.
        squareness: Exponent of the superellipse: 2 is round, 8 nearly a rectangle.
    """
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    waves = np.arange(2, 9)
    heights = rng.normal(0, roughness / waves)
    bumps = heights @ np.cos(np.outer(waves, angle) + rng.uniform(0, 2 * np.pi, (7, 1)))
    norm = np.abs(np.cos(angle)) ** squareness + np.abs(np.sin(angle)) ** squareness
    radius = norm ** (-1 / squareness) * np.maximum(1 + bumps, 0.2)
    points = np.stack([radius * np.cos(angle), stretch * radius * np.sin(angle)], axis=1)
    return np.asarray(scale_to(points, area) + np.array(centre))


def outline_chip(
    rng: np.random.Generator, centre: tuple[float, float], area: float, stretch: float
) -> Points:
    """Outline a jagged closed shape of exactly `area` pixels: few corners, straight between."""
    corners = int(rng.integers(9, 18))
    angle = (np.arange(corners) + rng.uniform(-0.4, 0.4, corners)) * 2 * np.pi / corners
    radius = rng.uniform(0.65, 1.35, corners)
    points = np.stack([radius * np.cos(angle), stretch * radius * np.sin(angle)], axis=1)
    return np.asarray(scale_to(points, area) + np.array(centre))


def scale_to(points: Points, area: float) -> Points:
    """Scale an outline about the origin until it encloses `area` pixels (shoelace formula)."""
    x, y = points.T
    enclosed = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    return np.asarray(points * np.sqrt(area / enclosed))


def wander(
    rng: np.random.Generator,
    start: tuple[float, float],
    length: float,
    heading: float,
    restlessness: float,
) -> Points:
    """Walk `length` pixels in steps of about 4.

    Args:
        heading: Radians of the first step; 0 goes right, π/2 down.
        restlessness: Radians of deviation a step; the walk is pulled back to its heading.
    """
    steps = max(3, round(length / 4))
    turn = np.zeros(steps)
    for step, kick in enumerate(rng.normal(0, restlessness, steps - 1), start=1):
        turn[step] = 0.85 * turn[step - 1] + kick
    direction = np.stack([np.cos(heading + turn), np.sin(heading + turn)], axis=1)
    walk = np.cumsum(direction, axis=0) * length / steps
    return np.asarray(np.array(start) + np.concatenate([np.zeros((1, 2)), walk]))


def outline_ribbon(points: Points, width: float | npt.NDArray[np.float64]) -> Points:
    """Outline a line of `width` pixels along a walk."""
    along = np.gradient(points, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
    half = normal * np.broadcast_to(width, len(points))[:, None] / 2
    return np.concatenate([points + half, (points - half)[::-1]])


def rim_of(cover: Float) -> Float:
    """Find the edge of a shape: 1 on it, falling to 0 within two pixels."""
    soft = ndimage.uniform_filter(cover, 3, mode="nearest")
    return np.asarray(4 * soft * (1 - soft), dtype=np.float32)


def slope_of(rng: np.random.Generator, cover: Float) -> Float:
    """Draw a plane over the box of a shape, from -1 to 1 in a random direction."""
    angle = rng.uniform(0, 2 * np.pi)
    down, across = (np.linspace(-1, 1, size, dtype=np.float32) for size in cover.shape)
    plane = np.cos(angle) * across + np.sin(angle) * down[:, None]
    return np.asarray(plane / np.abs(plane).max(), dtype=np.float32)
