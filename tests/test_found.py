"""found: regions of two drawn masks, matched by hand."""

import numpy as np
import pytest

from conftest import mask
from defectseg.evaluation.found import Found, count_found


def found(pred: str, true: str) -> Found:
    return count_found(mask(pred), mask(true))


def test_a_region_that_is_drawn_again_is_found():
    assert found(pred=".##. .##.", true=".##. .##.") == Found(true=1, iou30=1, iou50=1, false=0)


@pytest.mark.parametrize(
    ("pred", "iou30", "iou50"),
    [
        ("###.......", 1, 0),  # IoU 3/10
        ("##........", 0, 0),  # 2/10
        ("#####.....", 1, 1),  # 5/10
        ("####......", 1, 0),  # 4/10
    ],
)
def test_a_region_is_found_from_the_overlap_on_that_is_asked_for(pred: str, iou30: int, iou50: int):
    assert found(pred, "##########") == Found(1, iou30, iou50, 0)


def test_too_much_is_as_wrong_as_too_little():
    assert found(pred="##########", true="##........") == Found(
        1, 0, 0, 0
    )  # 2/10, but no false one


def test_a_region_that_touches_no_true_pixel_is_false():
    assert found(pred="#.##.#", true="..##..") == Found(1, 1, 1, 2)


def test_nothing_is_found_of_what_is_not_predicted():
    assert found(pred="......", true="##..##") == Found(2, 0, 0, 0)


def test_on_a_clean_picture_every_region_is_false():
    assert found(pred="#.#.#", true=".....") == Found(0, 0, 0, 3)
    assert found(pred=".....", true=".....") == Found(0, 0, 0, 0)


def test_the_best_of_several_regions_counts_and_not_their_sum():
    assert found(pred="##.##.", true="######") == Found(1, 1, 0, 0)  # 2/6 twice
    assert found(pred="#.#.#.", true="######") == Found(1, 0, 0, 0)  # 1/6 three times


def test_one_region_over_two_true_ones_can_find_both():
    assert found(pred="###", true="#.#") == Found(2, 2, 0, 0)  # IoU 1/3 with each
    assert found(pred="#######", true="###.###") == Found(2, 2, 0, 0)  # 3/7


def test_the_class_does_not_matter():
    assert found(pred="22..1", true="11..2") == Found(2, 2, 2, 0)
    assert found(pred="1122", true="2211") == Found(1, 1, 1, 0)  # classes that touch are one region


def test_pixels_that_touch_at_a_corner_are_one_region():
    assert found(pred="#.. .#. ..#", true="#.. .#. ..#") == Found(1, 1, 1, 0)
    assert found(pred="..# ... #..", true="#.. .#. ...") == Found(1, 0, 0, 2)


def test_a_picture_of_one_pixel_has_at_most_one_region():
    assert found("#", "#") == Found(1, 1, 1, 0)


def test_many_regions_are_told_apart():
    spots = np.zeros((100, 100), np.uint8)
    spots[::2, ::2] = 1  # 2500 of one pixel
    half = spots.copy()
    half[50:] = 0
    assert count_found(half, spots) == Found(2500, 1250, 1250, 0)
    assert count_found(spots, half) == Found(1250, 1250, 1250, 1250)
