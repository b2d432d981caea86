"""Pictures in, the physical surface that each one shows out: siblings must not straddle a split.

Two photographs of one surface share its texture, whatever the exposure and a few pixels of shift.
Three steps, none of them over all pairs of full pictures:

1. Texture: each picture is reduced to about `SIDE` pixels a side (one factor for the whole set, so
   that scale is kept), high-passed and normalised by its local contrast; row and column means are
   taken off, else the straight edges that all tiles share would count as likeness.
2. Candidates: the `neighbours` nearest pictures by the magnitude spectrum, which no shift changes.
3. Proof: the highest value of the half-whitened cross-correlation over all shifts must pass
   `similarity`. Whitening sharpens the peak: see Knapp and Carter, "The generalized correlation
   method for estimation of time delay", 1976.

Linked pictures are one surface. N pictures, P side of the correlation grid, D descriptor length.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import fft, ndimage
from scipy.cluster.hierarchy import DisjointSet
from sklearn.neighbors import NearestNeighbors
from tqdm import tqdm

from defectseg.params import Section

Float = npt.NDArray[np.float32]
SIDE = 100  # pixels: the side of the square with as many pixels as a reduced picture
GRID = 256  # pixels: the largest P; a longer texture is cut
LEAST_GRID = 64  # pixels: the smallest P, so that the spectrum has enough to describe
QUANTUM = 32  # textures are kept as int8 in steps of 1/32 of the local contrast
SPECTRA_KEPT = 1024  # spectra in memory at once: 270 MB at the largest P


class SurfaceParams(Section):
    """params.yaml: data_load.surfaces."""

    similarity: float = Field(gt=0, lt=1)
    neighbours: int = Field(ge=1, le=200)


class SurfaceFinder:
    """Collects the textures of pictures, one at a time, then says which show the same surface."""

    def __init__(self, params: SurfaceParams, sizes: Sequence[tuple[int, int]]) -> None:
        """Args: sizes: (width, height) of every picture that will be added; sets the one scale."""
        self._params = params
        area = float(np.median([width * height for width, height in sizes])) if sizes else 1.0
        self._factor = max(1, round(area**0.5 / SIDE))
        self._ids: list[str] = []
        self._textures: list[npt.NDArray[np.int8]] = []

    def add(self, picture_id: str, picture: npt.NDArray[np.uint8]) -> None:
        """Add one picture: (H, W, C) in 0..255."""
        grey = picture.mean(axis=2, dtype=np.float32)
        texture = to_texture(reduce_picture(grey, self._factor))[:GRID, :GRID]
        self._ids.append(picture_id)
        self._textures.append(np.round(texture * QUANTUM).astype(np.int8))

    def surfaces(self) -> dict[str, str]:
        """The surface of each picture, named after the first of its pictures by id."""
        names: dict[str, str] = {}
        for group in self._groups().subsets():
            ids = sorted(self._ids[index] for index in group)
            names.update(dict.fromkeys(ids, f"surface_{ids[0]}"))
        return names

    def _groups(self) -> "DisjointSet[int]":
        groups = DisjointSet(range(len(self._ids)))
        if len(self._ids) < 2:
            return groups
        longest = max(LEAST_GRID, *(max(texture.shape) for texture in self._textures))
        side = fft.next_fast_len(longest, real=True)

        @lru_cache(maxsize=SPECTRA_KEPT)
        def spectrum(index: int) -> npt.NDArray[np.complex64]:
            return whitened_spectrum(self._textures[index].astype(np.float32), side)

        candidates = tqdm(self._candidates(side), desc="surfaces", unit="picture")
        for first, nearest in enumerate(candidates):
            for second in map(int, nearest):
                if groups.connected(first, second):
                    continue
                alike = correlate(spectrum(first), spectrum(second), side)
                if alike > self._params.similarity:
                    groups.merge(first, second)
        return groups

    def _candidates(self, side: int) -> npt.NDArray[np.int64]:
        """Indices (N, neighbours) of the pictures with the most alike spectra, nearest first."""
        described = np.stack([describe(t.astype(np.float32), side) for t in self._textures])
        count = min(self._params.neighbours, len(described) - 1)
        finder = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(described)
        return np.asarray(finder.kneighbors(return_distance=False), dtype=np.int64)


def reduce_picture(grey: Float, factor: int) -> Float:
    """Average blocks of F × F pixels: (H, W) → (H // F, W // F), at least 1 × 1; F is `factor`."""
    factor = min(factor, *grey.shape)
    rows, columns = grey.shape[0] // factor, grey.shape[1] // factor
    blocks = grey[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def to_texture(grey: Float) -> Float:
    """High-passed grey over its local contrast, without row and column means: (H, W) in -6..6."""
    detail = grey - ndimage.gaussian_filter(grey, 3, mode="nearest")
    contrast = np.sqrt(ndimage.gaussian_filter(detail * detail, 6, mode="nearest"))
    texture = np.clip(detail / (contrast + 1.0), -3, 3)
    texture -= texture.mean(axis=0, keepdims=True)
    texture -= texture.mean(axis=1, keepdims=True)
    return np.asarray(np.clip(texture, -3.9, 3.9), dtype=np.float32)


def describe(texture: Float, side: int) -> Float:
    """The magnitude spectrum, coarse and flattened to its deviations: (D,) of length 1."""
    magnitude = np.log1p(np.abs(fft.rfft2(texture, (side, side))))
    coarse = ndimage.uniform_filter(fft.fftshift(magnitude, axes=0), side // 64)[:: side // 64]
    coarse = coarse[12:-12, : side // 3 : side // 64]  # the highest frequencies are sensor noise
    deviation = coarse - ndimage.uniform_filter(coarse, 5)
    return np.asarray(deviation / (np.linalg.norm(deviation) + 1e-6), dtype=np.float32).ravel()


def whitened_spectrum(texture: Float, side: int) -> npt.NDArray[np.complex64]:
    """The spectrum over the root of its magnitude, (side, side // 2 + 1), of unit energy."""
    spectrum = fft.rfft2(texture, (side, side))
    spectrum /= np.sqrt(np.abs(spectrum)) + 1e-3
    energy = fft.irfft2(np.abs(spectrum) ** 2, (side, side))[0, 0]
    return np.asarray(spectrum / np.sqrt(max(float(energy), 1e-12)), dtype=np.complex64)


def correlate(
    first: npt.NDArray[np.complex64], second: npt.NDArray[np.complex64], side: int
) -> float:
    """The highest correlation of two whitened spectra over all shifts, in [-1, 1]."""
    return float(fft.irfft2(first * np.conj(second), (side, side)).max())
