"""overlay: the picture stays readable below the colours of its defects."""

import numpy as np
import pytest

from conftest import mask
from defectseg.overlay import COLOURS, overlay, to_rgb


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 1), 100, dtype=np.uint8)


def test_a_defect_is_tinted_and_the_rest_is_left():
    tinted = overlay(grey(1, 2), mask("#."))
    # 0.45 × 100 + 0.55 × (230, 159, 0) = (171.5, 132.45, 45)
    assert tinted.tolist() == [[[172, 132, 45], [100, 100, 100]]]


def test_each_class_has_its_colour():
    tinted = overlay(grey(1, 6), mask("123456"))
    assert len({tuple(pixel) for pixel in tinted[0].tolist()}) == 6


def test_after_the_last_colour_comes_the_first_again():
    tinted = overlay(grey(1, 2), np.array([[1, 1 + len(COLOURS)]], dtype=np.uint8))
    assert tinted[0, 0].tolist() == tinted[0, 1].tolist()


def test_a_colour_picture_keeps_its_colours_outside_the_defects():
    picture = np.array([[[10, 20, 30], [40, 50, 60]]], dtype=np.uint8)
    assert overlay(picture, mask("..")).tolist() == picture.tolist()


@pytest.mark.parametrize("channels", [1, 3])
def test_an_overlay_has_the_size_of_the_picture_and_three_channels(channels: int):
    picture = np.zeros((3, 5, channels), dtype=np.uint8)
    tinted = overlay(picture, mask("..... .###. ....."))
    assert (tinted.shape, tinted.dtype) == ((3, 5, 3), np.uint8)


def test_grey_becomes_three_equal_channels():
    assert to_rgb(grey(1, 1)).tolist() == [[[100, 100, 100]]]
