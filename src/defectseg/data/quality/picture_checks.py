"""The checks of pictures: facts and params in, copies and odd ones out."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from defectseg.data.quality.findings import CheckParams, Facts, Found
from defectseg.data.quality.measures import Measure
from defectseg.data.tile import Tile

TINY = 1e-9  # stands in for 0 in a logarithm


@dataclass(frozen=True)
class Scale:
    """How the values of a measure are compared."""

    is_ratio: bool  # whether twice and half are equally far from the median
    floor: float  # the least standard deviation that is believed, in grey levels or as a share


GREY = Scale(is_ratio=False, floor=1.0)
SHARE = Scale(is_ratio=True, floor=0.02)


def find_exact_duplicates(facts: Facts, params: CheckParams) -> Found | None:
    """Pictures of the same pixels; says where their labels differ."""
    groups = defaultdict(list)
    for tile in facts.tiles:
        groups[facts.measures[tile.id].picture_sha256].append(tile)
    same = [group for group in groups.values() if len(group) > 1]
    if not same:
        return None
    pairs = [(group[0], other) for group in same for other in group[1:]]
    return Found(
        f"{len(pairs)} pictures are copies, pixel for pixel, of {len(same)} others; "
        "keep one of each.",
        pictures=tuple(tile.id for group in same for tile in group),
        pairs=tuple((first.id, second.id) for first, second in pairs),
        pair_details=tuple(_compare_labels(first, second) for first, second in pairs),
    )


def find_near_duplicates(facts: Facts, params: CheckParams) -> Found | None:
    """Pictures that differ by less than compression or scaling would."""
    pairs = sorted(facts.duplicates, key=lambda each: (each.difference, each.first, each.second))
    if not pairs:
        return None
    return Found(
        f"{len(pairs)} pairs of pictures differ by less than {params.duplicate:g} grey levels: one "
        "photograph saved, cropped or scaled again, or taken twice; keep one of each.",
        pictures=tuple(sorted({name for each in pairs for name in (each.first, each.second)})),
        pairs=tuple((each.first, each.second) for each in pairs),
        pair_details=tuple(f"{each.difference:.1f} grey levels apart" for each in pairs),
    )


def find_size_outliers(facts: Facts, params: CheckParams) -> Found | None:
    """Pictures much larger or smaller than the others, by their area."""
    return _find_outliers(facts, params, "area", lambda m: m.width * m.height, SHARE, _show_area)


def find_brightness_outliers(facts: Facts, params: CheckParams) -> Found | None:
    """Pictures much darker or brighter than the others."""
    return _find_outliers(
        facts, params, "brightness", lambda m: m.brightness, GREY, "{:.0f}".format
    )


def find_contrast_outliers(facts: Facts, params: CheckParams) -> Found | None:
    """Pictures much flatter or harsher than the others."""
    return _find_outliers(facts, params, "contrast", lambda m: m.contrast, GREY, "{:.1f}".format)


def find_sharpness_outliers(facts: Facts, params: CheckParams) -> Found | None:
    """Pictures out of focus, or noisier than the others."""
    return _find_outliers(facts, params, "sharpness", lambda m: m.sharpness, SHARE, "{:.2f}".format)


def find_low_depth(facts: Facts, params: CheckParams) -> Found | None:
    """16-bit pictures that use fewer bits than params.yaml says."""
    bits = max(facts.largest_16_bit.values(), default=0).bit_length()
    if not facts.largest_16_bit or bits >= facts.bit_depth:
        return None
    ids = tuple(sorted(facts.largest_16_bit))
    return Found(
        f"{len(ids)} pictures of 16 bits use {bits} bits, not the {facts.bit_depth} of "
        "data_load.bit_depth, so they look dark; set it to what the camera has.",
        pictures=ids,
        details=tuple(f"largest value {facts.largest_16_bit[name]}" for name in ids),
    )


def robust_scores(values: Sequence[float], scale: Scale) -> npt.NDArray[np.float64]:
    """Distances from the median in robust standard deviations (1.4826 × MAD): (N,), signed.

    Where most values are equal their MAD is 0: then the mean absolute deviation stands in for it.
    Iglewicz and Hoaglin, "How to detect and handle outliers", 1993.
    """
    array = np.asarray(values, dtype=np.float64)
    if scale.is_ratio:
        array = np.log(np.maximum(array, TINY))
    distance = array - np.median(array)
    deviation = 1.4826 * np.median(np.abs(distance)) or 1.2533 * np.mean(np.abs(distance))
    return np.asarray(distance / max(float(deviation), scale.floor))


def _find_outliers(
    facts: Facts,
    params: CheckParams,
    name: str,
    value: Callable[[Measure], float],
    scale: Scale,
    show: Callable[[float], str] = "{:.2f}".format,
) -> Found | None:
    if not facts.tiles:
        return None
    values = [value(facts.measures[tile.id]) for tile in facts.tiles]
    scores = robust_scores(values, scale)
    odd = [k for k in np.argsort(-np.abs(scores), kind="stable") if abs(scores[k]) > params.outlier]
    if not odd:
        return None
    low, middle, high = (show(float(each)) for each in np.percentile(values, (5, 50, 95)))
    return Found(
        f"{len(odd)} pictures have an unusual {name}; look whether they belong to the set. "
        f"Of all pictures the median is {middle}, and 90 % lie between {low} and {high}.",
        pictures=tuple(facts.tiles[k].id for k in odd),
        details=tuple(
            f"{name} {show(values[k])}, {abs(scores[k]):.0f} standard deviations "
            + ("above" if scores[k] > 0 else "below")
            for k in odd
        ),
    )


def _show_area(pixels: float) -> str:
    return f"{pixels:,.0f} px".replace(",", "\u202f")


def _compare_labels(first: Tile, second: Tile) -> str:
    if first.defect_class != second.defect_class:
        return f"labelled {first.defect_class} and {second.defect_class}"
    same = first.defect_px == second.defect_px
    return "labelled alike" if same else f"{first.defect_px} and {second.defect_px} px of defect"
