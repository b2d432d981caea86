"""agreement: the ceiling that the labels themselves set."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from defectseg.data.quality.agreement import (
    Agreement,
    AgreementParams,
    Score,
    choose_evenly,
    measure_agreement,
)
from defectseg.data.surfaces.find import Pair
from facts import grain, photograph, write_set

MANY = AgreementParams(pairs=100)
SHAPE = (120, 130)


def bars(height: int, value: int = 1, top: int = 40) -> np.ndarray:
    """A mask with a bar of 10 columns and some rows."""
    drawn = np.zeros(SHAPE, dtype=np.uint8)
    drawn[top : top + height, 50:60] = value
    return drawn


def agree(folder: Path, masks: dict[str, np.ndarray | None], most: int = 100) -> Agreement:
    """The agreement of pictures named `<surface><number>`; those of one letter are one surface."""
    pictures = {
        name: photograph(grain(ord(name[0])), brightness=90 + int(name[1:]), noise=int(name[1:]))
        for name in masks
    }
    drawn = {name: each for name, each in masks.items() if each is not None}
    tiles = write_set(folder, pictures, drawn, {name: name[0] for name in masks})
    names = sorted(masks)
    siblings = [
        Pair(first, second, 0.9, (False, False), (0, 0))
        for first, second in pairwise(names)
        if first[0] == second[0]
    ]
    return measure_agreement(tiles, siblings, AgreementParams(pairs=most))


def test_dice_and_iou_are_pooled_over_the_pixels_of_all_pairs(tmp_path: Path):
    found = agree(tmp_path, {"a1": bars(10), "a2": bars(10), "b1": bars(40), "b2": bars(20)})
    # 100 and 200 px in common, of 200 and 600 in both masks; 100 and 400 in either
    assert found.ceiling.pairs == 2
    assert found.ceiling.dice == pytest.approx(2 * 300 / 800)
    assert found.ceiling.iou == pytest.approx(300 / 500)
    assert [each.dice for each in found.compared] == [pytest.approx(1), pytest.approx(2 / 3)]


def test_a_class_is_judged_by_the_pairs_in_which_both_masks_have_it(tmp_path: Path):
    masks = {
        "a1": bars(10, 1),
        "a2": bars(20, 1),
        "b1": bars(10, 2),
        "b2": bars(10, 2),
        "c1": bars(10, 1),
        "c2": bars(10, 2),
    }
    found = agree(tmp_path, masks)
    crack, dent = found.classes
    assert (crack.name, crack.pairs, crack.dice) == ("crack", 1, pytest.approx(2 / 3))
    assert (dent.name, dent.pairs, dent.dice, dent.iou) == ("dent", 1, 1, 1)
    assert found.ceiling.pairs == 3


def test_pictures_without_a_defect_do_not_count_as_agreement(tmp_path: Path):
    found = agree(tmp_path, {"a1": None, "a2": None, "b1": bars(10), "b2": None})
    assert found.ceiling == Score("any", 0, None, None)
    assert (found.compared, found.interval) == ((), None)
    assert [score.dice for score in found.classes] == [None, None]


def test_a_clean_picture_among_labelled_siblings_is_a_contradiction(tmp_path: Path):
    found = agree(tmp_path, {"a1": bars(10), "a2": bars(10), "a3": None, "a4": None, "b1": None})
    assert [(c.picture, c.sibling) for c in found.contradictions] == [("a3", "a2"), ("a4", "a2")]
    assert found.ceiling.pairs == 1


def test_masks_that_never_meet_agree_at_zero(tmp_path: Path):
    found = agree(tmp_path, {"a1": bars(10), "a2": bars(10, top=80)})
    assert (found.ceiling.dice, found.ceiling.iou) == (0, 0)
    assert found.compared[0].dice == 0


def test_pairs_that_cannot_be_registered_are_counted(tmp_path: Path):
    pictures = {"a1": photograph(grain(1)), "a2": photograph(grain(2))}
    tiles = write_set(tmp_path, pictures, {"a1": bars(10), "a2": bars(10)})
    found = measure_agreement(tiles, [Pair("a1", "a2", 0.0, (False, False), (0, 0))], MANY)
    assert (found.unregistered, found.ceiling.pairs) == (1, 0)


def test_the_interval_resamples_surfaces_and_is_the_same_every_time(tmp_path: Path):
    masks = {
        f"{s}{k}": bars(10 if k == 1 else 10 + 5 * i) for i, s in enumerate("abcd") for k in (1, 2)
    }
    found, again = agree(tmp_path / "1", masks), agree(tmp_path / "2", masks)
    assert found.interval == again.interval
    assert found.interval is not None and found.ceiling.dice is not None
    low, high = found.interval
    # the worst surface alone has 2 · 10 / 35, the best 1
    assert 2 * 10 / 35 <= low < found.ceiling.dice < high <= 1


def test_of_two_surfaces_the_interval_reaches_from_one_to_the_other(tmp_path: Path):
    masks = {"a1": bars(10), "a2": bars(10), "a3": bars(30), "b1": bars(10), "b2": bars(10)}
    found = agree(tmp_path, masks)
    # a quarter of the resamples is surface a twice: 200 px in common, 200 and 400 in its pairs
    assert found.interval == (pytest.approx(400 / 600), pytest.approx(1))


def test_one_surface_has_no_interval_however_many_pairs_it_has(tmp_path: Path):
    found = agree(tmp_path, {f"a{k}": bars(10 + k) for k in range(4)})
    assert (found.ceiling.pairs, found.interval) == (3, None)


def test_at_most_so_many_pairs_are_opened(tmp_path: Path):
    found = agree(tmp_path, {f"{s}{k}": bars(10) for s in "abcd" for k in (1, 2)}, most=2)
    assert [each.surface for each in found.compared] == ["a", "c"]


def test_no_siblings_are_no_agreement(tmp_path: Path):
    found = agree(tmp_path, {"a1": bars(10)})
    assert (found.ceiling.pairs, found.contradictions, found.unregistered) == (0, (), 0)


def test_a_choice_is_spread_evenly_and_keeps_the_order():
    assert choose_evenly("abcdefgh", 4) == ["a", "c", "e", "g"]
    assert choose_evenly("abc", 2) == ["a", "b"]
    assert choose_evenly("abc", 3) == ["a", "b", "c"]
    assert choose_evenly("", 3) == []
