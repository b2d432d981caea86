"""Pictures in, the physical surface that each one shows out: siblings must not straddle a split.

Two photographs of one surface share its texture, whatever the exposure, a shift, a crop or a flip.
Three steps, none of them over all pairs of pictures:

1. Texture: each picture is reduced to the relief that exposure does not change (surfaces/texture).
2. Candidates: the `neighbours` nearest pictures by the magnitude spectrum, which no shift changes,
   and as many by that of the mirrored picture (surfaces/neighbours).
3. Proof: the highest whitened cross-correlation over all shifts and flips must pass `similarity`
   (surfaces/correlation).

Linked pictures are one surface. N pictures.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator, model_validator

from defectseg.data.surfaces.correlation import choose_side, take_spectrum
from defectseg.data.surfaces.linking import Link, Linker, Sketch
from defectseg.data.surfaces.texture import Texture, choose_factor, choose_longest, take_texture
from defectseg.params import Section

SHOWN = 12  # pairs above the threshold, and as many below, that a report shows


class SurfaceParams(Section):
    """params.yaml: data_load.surfaces."""

    source: Literal["pixels", "column", "regex", "none"]
    column: str  # of pictures.csv, source: column
    regex: str | None  # searched in a picture's path, source: regex
    similarity: float = Field(gt=0, lt=1)
    neighbours: int = Field(ge=1, le=200)

    @field_validator("regex")
    @classmethod
    def check_regex(cls, regex: str | None) -> str | None:
        """Refuse what does not compile."""
        try:
            re.compile(regex or "")
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        return regex

    @model_validator(mode="after")
    def check_source(self) -> Self:
        """Refuse a source that lacks what it works with."""
        if self.source == "regex" and not self.regex:
            raise ValueError("source is regex but regex is empty; give one or choose pixels")
        if self.source == "column" and not self.column:
            raise ValueError("source is column but column is empty; name one or choose pixels")
        return self


@dataclass(frozen=True)
class Pair:
    """Two pictures that were compared."""

    first: str  # id
    second: str  # id
    similarity: float  # highest whitened cross-correlation over shifts and flips, -1..1
    mirrored: tuple[bool, bool]  # second must be turned upside down, left-right to fit first
    shift: tuple[int, int]  # px: (r, c) of the mirrored second is (r, c) + shift of first


@dataclass(frozen=True)
class Surfaces:
    """The surface of every picture, and the pairs that tell how sure that is."""

    names: dict[str, str]  # picture id → surface
    siblings: tuple[Pair, ...]  # neighbours by brightness within each surface, darker first
    nearest: tuple[Pair, ...]  # most similar last; up to SHOWN a side of the threshold


@dataclass(frozen=True)
class _Picture:
    """What is kept of a picture: about 14 kB, whatever its size."""

    sketch: Sketch
    brightness: float  # mean grey, 0..255
    before: tuple[int, int]  # px of the picture above and left of its texture
    after: tuple[int, int]  # px of the picture below and right of its texture
    name: str  # of the surface, where it is told


class SurfaceFinder:
    """Collects the textures of pictures, one at a time, then says which show the same surface."""

    def __init__(self, params: SurfaceParams, sizes: Sequence[tuple[int, int]]) -> None:
        """Args: sizes: (width, height) of every picture that will be added; sets the one scale."""
        self._params = params
        self._factor = choose_factor(sizes)
        self._longest = choose_longest(sizes, self._factor)
        self._side = choose_side(self._longest)
        self._pictures: dict[str, _Picture] = {}

    def add(self, picture_id: str, picture: npt.NDArray[np.uint8], name: str = "") -> None:
        """Add one picture: (H, W, C) in 0..255, of a surface that a column or a regex names."""
        texture: Texture = take_texture(picture, self._factor, self._longest)
        spectrum = take_spectrum(texture.values, self._side)
        self._pictures[picture_id] = _Picture(
            Sketch(spectrum, texture.values.shape),
            texture.brightness,
            texture.before,
            texture.after,
            name,
        )

    def find(self) -> Surfaces:
        """Say which pictures show one surface; the order in which they came does not matter."""
        ids = sorted(self._pictures)
        linker = self.linker()
        nearest: tuple[Pair, ...] = ()
        if self._params.source == "pixels":
            groups, measured = linker.link(self._params.similarity, self._params.neighbours)
            first = _first_members(groups.subsets())
            names = {key: f"surface_{ids[first[index]]}" for index, key in enumerate(ids)}
            nearest = self._nearest([self._to_pair(ids, link) for link in measured])
        elif self._params.source == "none":
            names = {key: f"surface_{key}" for key in ids}
        else:
            names = {key: self._pictures[key].name for key in ids}
        siblings = linker.compare(self._neighbours(ids, names))
        return Surfaces(names, tuple(self._to_pair(ids, link) for link in siblings), nearest)

    def linker(self) -> Linker:
        """What compares the pictures added so far, indexed in the order of their ids."""
        sketches = [self._pictures[key].sketch for key in sorted(self._pictures)]
        return Linker(sketches, self._side)

    def _neighbours(self, ids: Sequence[str], names: Mapping[str, str]) -> list[tuple[int, int]]:
        """Pairs of indices: neighbours in brightness within each surface, darker first."""
        members = defaultdict(list)
        for index, key in enumerate(ids):
            members[names[key]].append((self._pictures[key].brightness, index))
        return [
            (darker, brighter)
            for name in sorted(members)
            for (_, darker), (_, brighter) in pairwise(sorted(members[name]))
        ]

    def _nearest(self, pairs: Sequence[Pair]) -> tuple[Pair, ...]:
        limit = self._params.similarity
        ranked = sorted(pairs, key=lambda pair: (pair.similarity, pair.first, pair.second))
        below = [pair for pair in ranked if pair.similarity <= limit]
        above = [pair for pair in ranked if pair.similarity > limit]
        return (*below[-SHOWN:], *above[:SHOWN])

    def _to_pair(self, ids: Sequence[str], link: Link) -> Pair:
        first, second = ids[link.first], ids[link.second]
        one, other, match = self._pictures[first], self._pictures[second], link.match
        begins = [
            (other.after if flipped else other.before)[axis]
            for axis, flipped in enumerate(match.mirrored)
        ]
        rows, columns = (
            shift * self._factor + before - begin
            for shift, before, begin in zip(match.shift, one.before, begins, strict=True)
        )
        return Pair(first, second, match.similarity, match.mirrored, (rows, columns))


def _first_members(groups: Iterable[set[int]]) -> dict[int, int]:
    """The first member of each index's group."""
    first: dict[int, int] = {}
    for group in groups:
        first.update(dict.fromkeys(group, min(group)))
    return first
