"""gallery: picture, truth and prediction side by side, in one file."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from answers import Answer, ColourEngine, answer_point, write_answers
from conftest import mask
from defectseg.data.tile import CLEAN
from defectseg.evaluation.gallery import (
    Panel,
    choose_galleries,
    draw_panel,
    shrink,
    write_gallery,
)
from defectseg.evaluation.scored import score_part

GREY = (100, 100, 100)
CRACK = (172, 132, 45)  # grey 100 with the colour of class 1 laid over it: see test_overlay.py


def panel(true: str, pred: str, caption: str = "") -> Panel:
    true_mask, pred_mask = mask(true), mask(pred)
    picture = np.full((*true_mask.shape, 1), 100, dtype=np.uint8)
    return Panel(caption, picture, true_mask, pred_mask)


def test_a_panel_shows_picture_truth_and_prediction_from_left_to_right():
    image = draw_panel(panel(true="#", pred="."))
    assert image.size == (3 * 246, 16 + 240)
    middles = [image.getpixel((x, 16 + 120)) for x in (120, 246 + 120, 2 * 246 + 120)]
    assert middles == [GREY, CRACK, GREY]


def test_a_panel_has_its_caption_above():
    bare, named = (
        np.asarray(draw_panel(panel(".", ".", caption)))[:16] for caption in ("", "worst: c7")
    )
    assert bare.min() == 255
    assert named.min() < 100


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((100, 50), (240, 120)),
        ((50, 100), (120, 240)),
        ((960, 480), (240, 120)),
        ((1, 900), (1, 240)),
    ],
)
def test_the_longer_side_fills_the_cell(size: tuple[int, int], shown: tuple[int, int]):
    width, height = size
    assert shrink(np.zeros((height, width, 3), dtype=np.uint8)).size == shown


def test_panels_stand_in_rows_as_high_as_their_highest(tmp_path: Path):
    flat, tall = panel("##", "##"), panel("# #", "# #")  # 240 × 120 and 120 × 240 when shown
    write_gallery(tmp_path / "gallery.png", [flat, tall, flat])
    with Image.open(tmp_path / "gallery.png") as gallery:
        assert (gallery.format, gallery.size) == ("PNG", (1488, (256 + 6) + (136 + 6)))
        assert gallery.getpixel((246 + 120, 16 + 60)) == CRACK  # the truth of the first panel
        assert gallery.getpixel((744 + 246 + 60, 16 + 120)) == CRACK  # of the second
        assert gallery.getpixel((246 + 120, 262 + 16 + 60)) == CRACK  # of the third, below


def test_the_number_of_columns_is_free(tmp_path: Path):
    write_gallery(tmp_path / "gallery.png", [panel("#", "#")] * 3, columns=1)
    with Image.open(tmp_path / "gallery.png") as gallery:
        assert gallery.size == (744, 3 * 262)


def test_a_gallery_of_nothing_is_still_a_picture(tmp_path: Path):
    write_gallery(tmp_path / "metrics/gallery.png", [])
    with Image.open(tmp_path / "metrics/gallery.png") as gallery:
        assert gallery.size == (1488, 1)


def test_a_gallery_takes_the_place_of_the_one_before_as_a_whole(tmp_path: Path):
    path, earlier = tmp_path / "gallery.png", tmp_path / "earlier.png"
    write_gallery(path, [panel("#", "#")])
    os.link(path, earlier)  # writing into the file itself would change both
    before = earlier.read_bytes()
    write_gallery(path, [])
    assert earlier.read_bytes() == before != path.read_bytes()
    assert sorted(item.name for item in tmp_path.iterdir()) == ["earlier.png", "gallery.png"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_each_gallery_has_the_pictures_that_its_name_says(tmp_path: Path):
    part = write_answers(
        tmp_path,
        [
            Answer("all", "crack", "s1", truth="11..", said="11.."),
            Answer("clean", CLEAN, "s2", truth="....", said="...."),
            Answer("half", "crack", "s3", truth="11..", said="1..."),
            Answer("large", "crack", "s4", truth="111.", said="...."),
            Answer("none", "crack", "s5", truth="1...", said="...."),
            Answer("sure", CLEAN, "s6", truth="....", said="1..."),
            Answer("surer", CLEAN, "s7", truth="....", said="2...", grey=204),
        ],
    )
    engine, point = ColourEngine(), answer_point()
    pictures, _ = score_part(engine, point, part, 3, "test")
    galleries = choose_galleries(pictures, engine, point, part, 3, count=2)
    named = {
        name: [panel.caption.split(": ")[1].split(",")[0] for panel in panels]
        for name, panels in galleries.items()
    }
    assert named == {
        "misses": ["large", "none"],  # most defect pixels first
        "false alarms": ["sure", "surer"],  # the surest first
        "best": ["all", "half"],
        "median": ["half", "large"],
        "worst": ["large", "none"],
    }
    panel = galleries["best"][1]
    assert panel.caption == "best: half, crack, reject, Dice 0.67"
    assert (panel.true_mask.tolist(), panel.pred_mask.tolist()) == ([[1, 1, 0, 0]], [[1, 0, 0, 0]])


def test_fewer_pictures_than_asked_for_are_all_shown(tmp_path: Path):
    part = write_answers(tmp_path, [Answer("c", CLEAN, "s", truth="....", said="....")])
    engine, point = ColourEngine(), answer_point()
    pictures, _ = score_part(engine, point, part, 3, "test")
    galleries = choose_galleries(pictures, engine, point, part, 3, count=4)
    assert galleries == {"misses": [], "false alarms": [], "best": [], "median": [], "worst": []}
