"""The list of the checks: each has a name, one sentence for the report, and a function."""

from collections.abc import Callable
from dataclasses import dataclass

from defectseg.data.quality.class_balance import find_imbalance
from defectseg.data.quality.findings import CheckParams, Facts, Finding, Found
from defectseg.data.quality.label_checks import (
    find_border_defects,
    find_disagreement,
    find_full_masks,
    find_grey_masks,
    find_mixed_labels,
    find_tiny_defects,
    find_unused_labels,
)
from defectseg.data.quality.picture_checks import (
    find_brightness_outliers,
    find_contrast_outliers,
    find_exact_duplicates,
    find_low_depth,
    find_near_duplicates,
    find_sharpness_outliers,
    find_size_outliers,
)


@dataclass(frozen=True)
class Check:
    """One question that is asked of every data set."""

    name: str  # a key of CheckParams
    about: str  # for whoever reads the report: what it means, and why it matters
    find: Callable[[Facts, CheckParams], Found | None]

    def run(self, facts: Facts, params: CheckParams) -> Finding | None:
        """Ask it, unless it is off; None: nothing is wrong."""
        severity = params.severity(self.name)
        found = self.find(facts, params) if severity != "off" else None
        return Finding(self.name, severity, **vars(found)) if found else None


CHECKS = (
    Check(
        "exact_duplicates",
        "The same pixels twice count twice in every score, and teach nothing new.",
        find_exact_duplicates,
    ),
    Check(
        "near_duplicates",
        "A photograph saved again, cropped or scaled, or taken again without a change, "
        "adds no evidence.",
        find_near_duplicates,
    ),
    Check(
        "mixed_labels",
        "The same defect, labelled in one picture and not in the other, teaches the model both, "
        "and turns right answers into false alarms.",
        find_mixed_labels,
    ),
    Check(
        "label_agreement",
        "Two masks of one surface should agree; where they do not, one of them is wrong.",
        find_disagreement,
    ),
    Check(
        "tiny_defects",
        "Regions of a few pixels are mostly specks that a brush left.",
        find_tiny_defects,
    ),
    Check(
        "full_masks",
        "A mask that covers nearly everything is often an inverted one.",
        find_full_masks,
    ),
    Check(
        "border_defects",
        "A defect that the border cuts is only partly seen, so its size is not known.",
        find_border_defects,
    ),
    Check(
        "grey_masks",
        "Between background and defect a mask should have nothing: where grey begins to count "
        "decides how large every defect is.",
        find_grey_masks,
    ),
    Check(
        "size_outliers",
        "Pictures of an unusual size often come from another camera, or are cut-outs.",
        find_size_outliers,
    ),
    Check(
        "brightness_outliers",
        "Pictures much darker or brighter than the others may come from a fault of the lighting.",
        find_brightness_outliers,
    ),
    Check(
        "contrast_outliers",
        "A picture without contrast shows nothing; one with far too much may show another thing.",
        find_contrast_outliers,
    ),
    Check(
        "sharpness_outliers",
        "Out of focus, a picture hides fine defects; sharper than all others, it may be noise.",
        find_sharpness_outliers,
    ),
    Check(
        "class_balance",
        "A class on few surfaces can be neither learnt nor tested, however many pictures it has.",
        find_imbalance,
    ),
    Check(
        "low_depth",
        "A camera of 12 bits stored in 16 gives dark pictures unless that is known.",
        find_low_depth,
    ),
    Check(
        "unused_labels",
        "A label that is named in params.yaml and is not in the data is mostly a misspelt one.",
        find_unused_labels,
    ),
)
