"""class_balance: how much there is of each class."""

import pytest

from defectseg.data.quality.class_balance import ClassCount, count_classes, find_imbalance
from defectseg.data.quality.findings import Facts
from facts import check_params, make_facts, make_measure, make_tile


def facts_of(*rows: tuple[str, str, tuple[int, int]]) -> Facts:
    """Facts about pictures: class, surface, pixels of both classes."""
    tiles = [make_tile(f"p{k}", kind, surface) for k, (kind, surface, _) in enumerate(rows)]
    measures = {f"p{k}": make_measure(class_px=px) for k, (_, _, px) in enumerate(rows)}
    return make_facts(measures, tiles=tiles)


FACTS = facts_of(
    ("crack", "s1", (10, 0)),
    ("crack", "s1", (5, 2)),
    ("crack", "s2", (4, 0)),
    ("dent", "s3", (1, 9)),
    ("clean", "s1", (0, 0)),
    ("clean", "s4", (0, 0)),
)


def test_pictures_count_for_their_class_and_pixels_for_theirs():
    assert count_classes(FACTS) == [
        ClassCount("crack", pictures=3, surfaces=2, defect_px=20),
        ClassCount("dent", pictures=1, surfaces=1, defect_px=11),
        ClassCount("clean", pictures=2, surfaces=2, defect_px=0),
    ]


def test_a_set_without_clean_pictures_has_no_row_for_them():
    assert [row.name for row in count_classes(facts_of(("crack", "s", (1, 0))))] == [
        "crack",
        "dent",
    ]


def test_classes_on_fewer_surfaces_are_named_with_their_pictures():
    found = find_imbalance(FACTS, check_params(least_surfaces=2))
    assert found is not None
    assert found.summary.startswith("dent: 1 surfaces, 1 pictures, 11 px: fewer than 2 surfaces")
    assert found.pictures == ("p3",)


@pytest.mark.parametrize(("folds", "is_found"), [(None, False), (1, False), (2, True)])
def test_each_fold_needs_a_surface(folds: int | None, is_found: bool):
    facts = facts_of(("crack", "a", (1, 0)), ("dent", "b", (0, 1)))
    with_folds = make_facts(facts.measures, tiles=facts.tiles, folds=folds)
    assert (find_imbalance(with_folds, check_params(least_surfaces=1)) is not None) == is_found


def test_a_class_without_a_picture_is_named():
    found = find_imbalance(facts_of(("crack", "a", (1, 0))), check_params(least_surfaces=1))
    assert found is not None
    assert found.summary.startswith("dent: 0 surfaces, 0 pictures, 0 px")
