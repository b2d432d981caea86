"""The checks of labels: facts and params in, what is odd about the masks out."""

import numpy as np

from defectseg.data.quality.findings import CheckParams, Facts, Found, share_of_defect, tell_of_each


def find_mixed_labels(facts: Facts, params: CheckParams) -> Found | None:
    """Surfaces with a defect that is labelled in some of their pictures only."""
    found = facts.agreement.contradictions
    if not found:
        return None
    surfaces = len({each.surface for each in found})
    classes = {tile.id: tile.defect_class for tile in facts.tiles}
    return Found(
        f"{len({each.picture for each in found})} pictures of {surfaces} surfaces lack a defect "
        "that another picture of the same surface has at a place that both show; "
        "draw it in all of them or in none.",
        pictures=tuple(sorted({each.picture for each in found})),
        pairs=tuple((each.picture, each.sibling) for each in found),
        pair_details=tuple(
            f"the first is labelled {classes[each.picture]}, the second has {each.defect_class}, "
            f"{each.defect_px} px of it ({each.inside:.0%}) where the first looks"
            for each in found
        ),
    )


def find_disagreement(facts: Facts, params: CheckParams) -> Found | None:
    """Pairs whose two masks of one surface differ much; tells the ceiling."""
    low = [each for each in facts.agreement.compared if each.dice < params.least_agreement]
    if not low:
        return None
    low.sort(key=lambda each: (each.dice, each.first))
    ceiling, interval = facts.agreement.ceiling, facts.agreement.interval
    said = "" if ceiling.dice is None else f" All pairs together agree at {ceiling.dice:.3f}"
    said += f" ({interval[0]:.3f} to {interval[1]:.3f})" if said and interval else ""
    said += ": no model can be judged above it." if said else ""
    return Found(
        f"{len(low)} of {ceiling.pairs} pairs of masks of one surface have a Dice below "
        f"{params.least_agreement:g}; look which of the two is right.{said}",
        pictures=tuple(sorted({name for each in low for name in (each.first, each.second)})),
        pairs=tuple((each.first, each.second) for each in low),
        pair_details=tuple(f"Dice {each.dice:.2f}" for each in low),
    )


def find_tiny_defects(facts: Facts, params: CheckParams) -> Found | None:
    """Masks with a region of a few pixels: specks of a brush, or defects nobody can learn."""
    tiles = [
        tile
        for tile in facts.tiles
        if 0 < facts.measures[tile.id].smallest_region_px < params.tiny_px
    ]
    return tell_of_each(
        facts,
        tiles,
        f"{len(tiles)} masks have a region of fewer than {params.tiny_px} pixels; "
        "remove specks that a brush left.",
        lambda m: f"smallest region {m.smallest_region_px} px of {m.regions} regions",
    )


def find_full_masks(facts: Facts, params: CheckParams) -> Found | None:
    """Masks that cover nearly everything, such as inverted ones."""
    tiles = [
        tile for tile in facts.tiles if share_of_defect(facts.measures[tile.id]) > params.full_share
    ]
    return tell_of_each(
        facts,
        tiles,
        f"{len(tiles)} masks cover more than {params.full_share:.0%} of their picture; "
        "check that they are not inverted.",
        lambda m: f"{share_of_defect(m):.1%} is defect",
    )


def find_border_defects(facts: Facts, params: CheckParams) -> Found | None:
    """Defects that the border of the picture cuts."""
    tiles = [tile for tile in facts.tiles if facts.measures[tile.id].touches_border]
    return tell_of_each(
        facts,
        tiles,
        f"{len(tiles)} masks touch the border of their picture: part of the defect may be "
        "missing; photograph a wider part where its size matters.",
        lambda m: f"{m.defect_px} px of defect",
    )


def find_grey_masks(facts: Facts, params: CheckParams) -> Found | None:
    """Masks with values between background and defect."""
    ranked = sorted(facts.grey_masks.items(), key=lambda item: (-item[1].share, item[0]))
    grey = {name: mask for name, mask in ranked if mask.share > params.grey_share}
    if not grey:
        return None
    ratios = [mask.area_ratio for mask in grey.values() if mask.area_ratio > 0]
    median = f"{np.median(ratios):.2f}" if ratios else "many"
    return Found(
        f"{len(grey)} masks are grey at their edges, not only black and white: their defects are "
        f"{median} times (median) as large if every grey pixel counts; "
        "check data_load.mask_threshold, and export masks without smoothing.",
        pictures=tuple(grey),
        details=tuple(
            f"{mask.share:.0%} of the drawn pixels are grey, "
            + (f"area ratio {mask.area_ratio:.2f}" if mask.area_ratio > 0 else "none passes")
            for mask in grey.values()
        ),
    )


def find_unused_labels(facts: Facts, params: CheckParams) -> Found | None:
    """Labels that params name and the source has not."""
    if not facts.unused_labels:
        return None
    return Found(
        f"data_load.rename or ignore names labels that the source does not have: "
        f"{', '.join(facts.unused_labels)}; correct or remove them."
    )
