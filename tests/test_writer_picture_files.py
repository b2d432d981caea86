"""writers: the mask and the overlay of a picture, as files that a program or a person reads."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from conftest import mask
from defectseg.inference.operating_point import OperatingPoint, neutral_point
from defectseg.inference.predictor import Prediction, judge
from defectseg.inference.writers.mask_file import MASK_FILE
from defectseg.inference.writers.overlay_file import (
    BADGES,
    OVERLAY_FILE,
    describe,
    draw_overlay,
    find_edges,
    tint,
)
from defectseg.inference.writers.picture_file import DrawingError
from defectseg.overlay import COLOURS

CLASSES = ("crack", "blowhole")
DRAWN = mask(". 1 . 2".replace(" ", ""), 40)  # (40, 160)
REVIEWING = OperatingPoint(
    **neutral_point(CLASSES).model_dump(exclude={"review", "reject"}), review=0.5, reject=0.9
)


def predict_drawn(drawn: npt.NDArray[np.uint8] = DRAWN, score: float = 0.75) -> Prediction:
    probability = np.zeros((3, *drawn.shape), np.float32)
    for k in (1, 2):
        probability[k] = (drawn == k) * np.float32(score)
    probability[0] = 1 - probability[1:].sum(axis=0)
    return judge(probability, drawn, REVIEWING)


def grey(shape: tuple[int, ...] = DRAWN.shape, level: int = 100) -> npt.NDArray[np.uint8]:
    return np.full((*shape, 1), level, np.uint8)


def test_a_mask_file_has_class_indexes_and_colours_to_look_at(tmp_path: Path):
    MASK_FILE.write(tmp_path, "sub/a.jpg", grey(), predict_drawn(), CLASSES)
    with Image.open(tmp_path / "masks/sub/a.jpg.png") as image:
        assert (np.asarray(image) == DRAWN).all()
        shown = np.asarray(image.convert("RGB"))
    assert shown[0, 0].tolist() == [0, 0, 0]
    assert shown[0, 60].tolist() == COLOURS[0].tolist()
    assert shown[0, 150].tolist() == COLOURS[1].tolist()


def test_a_failed_write_leaves_no_file(tmp_path: Path):
    (tmp_path / "masks").write_text("no folder")
    with pytest.raises(OSError, match="masks"):
        MASK_FILE.write(tmp_path, "a.jpg", grey(), predict_drawn(), CLASSES)
    assert [path.name for path in tmp_path.iterdir()] == ["masks"]


def test_a_picture_that_its_format_cannot_hold_is_told_apart_from_a_full_disk(tmp_path: Path):
    wide = np.zeros((1, 65_501), dtype=np.uint8)
    with pytest.raises(DrawingError, match="no JPEG file can be made of 65501×1 px: "):
        OVERLAY_FILE.write(tmp_path, "a.png", grey(wide.shape), predict_drawn(wide), CLASSES)
    assert list(tmp_path.iterdir()) == []


def test_an_overlay_is_a_picture_with_a_strip_below_it(tmp_path: Path):
    OVERLAY_FILE.write(tmp_path, "a.png", grey(), predict_drawn(), CLASSES)
    with Image.open(tmp_path / "overlays/a.png.jpg") as image:
        assert image.format == "JPEG"
        assert image.width == 160
        assert image.height > 40


@pytest.mark.parametrize(
    ("score", "verdict"), [(0.4, "accept"), (0.75, "review"), (0.95, "reject")]
)
def test_the_strip_has_the_colour_of_the_verdict(score: float, verdict: str):
    prediction = predict_drawn(score=score)
    assert prediction.verdict == verdict
    image = draw_overlay(grey(), prediction, CLASSES)
    assert image.getpixel((159, image.height - 1)) == BADGES[verdict]


def test_the_strip_says_verdict_score_and_number_of_defects():
    assert describe(predict_drawn()) == ["REVIEW", "0.75", "2 defects"]
    assert describe(predict_drawn(mask("1."))) == ["REVIEW", "0.75", "1 defect"]
    assert describe(predict_drawn(score=0.1)) == ["ACCEPT"]


def test_clean_pixels_of_an_overlay_are_those_of_the_picture():
    image = np.asarray(draw_overlay(grey(), predict_drawn(score=0.1), CLASSES))
    assert (image[:40] == 100).all()


def test_defects_are_tinted_and_their_edges_have_the_full_colour():
    drawn = mask(".... .11. .11. ....", 3)  # rows and columns 3..8
    tinted = tint(grey(drawn.shape), drawn)
    assert tinted[0, 0].tolist() == [100, 100, 100]
    assert tinted[3, 5].tolist() == COLOURS[0].tolist()
    mixed = (0.55 * 100 + 0.45 * COLOURS[0]).round().tolist()
    assert tinted[5, 5].tolist() == mixed


def test_edges_run_along_other_classes_and_the_border():
    drawn = mask("1112 1112 1112")
    assert find_edges(drawn).astype(int).tolist() == [[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 1, 1]]


def test_each_defect_has_a_box_in_the_colour_of_its_class():
    drawn = mask("........ ........ ........ ...22... ........ ........", 20)  # (120, 160)
    image = draw_overlay(grey(drawn.shape), predict_drawn(drawn), CLASSES)
    assert image.getpixel((57, 70)) == tuple(COLOURS[1].tolist())  # 3 px to the left of it
    assert image.getpixel((52, 70)) == (100, 100, 100)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (3, 3)])
def test_the_smallest_pictures_can_be_drawn(shape: tuple[int, int]):
    drawn = np.ones(shape, np.uint8)
    image = draw_overlay(grey(shape), predict_drawn(drawn), CLASSES)
    assert image.width == shape[1]


def test_colour_pictures_can_be_drawn():
    pixels = np.zeros((*DRAWN.shape, 3), np.uint8)
    pixels[..., 2] = 200
    image = draw_overlay(pixels, predict_drawn(score=0.1), CLASSES)
    assert image.getpixel((0, 0)) == (0, 0, 200)
