"""Points and queries in, the nearest points to each query out: approximate, yet the same each time.

Few points are all compared. Of many, an inverted file finds a short list: k-means parts their main
components into cells, and a query looks into the nearest cells. The list is ranked by all
dimensions. Graph indices (HNSW) lost 3 % of the siblings of 5 000 synthetic pictures: those lie
close together and far from all others, so that few edges lead to them.
N points, Q queries, D dimensions.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import faiss
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
EXACT = 8192  # points: up to so many, every query is compared with all of them
COMPONENTS = 128
PROBED = 64  # cells that a query looks into; there are 2 √N, so its cost grows with √N
LISTED = 8  # times as many neighbours as asked for are ranked by all dimensions
PASSES = 10  # of k-means


def find_nearest(
    points: Float, queries: Sequence[Float], count: int, exact: int = EXACT
) -> list[tuple[Float, Ids]]:
    """Find the `count` nearest points (N, D) to each query (Q, D) of several sets.

    Returns:
        For each set the squared distances (Q, count) and the indices of the points (Q, count),
        nearest first; -1 where the cells have no more points.
    """
    with _one_thread():
        index = _build(np.ascontiguousarray(points), exact)
        return [index.search(np.ascontiguousarray(query), count) for query in queries]


def _build(points: Float, exact: int) -> "faiss.Index":
    dimensions = points.shape[1]
    if len(points) <= exact:
        index = faiss.IndexFlatL2(dimensions)
        index.add(points)
        return index
    cells = min(len(points), round(2 * len(points) ** 0.5))
    components = min(COMPONENTS, dimensions, len(points))
    listing = faiss.index_factory(dimensions, f"PCA{components},IVF{cells},Flat")
    inverted = faiss.extract_index_ivf(listing)
    inverted.nprobe = PROBED
    inverted.cp.niter = PASSES
    inverted.cp.min_points_per_centroid = 1  # fewer than 39 are what we want: no reason to warn
    ranked = faiss.IndexRefineFlat(listing)
    ranked.k_factor = LISTED
    ranked.train(points)
    ranked.add(points)
    return ranked


@contextmanager
def _one_thread() -> Iterator[None]:
    """Search with one thread: another number of threads may round otherwise."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
