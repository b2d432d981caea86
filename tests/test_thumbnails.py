"""thumbnails: small pictures with their defects outlined."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import mask
from defectseg.data.quality.thumbnails import Thumbnails, colour_of, outline
from facts import grain, photograph, write_set

GREY = 90


def picture_of(drawn: np.ndarray) -> np.ndarray:
    """An even grey picture (H, W, 3) of the size of a mask."""
    return np.full((*drawn.shape, 3), GREY, dtype=np.uint8)


def lines(drawn: np.ndarray) -> list[str]:
    """Where the outline differs from the picture, as a drawing."""
    small = outline(picture_of(drawn), drawn)
    return ["".join("#" if (p != GREY).any() else "." for p in row) for row in small]


def test_the_line_lies_around_the_defect():
    drawn = mask("...... ...... ..##.. ...... ......")
    assert lines(drawn) == ["......", ".####.", ".#..#.", ".####.", "......"]


def test_the_line_has_the_colour_of_the_class():
    drawn = mask("....... .1...2. .......")
    small = outline(picture_of(drawn), drawn)
    assert tuple(small[0, 0]) == (230, 159, 0)
    assert tuple(small[0, 6]) == (86, 180, 233)
    assert (colour_of(1), colour_of(2), colour_of(7)) == ("#e69f00", "#56b4e9", "#e69f00")


def test_a_clean_picture_has_no_line():
    assert set("".join(lines(mask("... ...")))) == {"."}


@pytest.mark.parametrize("spot", [(0, 0), (777, 1003), (399, 600)])
def test_one_pixel_of_defect_is_outlined_in_a_large_picture(spot: tuple[int, int]):
    drawn = np.zeros((778, 1004), dtype=np.uint8)
    drawn[spot] = 1
    small = outline(picture_of(drawn), drawn)
    assert small.shape == (124, 160, 3)
    assert 3 <= (small != GREY).any(axis=2).sum() <= 8


def test_a_small_picture_is_not_enlarged_and_a_long_one_keeps_a_pixel():
    assert outline(picture_of(mask("... ...")), mask("... ...")).shape == (2, 3, 3)
    long = np.zeros((1, 900), dtype=np.uint8)
    assert outline(picture_of(long), long).shape == (1, 160, 3)


def test_a_thumbnail_is_a_jpeg_that_says_what_it_shows(tmp_path: Path):
    drawn = np.zeros((120, 130), dtype=np.uint8)
    drawn[50:60, 50:60] = 2
    pictures = {"a": photograph(grain(1)), "b": photograph(grain(2))}
    thumbnails = Thumbnails(write_set(tmp_path, pictures, {"a": drawn}), most=5)
    first = thumbnails.draw("a")
    head, _, code = first.uri.partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(code))) as image:
        assert image.size == (first.width, first.height) == (130, 120)
    assert first.alt == "a: dent, 100 px of defect outlined"
    assert thumbnails.draw("b").alt == "b: clean"


def test_only_so_many_are_drawn(tmp_path: Path):
    thumbnails = Thumbnails(write_set(tmp_path, {"a": photograph(grain(1))}), most=2)
    drawn = [thumbnails.draw("a") for _ in range(3)]
    assert [bool(each.uri) for each in drawn] == [True, True, False]
    assert drawn[2].name == "a"


def test_an_unknown_picture_is_only_named_and_costs_nothing(tmp_path: Path):
    thumbnails = Thumbnails(write_set(tmp_path, {"a": photograph(grain(1))}), most=1)
    assert thumbnails.draw("left_out.png").uri == ""
    assert thumbnails.draw("a").uri
