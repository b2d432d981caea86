"""One picture and its mask in, the few numbers out that tell an odd picture from its set.

Shapes: H rows, W columns, K defect classes. Regions are connected over edges and corners.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

Float = npt.NDArray[np.float32]
GREYS = np.arange(256)
CORNERS = np.ones((3, 3), dtype=int)  # the neighbours of a pixel: edges and corners
GRID = 8  # side of the signature
QUANTUM = 32  # the signature is kept in steps of 1/32 of the contrast of its means


@dataclass(frozen=True)
class Measure:
    """What the checks know of one picture without opening it again."""

    width: int  # px
    height: int  # px
    brightness: float  # mean grey, 0..255
    contrast: float  # standard deviation of grey, 0..127.5
    sharpness: float  # detail of about 4 px over that of 8 px, ≥ 0; exposure cancels out
    saturated: float  # share of pixels at 0 or 255, 0..1
    defect_px: int  # mask pixels above 0
    regions: int  # connected regions of defect, of any class
    largest_region_px: int  # 0 where there is none
    smallest_region_px: int  # 0 where there is none
    touches_border: bool  # whether a defect pixel lies in the first or last row or column
    class_px: tuple[int, ...]  # (K,) mask pixels of each class
    picture_sha256: str  # of size and grey values: equal for copies saved again without loss
    signature: bytes  # 64 int8: the picture as 8 × 8 means, normalised; alike at any scale


def measure(picture: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], classes: int) -> Measure:
    """Measure a picture (H, W, 1) in 0..255 with its mask (H, W) in 0..K, K being `classes`."""
    grey = np.ascontiguousarray(picture[:, :, 0])
    histogram = np.bincount(grey.ravel(), minlength=256)
    brightness = float((GREYS * histogram).sum()) / grey.size
    variance = float(((GREYS - brightness) ** 2 * histogram).sum()) / grey.size
    regions = measure_regions(mask)
    counts = np.bincount(mask.ravel(), minlength=classes + 1) if regions else np.zeros(classes + 1)
    height, width = grey.shape
    return Measure(
        width=width,
        height=height,
        brightness=brightness,
        contrast=variance**0.5,
        sharpness=measure_sharpness(grey),
        saturated=float(histogram[0] + histogram[255]) / grey.size,
        defect_px=sum(regions),
        regions=len(regions),
        largest_region_px=max(regions, default=0),
        smallest_region_px=min(regions, default=0),
        touches_border=any(map(np.any, (mask[0], mask[-1], mask[:, 0], mask[:, -1]))),
        class_px=tuple(int(count) for count in counts[1:]),
        picture_sha256=hashlib.sha256(f"{height}×{width}:".encode() + grey.tobytes()).hexdigest(),
        signature=sign_picture(grey),
    )


def measure_regions(mask: npt.NDArray[np.uint8]) -> list[int]:
    """The pixels of each connected region of defect in a mask (H, W), in reading order."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return []
    drawn = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] > 0
    labels, _ = ndimage.label(drawn, CORNERS)
    return [int(count) for count in np.bincount(labels.ravel())[1:]]


def measure_sharpness(grey: npt.NDArray[np.uint8]) -> float:
    """The energy of fine detail over that of detail twice as coarse, of a picture (H, W).

    The Laplacian of means over 2 × 2 pixels (so that the noise of the sensor counts less) over that
    of means over 4 × 4. Both grow alike with exposure and contrast; defocus takes the finer first.
    The Laplacian over the squared contrast, which is usual, follows the lighting: on the magnetic
    tiles its logarithm spreads 2.5 times as much, and a blur of 1.5 px stands out half as far.
    """
    fine = halve(grey.astype(np.float32))
    energies = [laplacian_energy(fine), laplacian_energy(halve(fine))]
    return energies[0] / energies[1] if energies[1] > 0 else 0.0


def halve(grey: Float) -> Float:
    """Means over 2 × 2 pixels: (H, W) → (H // 2, W // 2)."""
    rows, columns = (size // 2 * 2 for size in grey.shape)
    pairs = grey[:rows:2] + grey[1:rows:2]
    return np.asarray((pairs[:, :columns:2] + pairs[:, 1:columns:2]) / 4, dtype=np.float32)


def laplacian_energy(grey: Float) -> float:
    """The mean squared Laplacian of a picture (H, W); 0 for one of fewer than 3 pixels a side."""
    if min(grey.shape) < 3:
        return 0.0
    inner = grey[1:-1, 1:-1]
    edge = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return float(np.mean(edge * edge, dtype=np.float64))


def sign_picture(grey: npt.NDArray[np.uint8]) -> bytes:
    """The means over 8 × 8 parts of a picture (H, W), without brightness and contrast: 64 int8."""
    small = Image.fromarray(grey).convert("F").resize((GRID, GRID), Image.Resampling.BOX)
    means = np.asarray(small, dtype=np.float64)
    means = (means - means.mean()) / max(float(means.std()), 1e-6)
    return bytes(np.clip(np.round(means * QUANTUM), -127, 127).astype(np.int8).tobytes())
