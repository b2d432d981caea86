"""Little data sets, and facts about them, that the tests of the checks make for themselves."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from conftest import committed_checks, save_array
from defectseg.data.quality.agreement import Agreement, Score
from defectseg.data.quality.findings import CheckParams, Facts
from defectseg.data.quality.measures import Measure, measure
from defectseg.data.tile import CLEAN, Tile, TileSet, write_manifest

Picture = npt.NDArray[np.uint8]
CLASSES = ("crack", "dent")
NO_AGREEMENT = Agreement(Score("any", 0, None, None), None, (), (), ())


def grain(seed: int, height: int = 120, width: int = 130) -> npt.NDArray[np.float64]:
    """The relief of one surface, of mean 0 and deviation 1, with grains of a few pixels."""
    relief = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(height, width)), 1.2)
    return relief / relief.std()


def photograph(relief: npt.NDArray[np.float64], brightness: float = 120, noise: int = 0) -> Picture:
    """A picture (H, W) of a relief; another `noise`, another noise of the sensor."""
    draw = np.random.default_rng([99, noise])
    grey = brightness * (1 + 0.15 * relief) + draw.normal(0, 1, relief.shape)
    return np.clip(grey, 0, 255).astype(np.uint8)


def write_set(
    folder: Path,
    pictures: Mapping[str, Picture],
    masks: Mapping[str, Picture] | None = None,
    surfaces: Mapping[str, str] | None = None,
) -> TileSet:
    """Write tiles of pictures (H, W); a picture that has no mask is clean."""
    tiles = []
    for name, picture in pictures.items():
        drawn = (masks or {}).get(name, np.zeros_like(picture))
        save_array(folder / "images" / f"{name}.png", picture)
        save_array(folder / "masks" / f"{name}.png", drawn)
        counts = np.bincount(drawn.ravel(), minlength=3)[1:]
        kind = CLASSES[int(counts.argmax())] if counts.any() else CLEAN
        surface = (surfaces or {}).get(name, "s")
        tiles.append(make_tile(name, kind, surface, picture.shape, int(counts.sum())))
    return write_manifest(folder, CLASSES, tiles)


def make_tile(
    name: str,
    kind: str = CLEAN,
    surface: str = "s",
    shape: tuple[int, ...] = (120, 130),
    defect_px: int = 0,
) -> Tile:
    """A row of a manifest."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    paths = f"images/{name}.png", f"masks/{name}.png"
    return Tile(name, *paths, kind, surface, shape[1], shape[0], defect_px, digest)


def make_measure(name: str = "", **changes: Any) -> Measure:
    """What an unsuspicious picture of 400 × 300 px measures, with some of it changed."""
    plain: dict[str, Any] = {
        "width": 400,
        "height": 300,
        "brightness": 100.0,
        "contrast": 20.0,
        "sharpness": 1.0,
        "saturated": 0.0,
        "defect_px": 0,
        "regions": 0,
        "largest_region_px": 0,
        "smallest_region_px": 0,
        "touches_border": False,
        "class_px": (0, 0),
        "picture_sha256": name,
        "signature": bytes(64),
    }
    return Measure(**plain | changes)


def make_facts(measures: Mapping[str, Measure], **changes: Any) -> Facts:
    """Facts about clean pictures of one surface each, with some of them changed."""
    tiles = [make_tile(name, surface=f"surface_{name}") for name in measures]
    plain = {"tiles": tiles, "classes": CLASSES, "measures": measures, "agreement": NO_AGREEMENT}
    return Facts(**plain | changes)


def measure_set(tiles: TileSet) -> dict[str, Measure]:
    """The measures of written tiles."""
    return {
        tile.id: measure(tiles.picture(tile, channels=1), tiles.mask(tile), len(tiles.classes))
        for tile in tiles.tiles
    }


def check_params(**changes: Any) -> CheckParams:
    """The params of the checks as committed, with some of them changed."""
    return CheckParams.model_validate(committed_checks(**changes))
