"""The result of an annotation of Label Studio in, a drawing of its brushes and polygons out.

Shapes: H rows, W columns, K defect classes, P points.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from defectseg.data.labels.brush import decode_brush
from defectseg.data.labels.label import to_label
from defectseg.data.labels.polygons import fill_polygons
from defectseg.data.tile import CLEAN
from defectseg.errors import DataError

KINDS = frozenset({"brush", "polygon", "labels"})  # without the ending `labels`, see `_kind`
NO_MASKS = frozenset({"rectangle", "ellipse", "keypoint", "vector", "cuboid", "bitmask"})
SHOWN = 5  # regions named in one message

Size = Annotated[int, Field(ge=1, le=1_000_000)]
Percent = Annotated[float, Field(ge=-100, le=200)]  # neither NaN nor ∞
Name = Annotated[str, Field(max_length=200)]


class _Value(BaseModel):
    """Where a region is and how it is called."""

    rle: list[Any] | None = None
    points: list[tuple[Percent, Percent]] | None = Field(default=None, min_length=3)
    closed: bool = True
    brushlabels: list[Name] = []
    polygonlabels: list[Name] = []
    labels: list[Name] = []


class _Result(BaseModel):
    """One entry of a result that marks a place in the picture."""

    id: str | int | None = None
    value: _Value
    original_width: Size | None = None
    original_height: Size | None = None
    image_rotation: FiniteFloat | None = None


@dataclass(frozen=True, eq=False)
class Region:
    """One shape with its label."""

    name: str  # what messages call it
    label: str  # as `to_label` makes it
    brush: bytes | None  # see `data.brush`
    polygon: npt.NDArray[np.float64]  # (P, 2), x and y in percent of the picture; P = 0: a brush

    def draw(self, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Draw it alone: (H, W).

        Raises:
            DataError: It is damaged, or lies outside the picture.
        """
        if self.brush is not None:
            return decode_brush(self.brush, size)
        ring = self.polygon * np.array(size) / 100
        return fill_polygons([ring.ravel()], size)


@dataclass(frozen=True, eq=False)
class RegionDrawing:
    """What an annotation shows; later regions lie above earlier ones."""

    name: str  # of its task, as messages call it
    size: tuple[int, int] | None
    regions: tuple[Region, ...]

    @property
    def names(self) -> frozenset[str]:
        """See `Drawing.names`."""
        return frozenset(region.label for region in self.regions) - {CLEAN}

    def draw(self, size: tuple[int, int], index: Mapping[str, int]) -> npt.NDArray[np.uint8]:
        """See `Drawing.draw`."""
        if self.size not in {None, size}:
            raise DataError(f"drawn on a picture of {self.size} pixels, but this one has {size}")
        mask = np.zeros((size[1], size[0]), dtype=np.uint8)
        wrong = []
        for region in self.regions:
            value = index[region.label] if region.label != CLEAN else 0
            if not value:
                continue
            try:
                np.copyto(mask, np.uint8(value), where=region.draw(size))
            except DataError as error:
                wrong.append(f"{region.name}: {error}")
        _refuse(self.name, wrong)
        return mask


def read_drawing(name: str, result: Sequence[Any]) -> RegionDrawing:
    """Read the shapes of one annotation; choices, texts and relations are passed over.

    Raises:
        DataError: Some regions are damaged or are no masks; names them all.
    """
    regions, sizes, wrong = [], set(), []
    has_label = _labelled_ids(result)
    for number, content in enumerate(result, start=1):
        region = f"region {number}"
        try:
            entry = _read_entry(content, has_label)
            if entry is None:
                continue
            regions.append(_to_region(region, entry))
        except DataError as error:
            wrong.append(f"{region}: {error}")
        else:
            if entry.original_width and entry.original_height:
                sizes.add((entry.original_width, entry.original_height))
    if len(sizes) > 1:
        wrong.append(f"the regions were drawn on pictures of different sizes: {sorted(sizes)}")
    _refuse(name, wrong)
    return RegionDrawing(name, next(iter(sizes), None), tuple(regions))


def _refuse(name: str, wrong: Sequence[str]) -> None:
    """Raises: DataError: Something is wrong with regions."""
    if wrong:
        rest = len(wrong) - SHOWN
        more = [f"and {rest} more"] if rest > 0 else []
        raise DataError(f"{name}, {'; '.join([*wrong[:SHOWN], *more])}")


def _kind(content: Any) -> str:
    """`brush` of `brushlabels` and `brush`, `labels` of `labels`."""
    kind = content.get("type") if isinstance(content, Mapping) else None
    if not isinstance(kind, str):
        raise DataError("an entry of the result without a type; export again as JSON")
    return kind.lower() if kind.lower() == "labels" else kind.lower().removesuffix("labels")


def _labelled_ids(result: Sequence[Any]) -> frozenset[str]:
    """Ids of the regions whose label is an entry of its own, which repeats the shape."""
    return frozenset(
        str(each.get("id"))
        for each in result
        if isinstance(each, Mapping) and each.get("type") == "labels" and "id" in each
    )


def _read_entry(content: Any, has_label: frozenset[str]) -> _Result | None:
    """Check one entry; None: it marks no place, or another entry repeats it with its label."""
    kind = _kind(content)
    if kind in NO_MASKS:
        raise DataError(f"a {kind} is no mask; draw a brush or a polygon instead")
    is_repeated = content["type"] == kind != "labels" and str(content.get("id")) in has_label
    if kind not in KINDS or is_repeated:
        return None
    try:
        entry = _Result.model_validate(content)
    except ValidationError as error:
        fault = error.errors()[0]
        raise DataError(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error
    is_shape = entry.value.rle is not None or entry.value.points is not None
    return entry if is_shape or kind != "labels" else None


def _to_region(name: str, entry: _Result) -> Region:
    value = entry.value
    labels = [*value.brushlabels, *value.polygonlabels, *value.labels]
    if len(labels) != 1:
        raise DataError(f"it has {len(labels)} labels {labels[:5]}; give it one")
    if entry.image_rotation is not None and entry.image_rotation % 360:
        raise DataError(
            f"drawn on the picture rotated by {entry.image_rotation}°; rotate it back in the tool"
        )
    if (value.rle is None) == (value.points is None):
        raise DataError("expected either value.rle, a brush, or value.points, a polygon")
    if not value.closed:
        raise DataError("the polygon is open; close it")
    polygon = np.array(value.points or np.empty((0, 2)), dtype=np.float64)
    return Region(name, to_label(labels[0]), _to_stream(value.rle), polygon)


def _to_stream(rle: list[Any] | None) -> bytes | None:
    if rle is None:
        return None
    try:
        return bytes(rle)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"value.rle holds something else than bytes, 0..255: {error}") from error
