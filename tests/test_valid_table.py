"""valid_table: surfaces are held out whole, each once."""

import numpy as np
import pytest

from defectseg.evaluation.valid_table import GROUPS, ValidTable


def table(*surfaces: tuple[str, str]) -> ValidTable:
    """One class and one area; `#` is a picture with a defect, and a surface may have several."""
    names, marks = zip(*surfaces, strict=True)
    scores = np.arange(len(names), dtype=float)[:, None, None]
    is_defect = np.array([mark == "#" for mark in marks])
    return ValidTable(scores, is_defect, np.array(names), (1,), (1,))


MANY = [(f"{mark}{n}", mark) for n in range(12) for mark in ".#" for _ in range(1 + n % 3)]


def test_every_picture_is_held_out_once_with_its_whole_surface():
    scores = table(*MANY)
    groups = list(scores.groups())
    assert len(groups) == GROUPS
    assert np.sum(groups, axis=0).tolist() == [1] * len(MANY)
    for inside in groups:
        assert not set(scores.surfaces[inside]) & set(scores.surfaces[~inside])
        assert scores.is_defect[inside].mean() == pytest.approx(0.5, abs=0.2)


def test_the_groups_are_the_same_each_time():
    once, again = (np.array(list(table(*MANY).groups())) for _ in range(2))
    assert np.array_equal(once, again)


@pytest.mark.parametrize("missing", [".", "#"])
def test_none_is_held_out_of_too_few_surfaces(missing: str):
    few = [each for each in MANY if each[0] in {f"{missing}{n}" for n in range(GROUPS - 1)}]
    others = [each for each in MANY if each[1] != missing]
    assert not list(table(*few, *others).groups())


def test_some_of_the_pictures_keep_what_belongs_to_them():
    scores = table(("a", "#"), ("b", "."), ("c", "#"))
    some = scores.only(np.array([False, True, True]))
    assert some.probabilities.ravel().tolist() == [1, 2]
    assert (some.surfaces.tolist(), some.is_defect.tolist()) == (["b", "c"], [False, True])
