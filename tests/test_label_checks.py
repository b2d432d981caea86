"""label_checks: what is odd about the masks."""

import numpy as np
import pytest

from defectseg.data.quality.agreement import Agreement, Score
from defectseg.data.quality.comparison import Comparison, Contradiction
from defectseg.data.quality.findings import Facts, GreyMask
from defectseg.data.quality.label_checks import (
    find_border_defects,
    find_disagreement,
    find_full_masks,
    find_grey_masks,
    find_mixed_labels,
    find_tiny_defects,
    find_unused_labels,
)
from facts import NO_AGREEMENT, check_params, make_facts, make_measure, make_tile

PARAMS = check_params(tiny_px=9, full_share=0.9, least_agreement=0.7, grey_share=0.02)


def facts_of(**defect_px: int) -> Facts:
    """Facts about pictures of 120 000 px with one region of defect each."""
    return make_facts(
        {
            name: make_measure(defect_px=px, smallest_region_px=px, regions=int(px > 0))
            for name, px in defect_px.items()
        }
    )


def test_a_region_of_fewer_pixels_is_tiny():
    found = find_tiny_defects(facts_of(a=8, b=9, c=0, d=1), PARAMS)
    assert found is not None
    assert found.pictures == ("a", "d")
    assert found.details == (
        "smallest region 8 px of 1 regions",
        "smallest region 1 px of 1 regions",
    )
    assert found.summary.startswith("2 masks have a region of fewer than 9 pixels")


def test_a_mask_of_more_than_the_share_is_full():
    found = find_full_masks(facts_of(a=108_000, b=108_001, c=120_000), PARAMS)
    assert found is not None
    assert found.pictures == ("b", "c")
    assert found.details[1] == "100.0% is defect"


def test_a_mask_at_the_border_is_named():
    measures = {"a": make_measure(), "b": make_measure(touches_border=True, defect_px=7)}
    found = find_border_defects(make_facts(measures), PARAMS)
    assert found is not None
    assert (found.pictures, found.details) == (("b",), ("7 px of defect",))


def test_sound_masks_are_no_finding():
    facts = facts_of(a=9, b=5000, c=0)
    for find in (find_tiny_defects, find_full_masks, find_border_defects, find_grey_masks):
        assert find(facts, PARAMS) is None
    for find in (find_mixed_labels, find_disagreement, find_unused_labels):
        assert find(facts, PARAMS) is None


def test_masks_with_too_much_grey_are_named_greyest_first():
    grey = {
        "a": GreyMask(0.1, 1.2),
        "b": GreyMask(0.02, 1.0),
        "c": GreyMask(0.5, 1.6),
        "d": GreyMask(0.1, 1.1),
        "e": GreyMask(1.0, 0.0),
    }
    found = find_grey_masks(make_facts({}, grey_masks=grey), PARAMS)
    assert found is not None
    assert found.pictures == ("e", "c", "a", "d")
    assert found.details[0] == "100% of the drawn pixels are grey, none passes"
    assert found.details[1] == "50% of the drawn pixels are grey, area ratio 1.60"
    assert "1.20 times (median)" in found.summary


def test_contradictions_are_shown_side_by_side():
    contradictions = (
        Contradiction("a", "b", "s", "crack", 40, 0.5),
        Contradiction("c", "b", "s", "crack", 80, 1.0),
        Contradiction("c", "d", "s", "dent", 9, 1.0),
        Contradiction("x", "y", "t", "dent", 9, 1.0),
    )
    agreement = Agreement(NO_AGREEMENT.ceiling, None, (), (), contradictions)
    facts = make_facts({}, agreement=agreement, tiles=[make_tile(name) for name in "abcdxy"])
    found = find_mixed_labels(facts, PARAMS)
    assert found is not None
    assert found.summary.startswith("3 pictures of 2 surfaces lack a defect")
    assert found.pictures == ("a", "c", "x")
    assert found.pairs == (("a", "b"), ("c", "b"), ("c", "d"), ("x", "y"))
    assert found.pair_details[0] == (
        "the first is labelled clean, the second has crack, 40 px of it (50%) where the first looks"
    )


def comparison(first: str, dice: float) -> Comparison:
    return Comparison(first, f"{first}2", "s", 0.9, np.zeros((3, 3), dtype=np.int64), dice)


def test_pairs_that_agree_too_little_are_named_worst_first():
    compared = tuple(
        comparison(n, d) for n, d in {"a": 0.69, "b": 0.7, "c": 0.1, "d": np.nan}.items()
    )
    agreement = Agreement(Score("any", 4, 0.8765, 0.78), (0.8, 0.9), (), compared, ())
    found = find_disagreement(make_facts({}, agreement=agreement), PARAMS)
    assert found is not None
    assert found.pairs == (("c", "c2"), ("a", "a2"))
    assert found.pair_details == ("Dice 0.10", "Dice 0.69")
    assert found.pictures == ("a", "a2", "c", "c2")
    assert found.summary.startswith("2 of 4 pairs")
    assert "0.876 (0.800 to 0.900)" in found.summary or "0.877 (0.800 to 0.900)" in found.summary


@pytest.mark.parametrize(
    ("interval", "said"), [(None, "agree at 0.500: no"), ((0.4, 0.6), "0.400")]
)
def test_the_ceiling_is_said_with_its_interval_if_there_is_one(
    interval: tuple[float, float] | None, said: str
):
    agreement = Agreement(Score("any", 1, 0.5, 0.3), interval, (), (comparison("a", 0.5),), ())
    found = find_disagreement(make_facts({}, agreement=agreement), PARAMS)
    assert found is not None
    assert said in found.summary


def test_unused_labels_are_listed():
    found = find_unused_labels(make_facts({}, unused_labels=("crak", "scratch")), PARAMS)
    assert found is not None
    assert "crak, scratch" in found.summary
    assert found.pictures == ()
