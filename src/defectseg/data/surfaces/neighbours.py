"""Points and queries in, the nearest points to each query out: approximate, yet the same each time.

An inverted file: k-means parts the points into cells, a query looks into the nearest of them. Graph
indices (HNSW) are faster but lost 3 % of the siblings: those lie close together and far from all
others, so that few edges lead to them. N points, Q queries, D dimensions.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import faiss
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
EXACT = 4096  # points: up to so many, every query is compared with all of them
PROBED = 32  # cells that a query looks into; there are 2 √N, so its cost grows with √N
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
        index = _build(points, exact)
        return [index.search(np.ascontiguousarray(query), count) for query in queries]


def _build(points: Float, exact: int) -> "faiss.Index":
    points = np.ascontiguousarray(points)
    flat = faiss.IndexFlatL2(points.shape[1])
    if len(points) <= exact:
        flat.add(points)
        return flat
    cells = max(PROBED, round(2 * len(points) ** 0.5))
    index = faiss.IndexIVFFlat(flat, points.shape[1], min(cells, len(points)))
    index.cp.niter = PASSES
    index.cp.min_points_per_centroid = 1  # fewer than 39 are what we want, no reason to warn
    index.train(points)
    index.add(points)
    index.nprobe = PROBED
    return index


@contextmanager
def _one_thread() -> Iterator[None]:
    """Search with one thread: another number of threads may round otherwise."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
