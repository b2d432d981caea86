"""Sketches of pictures in, the groups of those that are alike out: each link proven, none assumed.

Candidates come nearest first. Those that other links have joined already are left out; the rest are
screened on a coarse grid of shifts and the few that come near the threshold measured on a fine one.
N pictures, indexed 0..N-1.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import DisjointSet
from tqdm import tqdm

from defectseg.data.surfaces.correlation import Correlator, Match, Spectrum, flip_of
from defectseg.data.surfaces.neighbours import EXACT, find_nearest

Ints = npt.NDArray[np.int64]
SCREENED = 0.4  # of the threshold: the least that the coarse grid shows of a pair that passes it
PAIRS_AT_ONCE = 64  # 6 MB at the largest grid: about what a processor's cache holds


@dataclass(frozen=True)
class Sketch:
    """What is kept of a picture to compare it with others."""

    spectrum: Spectrum
    shape: tuple[int, ...]  # rows and columns of the texture


@dataclass(frozen=True)
class Link:
    """Two pictures that were measured, alike or not."""

    first: int
    second: int
    match: Match


@dataclass(frozen=True)
class Candidates:
    """Pairs of pictures that may be alike, nearest first."""

    first: Ints  # (n,)
    second: Ints  # (n,)
    crosswise: npt.NDArray[np.bool_]  # (n,) second mirrored in one axis; else in none or both


class Linker:
    """Compares the pictures of one set."""

    def __init__(self, sketches: Sequence[Sketch], side: int) -> None:
        """Args: side: of the grid of shifts that the spectra were taken on, texture px."""
        self._sketches = sketches
        self._correlator = Correlator(side)

    def link(self, similarity: float, neighbours: int) -> tuple["DisjointSet[int]", list[Link]]:
        """Join all pictures with a similarity above the threshold to one of their neighbours.

        Returns:
            The groups, and every pair that was measured.
        """
        groups = DisjointSet(range(len(self._sketches)))
        measured: list[Link] = []
        if len(self._sketches) < 2:
            return groups, measured
        found = self.find_candidates(neighbours)
        starts = range(0, len(found.first), PAIRS_AT_ONCE)
        for start in tqdm(starts, desc="surfaces", unit_scale=PAIRS_AT_ONCE, unit="pair"):
            rows = range(start, min(start + PAIRS_AT_ONCE, len(found.first)))
            pairs = zip(found.first[rows].tolist(), found.second[rows].tolist(), strict=True)
            apart = [
                row for row, pair in zip(rows, pairs, strict=True) if not groups.connected(*pair)
            ]
            for link in self._measure(_take(found, apart), similarity * SCREENED):
                measured.append(link)
                if link.match.similarity > similarity:
                    groups.merge(link.first, link.second)
        return groups, measured

    def find_candidates(self, neighbours: int, exact: int = EXACT) -> Candidates:
        """The nearest pictures to each picture, and to each mirrored picture, by description.

        Args:
            exact: up to so many pictures, all descriptions are compared.
        """
        described = np.stack([s.spectrum.description for s in self._sketches]).astype(np.float32)
        count = min(neighbours + 1, len(described))  # one is the picture itself
        plain, mirrored = (d.reshape(len(d), -1) for d in (described, described[:, ::-1]))
        found = find_nearest(plain, (plain, mirrored), count, exact)
        queries = np.repeat(np.arange(len(plain)), count)
        others = np.concatenate([ids.ravel() for _, ids in found])
        pairs = np.stack([np.tile(queries, 2), others, np.arange(len(others)) >= len(queries)])
        distances = np.concatenate([distance.ravel() for distance, _ in found])
        kept = (pairs[1] >= 0) & (pairs[0] != pairs[1])
        return _sort(pairs[:, kept], distances[kept])

    def compare(self, pairs: Sequence[tuple[int, int]]) -> Iterator[Link]:
        """Measure pairs at the best of all four flips, in the order given."""
        for start in range(0, len(pairs), PAIRS_AT_ONCE):
            block = np.array(pairs[start : start + PAIRS_AT_ONCE], dtype=np.int64)
            both = [
                self._screen(Candidates(block[:, 0], block[:, 1], np.full(len(block), crosswise)))
                for crosswise in (False, True)
            ]
            crosswise = both[1][0] > both[0][0]
            seconds = np.where(crosswise, both[1][1], both[0][1])
            for (first, second), *flip in zip(block.tolist(), crosswise, seconds, strict=True):
                yield self._locate(first, second, bool(flip[0]), bool(flip[1]))

    def _measure(self, found: Candidates, least: float) -> Iterator[Link]:
        """Measure the candidates of which the screen shows more than the least."""
        if not len(found.first):
            return
        heights, seconds = self._screen(found)
        for row in np.flatnonzero(heights > least).tolist():
            yield self._locate(
                int(found.first[row]),
                int(found.second[row]),
                bool(found.crosswise[row]),
                bool(seconds[row]),
            )

    def _screen(self, found: Candidates) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        first, second = (
            np.stack([self._sketches[index].spectrum.band for index in indices.tolist()])
            for indices in (found.first, found.second)
        )
        return self._correlator.screen(first, second, found.crosswise)

    def _locate(self, first: int, second: int, crosswise: bool, is_second: bool) -> Link:
        one, other = self._sketches[first], self._sketches[second]
        match = self._correlator.match(
            one.spectrum.band,
            other.spectrum.band,
            flip_of(crosswise, is_second),
            (one.shape, other.shape),
        )
        return Link(first, second, match)


def _take(found: Candidates, rows: Sequence[int]) -> Candidates:
    return Candidates(found.first[rows], found.second[rows], found.crosswise[rows])


def _sort(pairs: Ints, distances: npt.NDArray[np.float32]) -> Candidates:
    """Pairs (3, n) of a query, a neighbour and 1 if crosswise: each once, nearest first."""
    low, high = np.minimum(pairs[0], pairs[1]), np.maximum(pairs[0], pairs[1])
    order = np.lexsort((pairs[2], high, low, distances))
    keys = np.stack([low, high, pairs[2]])[:, order]
    _, first_seen = np.unique(keys, axis=1, return_index=True)
    low, high, crosswise = keys[:, np.sort(first_seen)]
    return Candidates(low, high, crosswise.astype(bool))
