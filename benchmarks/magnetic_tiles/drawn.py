"""Real tiles and drawn tiles in, how near their defects are to each other out: results/drawn.json.

Drawn tiles are only as good a start as they are like real ones. Of every defect class: the share of
the picture that its defects cover, how dark they are beside what surrounds them, and how many reach
an edge. The first picture of each surface counts.
"""

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from fold import RESULTS
from pretrain import draw
from protocol import add_places, open_protocol
from scipy import ndimage
from settings import read_setting
from tqdm import tqdm

from defectseg.data.tile import TileSet
from defectseg.errors import DefectsegError, ParamsError
from defectseg.files import write_json

FOUND = RESULTS / "drawn.json"
EDGE = 0.03  # of the shorter side: nearer to the border is at an edge
GAP, RING = 2, 8  # pixels around a defect between which its surroundings lie
Grey = npt.NDArray[np.uint8]  # (H, W)
Mask = npt.NDArray[np.bool_]  # (H, W)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--setting", default="light", help="whose drawn tiles; default: light")
    add_places(parser)
    arguments = parser.parse_args()
    pretrain = read_setting(arguments.setting).pretrain
    if pretrain is None:
        raise ParamsError(f"setting {arguments.setting} has no drawn tiles")
    real = open_protocol(arguments.source, arguments.work).tiles
    drawn, _ = draw(pretrain, arguments.work)
    found = {name: describe(tiles) for name, tiles in (("real", real), ("drawn", drawn))}
    write_json(FOUND, {"setting": arguments.setting, **found})
    print(FOUND)


def describe(tiles: TileSet) -> dict[str, dict[str, Any]]:
    """Of each class what its defects are like."""
    return {name: describe_class(tiles, name) for name in tiles.classes}


def describe_class(tiles: TileSet, name: str) -> dict[str, Any]:
    """How many surfaces, how large, how dark and how often at an edge."""
    shown = list(first_pictures(tiles, name))
    return {
        "surfaces": len(shown),
        "at_edge": round(float(np.mean([is_at_edge(mask) for _, mask in shown])), 3),
        "share": spread(lambda _, mask: float(mask.mean()), shown),
        "contrast": spread(contrast, shown),
    }


def first_pictures(tiles: TileSet, name: str) -> Iterator[tuple[Grey, Mask]]:
    """A picture and the mask of a class, of every surface that shows it."""
    first = {tile.surface: tile for tile in reversed(tiles.tiles) if tile.defect_class == name}
    for tile in tqdm(first.values(), desc=name, unit="picture"):
        yield tiles.picture(tile, 1)[..., 0], tiles.mask(tile) == 1 + tiles.classes.index(name)


def is_at_edge(mask: Mask) -> bool:
    """Whether some of it lies near the border of the picture."""
    near = max(1, round(EDGE * min(mask.shape)))
    return bool(mask.sum() > mask[near:-near, near:-near].sum())


def contrast(image: Grey, mask: Mask) -> float:
    """How much brighter a defect is than its surroundings, as a share: -0.4 is 40 % darker."""
    ring = ndimage.binary_dilation(mask, iterations=RING)
    ring &= ~ndimage.binary_dilation(mask, iterations=GAP)
    return float(image[mask].mean() / max(1.0, image[ring].mean()) - 1) if ring.any() else 0.0


def spread(
    measure: Callable[[Grey, Mask], float], shown: list[tuple[Grey, Mask]]
) -> dict[str, float]:
    """The median, and between what lie eight of ten."""
    values = [measure(*each) for each in shown]
    return {f"p{part}": round(float(np.percentile(values, part)), 4) for part in (10, 50, 90)}


if __name__ == "__main__":
    try:
        main()
    except DefectsegError as error:
        raise SystemExit(f"error: {error}") from error
