"""Textures in, how alike any two of them are at the best shift and flip out.

The cross-correlation of the lower half of the frequencies, whitened in part. Whitening sharpens the
peak: see Knapp and Carter, "The generalized correlation method for estimation of time delay", 1976.
The upper half is mostly noise of the sensor, which no two photographs share. Strong edges are cut
off and textures fade out towards the rim: blotches and tiles of one shape are no sign of one
surface. On the magnetic tiles different surfaces reach 0.15 and surfaces hold together from 0.25
on; with all frequencies, and edges as they are, the two overlap.
A mirrored texture needs no transform of its own: its spectrum is that of the texture with rows
reversed, conjugated, or both.

P is the side of the grid of shifts. A spectrum is kept as its lower half: R = 2 M + 1 rows of the
frequencies -M..M, M + 1 columns of 0..M. h, w are rows and columns of a texture, n pairs.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

Float = npt.NDArray[np.float32]
Complex = npt.NDArray[np.complex64]
Band = npt.NDArray[np.int8]  # (R, M + 1, 2) real and imaginary part, each spectrum scaled to ±127
Bands = npt.NDArray[np.int8]  # (n, R, M + 1, 2)
Flags = npt.NDArray[np.bool_]
Shape = tuple[int, ...]
Flip = tuple[bool, bool]  # upside down, left-right

LEAST_SIDE = 64  # pixels: the smallest P, so that the spectrum has enough to describe
EDGE = 0.5  # local contrasts: more deviation than this counts as this
RIM = 6  # texture px over which a texture fades out
WHITENING = 0.75  # exponent: 0 keeps the magnitudes, 1 makes them all alike
REACH = 20  # steps up and down in a description
WIDTH = 24  # steps to the right in a description


@dataclass(frozen=True)
class Spectrum:
    """What is kept of a texture's spectrum, for a picture of any size about 14 kB."""

    band: Band  # whitened in part
    description: npt.NDArray[np.float16]  # (2 REACH + 1, WIDTH) of norm 1; no shift changes it


@dataclass(frozen=True)
class Match:
    """Where two textures are most alike."""

    similarity: float  # -1..1
    mirrored: Flip  # of the second
    shift: tuple[int, int]  # texture px: (r, c) of the mirrored second is (r, c) + shift of first


def choose_side(longest: int) -> int:
    """The P that holds textures up to a length and is fast to transform."""
    return int(fft.next_fast_len(max(LEAST_SIDE, longest), real=True))


def take_spectrum(texture: Float, side: int) -> Spectrum:
    """Transform a texture (h, w), at most P × P."""
    rows, columns = (_fade(length) for length in texture.shape)
    even = np.clip(texture, -EDGE, EDGE) * rows[:, None] * columns
    spectrum = fft.rfft2(even, (side, side))
    magnitude = np.abs(spectrum)
    most = side // 4 - 1
    kept = np.ix_(np.arange(-most, most + 1), np.arange(most + 1))
    band = spectrum[kept] / (magnitude[kept] ** WHITENING + 1e-3)
    parts = np.stack([band.real, band.imag], axis=-1)
    parts *= 127 / max(float(np.abs(parts).max()), 1e-3)
    return Spectrum(np.round(parts).astype(np.int8), describe(magnitude, side))


