"""Polygons in, the pixels that they cover out; and back: outlines along the edges of pixels.

A ring is x1, y1, x2, y2, … in px, closed by itself; (0, 0) is the upper left corner of the upper
left pixel. Rings are filled by the rule of pycocotools: even-odd in each ring, the union of all.
Shapes: H rows, W columns, E unit edges between a drawn pixel and one that is not.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components

from defectseg.data.labels.run_lengths import decode_text, fill_runs
from defectseg.errors import DataError

MAX_PATH = 5_000_000  # px along one ring: pycocotools needs 80 bytes of memory for each
EAST, SOUTH, WEST, NORTH = range(4)  # where an edge leads; the drawn pixel is on its right

Index = npt.NDArray[np.int64]
Ring = Sequence[float] | npt.NDArray[np.float64]


def fill_polygons(rings: Sequence[Ring], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Fill rings: (H, W), the union of them.

    Args:
        rings: At least three points each; they may reach beyond the picture by its own size.
        size: Width and height of the picture, px.

    Raises:
        DataError: A ring has too few points, or points that are no place near the picture.
    """
    return fill_runs(outline_runs(rings, size), size)


def outline_runs(rings: Sequence[Ring], size: tuple[int, int]) -> Index:
    """The run lengths, see `run_lengths`, of what `fill_polygons` fills.

    Raises:
        DataError: See `fill_polygons`.
    """
    points = [_check_ring(ring, number, size) for number, ring in enumerate(rings, start=1)]
    if not points:
        raise DataError("it has no ring; expected at least one")
    width, height = size
    drawn = coco_mask.frPyObjects(points, height, width)
    while len(drawn) > 1:  # two at a time: one call would take the square of their number
        drawn = [coco_mask.merge(drawn[at : at + 2]) for at in range(0, len(drawn), 2)]
    return decode_text(drawn[0]["counts"])


