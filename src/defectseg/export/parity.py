"""Two engines and real test pictures in, how far their answers differ out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from defectseg.confusion import any_defect, count_pixels
from defectseg.data.tile import Tile, TileSet
from defectseg.inference.engine import Engine
from defectseg.inference.predictor import to_mask
from defectseg.network.unet import ModelInfo


def choose_pictures(tiles: Sequence[Tile], count: int) -> list[Tile]:
    """At most `count` tiles, evenly from the smallest to the largest; half show a defect."""
    defects = [tile for tile in tiles if tile.is_defect]
    clean = [tile for tile in tiles if not tile.is_defect]
    half = min(len(defects), max(count // 2, count - len(clean)))
    return _spread(defects, half) + _spread(clean, count - half)


def _spread(tiles: Sequence[Tile], count: int) -> list[Tile]:
    by_size = sorted(tiles, key=lambda tile: (tile.width * tile.height, tile.id))
    picked = np.linspace(0, len(by_size) - 1, min(count, len(by_size))).round().astype(int)
    return [by_size[index] for index in picked]


def compare_engines(
    trusted: Engine, exported: Engine, info: ModelInfo, tiles: TileSet
) -> dict[str, Any]:
    """How far the exported engine is from the trusted one, in probabilities, pixels and Dice.

    Returns:
        `max_abs_probability_difference`, `flipped_pixel_fraction` (pixels of another class),
        `dice_drop` (pooled Dice of the trusted minus that of the exported engine), `pictures` and
        `sizes` (distinct picture sizes).
    """
    largest, flipped, pixels = 0.0, 0, 0
    confusion = np.zeros((2, 1 + len(info.classes), 1 + len(info.classes)), dtype=np.int64)
    for tile in tqdm(tiles.tiles, desc="parity", unit="picture"):
        batch = tiles.picture(tile, info.network.in_channels)[None]
        true_mask = tiles.mask(tile)
        first, second = trusted.run(batch)[0], exported.run(batch)[0]
        masks = [to_mask(probability, info.threshold) for probability in (first, second)]
        largest = float(np.maximum(largest, np.abs(first - second).max()))  # a NaN stays a NaN
        flipped += int((masks[0] != masks[1]).sum())
        pixels += true_mask.size
        for index, mask in enumerate(masks):
            confusion[index] += count_pixels(mask, true_mask, len(info.classes))
    dice = np.nan_to_num(any_defect(confusion).dice)
    return {
        "max_abs_probability_difference": largest,
        "flipped_pixel_fraction": flipped / max(pixels, 1),
        "dice_drop": float(dice[0] - dice[1]),
        "pictures": len(tiles.tiles),
        "sizes": len({(tile.width, tile.height) for tile in tiles.tiles}),
    }
