"""A seed in, a folder of drawn magnetic tiles out, in the layout of the real data set.

Every surface is drawn once and photographed up to six times, as the real ones were: another
exposure, a shift of a few pixels, fresh noise. Each surface has its own random generator, so a
larger set begins with the surfaces of a smaller one.
Shapes: H rows, W columns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import Field, model_validator
from tqdm import tqdm

from defectseg.data.synthetic.defects import PAINTERS, Mask
from defectseg.data.synthetic.shapes import Float, Shape, draw_near_normal
from defectseg.data.synthetic.surface import MARGIN, draw_clean
from defectseg.params import Section

FREE = "Free"  # the real data set's name for tiles without a defect
EXPOSURES = (67, 83, 101, 118, 135, 154)  # mean grey of exp1..exp6, as in the real data set
MODELS = (  # tiles come in a few sizes: (width, height), 0 the least and 1 the most of the params
    (0.04, 0.45),
    (0.22, 0.60),
    (0.28, 0.85),
    (0.30, 0.30),
    (0.45, 0.55),
    (0.80, 0.10),
    (0.95, 0.75),
)
JPEG_QUALITY = 90


class SyntheticParams(Section):
    """params.yaml: data_load.synthetic."""

    seed: int = Field(ge=0, description="seed of every surface; another seed, other tiles")
    pictures: int = Field(ge=1, description="pictures to write, exactly")
    clean_fraction: float = Field(ge=0, le=1, description="share of surfaces without a defect")
    width: tuple[int, int] = Field(description="least and most width of a tile, px")
    height: tuple[int, int] = Field(description="least and most height of a tile, px")

    @model_validator(mode="after")
    def check_ranges(self) -> Self:
        """Refuse sizes that no defect fits into and ranges the wrong way round."""
        for name, (low, high) in (("width", self.width), ("height", self.height)):
            if not 96 <= low <= high <= 2048:
                raise ValueError(f"{name} {[low, high]} must be least, most within 96..2048 px")
        return self


@dataclass(frozen=True)
class Surface:
    """One drawn tile, ready to be photographed."""

    name: str
    kind: str  # FREE or a key of PAINTERS
    tone: Float  # (H, W) natural logarithm of the brightness; mean brightness 1; with margin
    mask: Mask  # (H, W)


@dataclass(frozen=True)
class Photograph:
    """One picture of a surface and its mask."""

    exposure: int  # 1..6
    image: npt.NDArray[np.uint8]  # (H, W)
    mask: Mask  # (H, W)


def write_synthetic(folder: Path, params: SyntheticParams) -> dict[str, str]:
    """Write `MT_<Class>/Imgs/<id>.jpg` and `.png`, its mask, for every picture.

    Returns:
        The true surface of every picture, by picture id. Ids do not tell the surface, as in the
        real data set.
    """
    for kind in (FREE, *PAINTERS):
        (folder / f"MT_{kind}" / "Imgs").mkdir(parents=True, exist_ok=True)
    surfaces: dict[str, str] = {}
    with tqdm(total=params.pictures, desc="synthetic", unit="picture") as progress:
        for surface, photograph in draw_photographs(params):
            picture = f"exp{photograph.exposure}_num_{len(surfaces):06d}"
            path = folder / f"MT_{surface.kind}" / "Imgs" / picture
            Image.fromarray(photograph.image).save(f"{path}.jpg", quality=JPEG_QUALITY)
            Image.fromarray(photograph.mask).save(f"{path}.png", compress_level=1)
            surfaces[picture] = surface.name
            progress.update()
    return surfaces


def draw_photographs(params: SyntheticParams) -> Iterator[tuple[Surface, Photograph]]:
    """Draw surface after surface and yield `params.pictures` photographs, one at a time."""
    left = params.pictures
    for index in count():
        rng = np.random.default_rng([params.seed, index])
        surface = draw_surface(rng, index, params)
        taken = np.sort(rng.permutation(len(EXPOSURES))[: 1 + rng.binomial(5, 0.4)])
        for exposure in taken[:left]:
            yield surface, take_photograph(rng, surface, int(exposure) + 1)
        left -= len(taken[:left])
        if left == 0:
            return


def choose_kind(index: int, clean_fraction: float) -> str:
    """Choose the class of a surface by its number alone: evenly spread, so any start is mixed."""
    clean = int((index + 1) * clean_fraction + 0.5)  # clean surfaces up to and with this one
    if clean > int(index * clean_fraction + 0.5):
        return FREE
    return tuple(PAINTERS)[(index - clean) % len(PAINTERS)]


def draw_surface(rng: np.random.Generator, index: int, params: SyntheticParams) -> Surface:
    """Draw one surface with the defect that is its turn."""
    kind = choose_kind(index, params.clean_fraction)
    shape = draw_size(rng, params)
    canvas = draw_clean(rng, shape)
    mask = PAINTERS[kind](rng, canvas) if kind in PAINTERS else np.zeros(shape, dtype=np.uint8)
    tone = canvas.light + canvas.texture
    brightness = np.exp(tone[::3, ::3]).mean()  # every ninth pixel is enough for a mean
    tone += np.float32(rng.normal(0, 0.06)) - np.log(brightness)
    return Surface(f"surface_{index:05d}", kind, tone, mask)


def draw_size(rng: np.random.Generator, params: SyntheticParams) -> Shape:
    """Draw the size of a surface, margin included: that of a model, give or take 2 %."""
    model = MODELS[rng.integers(len(MODELS))]
    width, height = (
        round((low + share * (high - low)) * rng.uniform(0.98, 1.02)) + 2 * MARGIN
        for share, (low, high) in zip(model, (params.width, params.height), strict=True)
    )
    return height, width


def take_photograph(rng: np.random.Generator, surface: Surface, exposure: int) -> Photograph:
    """Photograph a surface: its own crop, gain, contrast and noise every time."""
    top, bottom, left, right = (int(cut) for cut in rng.integers(MARGIN // 2, MARGIN + 3, 4))
    rows = slice(top, surface.tone.shape[0] - bottom)
    columns = slice(left, surface.tone.shape[1] - right)
    gamma, gain = rng.normal(1, 0.03), EXPOSURES[exposure - 1] * np.exp(rng.normal(0, 0.02))
    image = np.exp(np.float32(gamma) * surface.tone[rows, columns]) * np.float32(gain)
    deviation = np.sqrt(2 + 0.05 * image)  # grey levels: read-out noise and shot noise of the light
    image += deviation * draw_near_normal(rng, (image.shape[0], image.shape[1]))
    pixels = np.clip(image + 0.5, 0, 255, out=image).astype(np.uint8)
    return Photograph(exposure, pixels, np.ascontiguousarray(surface.mask[rows, columns]))