def to_polygons(region: npt.NDArray[np.bool_]) -> list[list[float]]:
    """The outline of each 8-connected part of a region (H, W): whole px, the topmost part first.

    `fill_polygons` gives back exactly the region: a hole is joined to the outline above it by a cut
    of no width, which even-odd filling does not see.
    """
    if not region.any():
        return []
    columns = region.shape[1] + 1
    codes = _find_edges(region)
    following = _follow(codes, columns)
    first = _find_loops(following)
    outlines, holes = first[codes[first] % 4 == EAST], first[codes[first] % 4 == SOUTH]
    above = _find_above(codes, holes, columns)
    bridges = np.concatenate([codes[above] // 4 * 4 + SOUTH, codes[holes] // 4 * 4 + NORTH])
    following = _cut_open(following, holes, above)
    order, starts = _order_loops(following, outlines)
    return list(_corners(np.concatenate([codes, bridges])[order], starts, columns))


def _check_ring(ring: Ring, number: int, size: tuple[int, int]) -> list[float]:
    """A ring as pycocotools may see it; it checks nothing itself."""
    values = np.asarray(ring, dtype=np.float64)
    if values.ndim != 1 or values.size % 2 or values.size < 6:
        raise DataError(
            f"ring {number} has {values.size} numbers; expected x and y of three points or more"
        )
    points = values.reshape(-1, 2)
    if not np.isfinite(points).all():
        raise DataError(f"ring {number} has a point that is no number")
    limit = np.array(size)
    if (points < -limit).any() or (points > 2 * limit).any():
        far = points[((points < -limit) | (points > 2 * limit)).any(axis=1)][0]
        raise DataError(
            f"ring {number} has the point ({far[0]:g}, {far[1]:g}), far outside of a picture of "
            f"{size[0]}×{size[1]}; expected px from its upper left corner"
        )
    path = np.abs(points - np.roll(points, -1, axis=0)).max(axis=1).sum()
    if path > MAX_PATH:
        raise DataError(
            f"ring {number} is {path:.0f} px long, more than {MAX_PATH}; expected an outline: "
            "save the region as a mask"
        )
    return list(values.tolist())


def _find_edges(region: npt.NDArray[np.bool_]) -> Index:
    """The E edges, ascending: each is 4 · (y · columns + x) of its start, plus its direction."""
    height, width = region.shape
    padded = np.zeros((height + 2, width + 2), dtype=np.int8)
    padded[1:-1, 1:-1] = region
    down = np.diff(padded[:, 1:-1], axis=0)  # (H + 1, W): 1 where a pixel is drawn and not above
    right = np.diff(padded[1:-1], axis=1)  # (H, W + 1)
    found = []
    for steps, sign, direction, dy, dx in (
        (down, 1, EAST, 0, 0),
        (right, -1, SOUTH, 0, 0),
        (down, -1, WEST, 0, 1),
        (right, 1, NORTH, 1, 0),
    ):
        y, x = np.nonzero(steps == sign)
        found.append(4 * ((y + dy) * (width + 1) + x + dx) + direction)
    return np.sort(np.concatenate(found))


def _follow(codes: Index, columns: int) -> Index:
    """The number of the edge after each edge: where two begin, the left one, see `to_polygons`.

    So pixels that touch at a corner share an outline: they are connected.
    """
    direction = codes % 4
    end = codes // 4 + np.array([1, columns, -1, -columns])[direction]
    first = np.searchsorted(codes, end * 4)
    second = np.minimum(first + 1, len(codes) - 1)
    is_left = codes[second] == end * 4 + (direction - 1) % 4
    return np.asarray(np.where(is_left, second, first), dtype=np.int64)


def _find_loops(following: Index) -> Index:
    """The first edge of each loop, ascending.

    It starts in the upper left corner: it leads east along an outline, south along a hole.
    """
    _, loop_of = connected_components(_to_graph(following), directed=False)
    return np.sort(np.unique(loop_of, return_index=True)[1])


def _find_above(codes: Index, holes: Index, columns: int) -> Index:
    """For the first edge of each hole, the nearest edge above it that leads east."""
    east = np.flatnonzero(codes % 4 == EAST)
    y, x = np.divmod(codes[east] // 4, columns)
    rows = int(codes[-1] // 4 // columns) + 1
    by_column = np.argsort(x * rows + y)
    hole_y, hole_x = np.divmod(codes[holes] // 4, columns)
    place = np.searchsorted((x * rows + y)[by_column], hole_x * rows + hole_y) - 1
    return east[by_column[place]]


def _cut_open(following: Index, holes: Index, above: Index) -> Index:
    """Join every hole to the outline above it: 2 bridges more, down to each hole and up again."""
    edges = len(following)
    before = np.empty(edges, dtype=np.int64)
    before[following] = np.arange(edges)
    down = edges + np.arange(len(holes))
    up = down + len(holes)
    joined = np.concatenate([following, holes, above])
    joined[before[above]] = down
    joined[before[holes]] = up
    return joined


def _order_loops(following: Index, first: Index) -> tuple[Index, Index]:
    """All edges loop by loop, each from its first one on, and where each loop starts among them."""
    place = np.empty(len(following), dtype=np.int64)
    place[following] = np.arange(len(following))
    chain = following.copy()
    chain[place[first]] = np.roll(first, -1)  # the end of a loop leads to the next loop
    order = breadth_first_order(_to_graph(chain), int(first[0]), return_predecessors=False)
    place[order] = np.arange(len(order))
    return order, place[first]


def _to_graph(following: Index) -> csr_matrix:
    edges = len(following)
    return csr_matrix((np.ones(edges, np.int8), following, np.arange(edges + 1)), (edges, edges))


def _corners(codes: Index, starts: Index, columns: int) -> Iterator[list[float]]:
    """The rings of edges in order, each point left out at which the direction stays the same."""
    direction = codes % 4
    previous = np.roll(direction, 1)
    previous[starts] = direction[np.append(starts[1:], len(codes)) - 1]
    is_corner = direction != previous
    kept = np.cumsum(is_corner)
    y, x = np.divmod(codes[is_corner] // 4, columns)
    points = np.stack([x, y], axis=1).astype(np.float64)
    for ring in np.split(points, (kept - is_corner)[starts[1:]]):
        yield ring.ravel().tolist()
