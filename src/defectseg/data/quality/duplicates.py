"""Pictures that may be copies of one photograph in, those that are out.

Texture does not tell: at full size two exposures of one surface correlate as well as a photograph
and its compressed copy (0.90 and 0.80 in the median of the magnetic tiles). Grey does: a copy,
laid over its original and smoothed, differs by 0.1 to 0.7 grey levels, whether it was compressed,
cropped or scaled; two exposures by 13 and more. Photographs taken twice at one exposure differ by
0.2 to 1.7: there is nothing new in them either, and no way to tell them from copies.
H rows, W columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import Field
from scipy import ndimage
from scipy.spatial import cKDTree
from tqdm import tqdm

from defectseg.data.quality.agreement import AgreementParams
from defectseg.data.quality.measures import QUANTUM, Measure
from defectseg.data.quality.registration import Placement, common_window, refine
from defectseg.data.surfaces.find import Pair
from defectseg.data.surfaces.texture import choose_factor
from defectseg.data.tile import TileSet

Picture = npt.NDArray[np.uint8]
SMOOTHING = 2.0  # px: standard deviation; takes off noise and the traces of compression
LEAST_CORRELATION = 0.2  # of the textures: two flat pictures differ little, and are no copies
ALIKE = 0.1  # distance of signatures of norm 1 below which two pictures are compared at full size
NEIGHBOURS = 4  # nearest signatures looked at, with the picture itself
STEP = 12.0  # grey levels: the brightness of a cropped copy differs by less, of exposures by more
SAME = Placement((1, 1), (0, 0))


class DuplicateParams(AgreementParams):
    """params.yaml: data_load.checks, what makes two pictures one photograph."""

    duplicate: float = Field(gt=0, le=255)  # grey levels: a smaller difference is one photograph


@dataclass(frozen=True)
class Duplicate:
    """Two files of one photograph, or two photographs that nothing tells apart."""

    first: str  # picture id
    second: str  # picture id
    difference: float  # grey levels, 0..255: root mean square of the smoothed difference


def find_duplicates(
    tiles: TileSet,
    measures: Mapping[str, Measure],
    siblings: Sequence[Pair],
    params: DuplicateParams,
) -> tuple[Duplicate, ...]:
    """Compare siblings, and pictures that are alike at any scale, at their own resolution.

    Exact duplicates (`Measure.picture_sha256`) are left out: they are found without opening. Of too
    many candidates those of the most alike brightness are compared.
    """
    known = {tile.id: tile for tile in tiles.tiles}
    factor = choose_factor([(tile.width, tile.height) for tile in tiles.tiles])
    placements = dict.fromkeys(_alike_at_any_scale(measures), SAME)
    for pair in siblings:
        tile = known[pair.second]
        placements[pair.first, pair.second] = Placement.of(pair, (tile.height, tile.width))
    near = [ids for ids in placements if _step(measures, ids) <= STEP]
    candidates = sorted(near, key=lambda ids: (_step(measures, ids), ids))[: params.pairs]
    found: dict[tuple[str, str], Duplicate] = {}
    for ids in tqdm(candidates, desc="duplicates", unit="pair"):
        if measures[ids[0]].picture_sha256 == measures[ids[1]].picture_sha256:
            continue
        pictures = [tiles.picture(known[name], channels=1)[:, :, 0] for name in ids]
        difference = compare_greys(pictures[0], pictures[1], placements[ids], 2 * factor)
        if difference is not None and difference < params.duplicate:
            first, second = sorted(ids)
            found[first, second] = Duplicate(first, second, difference)
    return tuple(found[ids] for ids in sorted(found))


def compare_greys(
    first: Picture, second: Picture, placement: Placement, reach: int
) -> float | None:
    """How much two pictures (H, W) differ where they show the same: grey levels, 0..255.

    Pictures of two sizes that are placed alike are brought to the smaller one first.

    Returns:
        The root mean square of the smoothed difference; None where the textures do not fit.
    """
    if placement == SAME:
        first, second = _to_one_size(first, second)
    placement, correlation = refine(first, second, placement, reach)
    windows = common_window(first, second, placement)
    if correlation < LEAST_CORRELATION or windows is None:
        return None
    smooth = ndimage.gaussian_filter(windows[0].astype(np.float32) - windows[1], SMOOTHING)
    return float(np.sqrt(np.mean(smooth * smooth, dtype=np.float64)))


def _step(measures: Mapping[str, Measure], ids: tuple[str, str]) -> float:
    """The difference in brightness, grey levels."""
    return abs(measures[ids[0]].brightness - measures[ids[1]].brightness)


def _alike_at_any_scale(measures: Mapping[str, Measure]) -> list[tuple[str, str]]:
    """Pairs of ids with nearly the same signature; near-linear in the pictures."""
    ids = sorted({measures[name].picture_sha256: name for name in sorted(measures)}.values())
    if len(ids) < 2:
        return []
    signatures = np.stack([np.frombuffer(measures[name].signature, dtype=np.int8) for name in ids])
    tree = cKDTree(signatures.astype(np.float32) / (QUANTUM * signatures.shape[1] ** 0.5))
    count = min(NEIGHBOURS, len(ids))
    _, places = tree.query(tree.data, count, distance_upper_bound=ALIKE)
    pairs = {
        (ids[min(first, second)], ids[max(first, second)])
        for first, near in enumerate(places)
        for second in near
        if first != second and second < len(ids)  # len(ids): there is no nearer one
    }
    return sorted(pairs)


def _to_one_size(first: Picture, second: Picture) -> tuple[Picture, Picture]:
    """Bring the larger picture (H, W) to the size of the smaller one."""
    if first.shape == second.shape:
        return first, second
    if first.size > second.size:
        return _resize(first, second.shape), second
    return first, _resize(second, first.shape)


def _resize(picture: Picture, shape: tuple[int, ...]) -> Picture:
    image = Image.fromarray(np.ascontiguousarray(picture))
    size = (shape[1], shape[0])
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC), dtype=np.uint8)
