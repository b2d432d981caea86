"""report thumbnails: panels as small pictures inside a page."""

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from conftest import mask
from defectseg.evaluation.gallery import Panel
from defectseg.evaluation.report.thumbnails import (
    BUDGET,
    Thumbnail,
    colour_of,
    draw_galleries,
    draw_panel,
    mark_defects,
    shrink_mask,
)
from report_facts import make_panel
from tiny import CLASSES


def decode(thumbnail: Thumbnail) -> np.ndarray:
    """The pixels (h, w, 3) of a thumbnail."""
    head, _, code = thumbnail.uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(code))).convert("RGB"))


def test_a_panel_is_picture_truth_and_prediction_with_what_they_show():
    panel = make_panel("t00: crack, accept")
    empty = replace(panel, pred_mask=np.zeros_like(panel.pred_mask))
    picture, truth, prediction = draw_panel(empty, CLASSES, 320).thumbnails
    assert [each.view for each in (picture, truth, prediction)] == [
        "picture",
        "truth",
        "prediction",
    ]
    assert (picture.alt, truth.alt) == (
        "t00: crack, accept: picture",
        "t00: crack, accept: truth: crack",
    )
    assert prediction.alt.endswith("prediction: no defect")
    assert picture.uri == prediction.uri != truth.uri


@pytest.mark.parametrize(
    ("size", "shown"), [((640, 320), (320, 160)), ((100, 900), (36, 320)), ((64, 96), (64, 96))]
)
def test_only_large_pictures_are_shrunk(size: tuple[int, int], shown: tuple[int, int]):
    thumbnail = draw_panel(make_panel("x", size=size), CLASSES, 320).thumbnails[1]
    assert (thumbnail.height, thumbnail.width) == decode(thumbnail).shape[:2] == shown


def test_a_single_pixel_of_a_defect_survives_the_shrinking():
    speck = np.zeros((400, 400), dtype=np.uint8)
    speck[213, 77] = 2
    small = shrink_mask(speck, 40, 40)
    assert (small.shape, int((small == 2).sum()), int(small[21, 7])) == ((40, 40), 1, 2)


def test_a_defect_is_tinted_and_has_a_line_around_it():
    grey = np.full((3, 5, 3), 100, dtype=np.uint8)
    drawn = mark_defects(grey, mask("..... #.... ....."))
    assert drawn[1, 0].tolist() == [172, 132, 45]  # tinted: see test_overlay.py
    assert drawn[1, 1].tolist() == [230, 159, 0]  # the line: the colour itself
    assert drawn[1, 2].tolist() == [100, 100, 100]


@pytest.mark.slow
def test_all_pictures_of_a_page_stay_within_the_budget():
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3)).astype(np.uint8)
    empty = np.zeros((400, 400), dtype=np.uint8)
    panels = [Panel("x", noise, empty, empty)] * 20
    drawn = draw_galleries(dict.fromkeys(("a", "b", "c", "d", "e"), panels), CLASSES)
    thumbnails = [t for shown in drawn.values() for one in shown for t in one.thumbnails]
    assert len(thumbnails) == 300
    assert sum(len(each.uri) for each in thumbnails) <= BUDGET
    few = draw_galleries({"a": panels[:2]}, CLASSES)
    assert few["a"][0].thumbnails[0].width == 320 > thumbnails[0].width


def test_no_galleries_are_no_pictures():
    assert draw_galleries({}, CLASSES) == {}
    assert draw_galleries({"misses": []}, CLASSES) == {"misses": []}


def test_colours_repeat_after_the_sixth_class():
    assert (colour_of(1), colour_of(7), colour_of(2)) == ("#e69f00", "#e69f00", "#56b4e9")