def describe(magnitude: Float, side: int) -> npt.NDArray[np.float16]:
    """How a spectrum's magnitude (P, P // 2 + 1) deviates from its surroundings, on a coarse grid.

    A texture turned by 180° has the same description, a mirrored one has its rows reversed.
    """
    step = max(1, side // 72)
    reach = REACH * step
    lower = magnitude[np.arange(-reach, reach + 1), : WIDTH * step]
    level = np.log(lower / (np.sqrt(np.mean(lower * lower)) + 1e-6) + 0.3)
    coarse = ndimage.uniform_filter(level, step | 1, mode="nearest")[::step, ::step]
    deviation = coarse - ndimage.uniform_filter(coarse, 7, mode="nearest")
    return np.asarray(deviation / (np.linalg.norm(deviation) + 1e-6), dtype=np.float16)


class Correlator:
    """Compares spectra of one P."""

    def __init__(self, side: int) -> None:
        self._side = side
        self._coarse = int(fft.next_fast_len(2 * (side // 4) - 1, real=True))

    def screen(self, first: Bands, second: Bands, crosswise: Flags) -> tuple[Float, Flags]:
        """How alike n pairs of bands are, at least, on the coarsest grid of shifts: (n,) in -1..1.

        A peak between two shifts of that grid shows 0.41 of its height or more: sinc² of a half.

        Args:
            crosswise: (n,) try the second upside down and left-right; else as it is and both.

        Returns:
            The similarity, and whether it is the second of the two flips that has it.
        """
        second = second.copy()
        second[crosswise] = second[crosswise, ::-1]
        one, other = _to_complex(first), _to_complex(second)
        heights = [
            _correlate(one * spectrum, self._coarse).max(axis=(1, 2))
            for spectrum in (np.conj(other), other)
        ]
        scale = self._coarse**2 / (_norm(one) * _norm(other))
        return np.maximum(*heights) * scale, heights[1] > heights[0]

    def match(
        self, first: Band, second: Band, mirrored: Flip, shapes: tuple[Shape, Shape]
    ) -> Match:
        """Find the shift at which two textures of these shapes (h, w) are most alike in a flip."""
        if mirrored[0] != mirrored[1]:
            second = second[::-1]
        one, other = _to_complex(first[None]), _to_complex(second[None])
        values = _correlate(one * (other if mirrored[1] else np.conj(other)), self._side)[0]
        peak = int(values.argmax())
        shift = [
            _unwrap(place - (lengths[1] - 1) * flipped, self._side, lengths)
            for place, flipped, lengths in zip(
                divmod(peak, self._side), mirrored, zip(*shapes, strict=True), strict=True
            )
        ]
        scale = self._side**2 / (_norm(one) * _norm(other))
        return Match(float(values.flat[peak] * scale[0]), mirrored, (shift[0], shift[1]))


def flip_of(crosswise: bool, second: bool) -> Flip:
    """The flip that `Correlator.screen` means: upside down, left-right."""
    return (not second, second) if crosswise else (second, second)


def _fade(length: int) -> Float:
    """Weights (length,) that fall towards both ends."""
    places = np.arange(length)
    to_end = np.minimum(places, length - 1 - places) + 1
    return np.minimum(1, to_end / RIM, dtype=np.float32)


def _to_complex(bands: Bands) -> Complex:
    """(n, R, M + 1, 2) → (n, R, M + 1)."""
    return bands.astype(np.float32).view(np.complex64)[..., 0]


def _norm(bands: Complex) -> Float:
    """The root of the energy over all frequencies (n,), those left of column 0 included."""
    energy = np.abs(bands) ** 2
    total = 2 * energy.sum(axis=(1, 2)) - energy[:, :, 0].sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(total, 1e-12)), dtype=np.float32)


def _correlate(product: Complex, side: int) -> Float:
    """Transform products of bands (n, R, M + 1) back: (n, side, side), a value a shift."""
    most = product.shape[1] // 2
    padded = np.zeros((len(product), side, product.shape[2]), dtype=np.complex64)
    padded[:, : most + 1] = product[:, most:]
    padded[:, side - most :] = product[:, :most]
    rows = fft.ifft(padded, axis=1, overwrite_x=True)
    return np.asarray(fft.irfft(rows, n=side, axis=2), dtype=np.float32)


def _unwrap(shift: int, side: int, lengths: Shape) -> int:
    """Of the shifts that are one and the same on the grid, that at which most of both overlaps."""
    right = shift % side
    left = right - side
    first, second = lengths
    return right if min(first, right + second) - right >= min(first, left + second) else left
