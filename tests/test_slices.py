"""slices: groups of drawn pictures and their scores, worked out by hand."""

from dataclasses import replace

import pytest

from defectseg.data.tile import CLEAN
from defectseg.evaluation.scored import ScoredPicture
from defectseg.evaluation.slices import QUARTERS, SIZE_NAMES, Slice, slice_scores
from scored_pictures import scored
from tiny import CLASSES

CRACK = scored("..... .111. .....", "..... .11.. .....", surface="s1")  # Dice 4/5
ESCAPE = scored("1.... ..... .....", "..... ..... .....", surface="s1")  # at the border
HOLE = scored("..... ..22. .....", "..... ..22. .....", surface="s2", kind="blowhole")
LEFT = scored("..... ..... .....", "..... ..... .....", surface="s3")
ALARM = scored("..... ..... .....", "..... ..1.. .....", surface="s4")
PICTURES = (CRACK, ESCAPE, HOLE, LEFT, ALARM)


def group(pictures: tuple[ScoredPicture, ...], name: str) -> dict[str, Slice]:
    """The slices of one group by their name."""
    return {each.name: each for each in slice_scores(pictures, CLASSES) if each.group == name}


def members(pictures: list[ScoredPicture], name: str) -> dict[str, int]:
    """How many pictures each slice of a group has."""
    return {each: row.pictures for each, row in group(tuple(pictures), name).items()}


def brightness(*values: float) -> dict[str, int]:
    pictures = [replace(LEFT, brightness=value) for value in values]
    return members(pictures, "brightness of the picture")


def of_share(defect_px: int, width: int = 100, height: int = 100) -> ScoredPicture:
    """A picture of which so many pixels are a defect."""
    tile = replace(CRACK.tile, defect_px=defect_px, width=width, height=height)
    return replace(CRACK, tile=tile)


def test_each_class_and_the_clean_pictures_are_a_slice():
    found = group(PICTURES, "class")
    assert list(found) == ["crack", "blowhole", CLEAN]
    assert found["crack"] == Slice(
        group="class",
        name="crack",
        pictures=2,
        surfaces=1,
        defect_pictures=2,
        escape_rate=0.5,
        false_alarm_rate=None,
        dice_pooled=0.666667,  # tp 2, fn 2: 4 / 6
        defects_found=0.5,
    )
    assert found[CLEAN] == Slice("class", CLEAN, 2, 2, 0, None, 0.5, None, None)


def test_a_class_without_pictures_is_no_slice():
    assert list(group((HOLE, LEFT), "class")) == ["blowhole", CLEAN]


def test_a_review_is_neither_escape_nor_false_alarm():
    doubted = [replace(picture, verdict="review") for picture in (ESCAPE, ALARM)]
    found = group((*doubted, CRACK, LEFT), "class")
    assert (found["crack"].escape_rate, found[CLEAN].false_alarm_rate) == (0, 0)


def test_pictures_are_quartered_by_brightness():
    assert brightness(10, 20, 30, 40, 50, 60, 70, 80) == dict.fromkeys(QUARTERS, 2)
    pictures = [replace(LEFT, brightness=value) for value in (10.0, 20.0, 30.0)]
    found = group((*pictures, replace(ESCAPE, brightness=40.0)), "brightness of the picture")
    assert found["highest quarter"].escape_rate == 1
    assert found["lowest quarter"].escape_rate is None


def test_pictures_of_one_brightness_stay_together():
    assert brightness(50, 50, 50, 50) == {"lowest quarter": 4}
    assert brightness(50) == {"lowest quarter": 1}
    assert sum(brightness(1, 2, 2, 2, 2, 2, 2, 9).values()) == 8


def test_pictures_are_quartered_by_their_number_of_pixels():
    sizes = ((10, 10), (5, 30), (20, 10), (1, 300))  # 100, 150, 200 and 300 px
    pictures = [replace(LEFT, tile=replace(LEFT.tile, width=w, height=h)) for w, h in sizes]
    pictures[3] = replace(pictures[3], verdict="reject")
    found = group(tuple(pictures), "size of the picture")
    assert [found[name].false_alarm_rate for name in QUARTERS] == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("defect_px", "name"),
    [
        (0, "below 0.1 %"),
        (9, "below 0.1 %"),
        (10, "0.1 to 1 %"),
        (99, "0.1 to 1 %"),
        (100, "1 to 10 %"),
        (999, "1 to 10 %"),
        (1000, "above 10 %"),
        (10000, "above 10 %"),
    ],
)
def test_defects_are_grouped_by_their_share_of_the_picture(defect_px: int, name: str):
    assert name in SIZE_NAMES
    assert members([of_share(defect_px)], "size of the defect") == {name: 1}


def test_the_share_is_that_of_the_own_picture():
    pictures = [of_share(20, width=100, height=100), of_share(20, width=10, height=10)]
    assert members(pictures, "size of the defect") == {"0.1 to 1 %": 1, "above 10 %": 1}


def test_clean_pictures_have_no_size_or_place_of_a_defect():
    assert members(list(PICTURES), "size of the defect") == {"1 to 10 %": 1, "above 10 %": 2}
    assert members(list(PICTURES), "place of the defect") == {"touches the border": 1, "inside": 2}
    assert members([LEFT, ALARM], "size of the defect") == {}
    assert members([LEFT, ALARM], "place of the defect") == {}


def test_defects_at_the_border_stand_by_themselves():
    found = group(PICTURES, "place of the defect")
    assert (found["touches the border"].escape_rate, found["inside"].escape_rate) == (1, 0)
    assert found["inside"].dice_pooled == 0.888889  # tp 4, fn 1: 8 / 9


def test_regions_are_counted_and_not_pictures():
    twice = scored("11.1. ..... .....", "11... ..... .....")
    assert group((twice, CRACK), "class")["crack"].defects_found == pytest.approx(2 / 3, abs=1e-6)


def test_every_picture_is_in_one_slice_of_class_brightness_and_size():
    for name in ("class", "brightness of the picture", "size of the picture"):
        assert sum(members(list(PICTURES), name).values()) == len(PICTURES)


def test_surfaces_are_counted_once():
    found = group(tuple(replace(LEFT) for _ in range(3)), "class")[CLEAN]
    assert (found.pictures, found.surfaces) == (3, 1)
