"""scored: what a picture adds to the scores, on tiles that hold the answer."""

import math
from pathlib import Path

import numpy as np
import pytest

from answers import Answer, ColourEngine, answer_point, write_answers
from conftest import mask
from defectseg.data.tile import CLEAN
from defectseg.evaluation.found import Found
from defectseg.evaluation.scored import ScoredPicture, score_part, touches_border
from defectseg.inference.operating_point import ClassPoint, OperatingPoint
from scored_pictures import scored

HIT = Answer("a_hit", "crack", "s1", truth=".11. ....", said=".1.. ....", grey=204)
MISS = Answer("b_miss", "blowhole", "s2", truth="2... ....", said="2... ....", grey=52)
LEFT = Answer("c_left", CLEAN, "s3", truth=".... ....", said=".... ....")
ALARM = Answer("d_alarm", CLEAN, "s3", truth=".... ....", said="..22 ....", grey=255)
POINT = answer_point(reject=0.9, review=0.5)


def measure(folder: Path, *answers: Answer, point: OperatingPoint = POINT) -> list[ScoredPicture]:
    part = write_answers(folder, answers)
    return score_part(ColourEngine(point.thresholds), point, part, 3, "measure")[0]


def test_every_picture_of_the_part_is_scored_in_its_order(tmp_path: Path):
    pictures = measure(tmp_path, HIT, MISS, LEFT, ALARM)
    assert [picture.tile.id for picture in pictures] == ["a_hit", "b_miss", "c_left", "d_alarm"]
    assert [picture.verdict for picture in pictures] == ["review", "accept", "accept", "reject"]
    assert [picture.said for picture in pictures] == ["crack", CLEAN, CLEAN, "blowhole"]


def test_a_picture_keeps_its_counts_and_its_score(tmp_path: Path):
    hit, miss, left, alarm = measure(tmp_path, HIT, MISS, LEFT, ALARM)
    assert hit.confusion.tolist() == [[6, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert alarm.confusion.tolist() == [[6, 0, 2], [0, 0, 0], [0, 0, 0]]
    assert hit.score == pytest.approx(0.8)
    assert miss.score == 0.2  # below the threshold the level under its 0.204
    assert (left.score, alarm.score) == (0.0, 1.0)


def test_a_picture_keeps_what_was_found(tmp_path: Path):
    hit, miss, left, alarm = measure(tmp_path, HIT, MISS, LEFT, ALARM)
    assert hit.found == Found(true=1, iou30=1, iou50=1, false=0)
    assert miss.found == Found(1, 0, 0, 0)
    assert left.found == Found(0, 0, 0, 0)
    assert alarm.found == Found(0, 0, 0, 1)


def test_a_picture_keeps_how_bright_it_is(tmp_path: Path):
    hit, *_, alarm = measure(tmp_path, HIT, MISS, LEFT, ALARM)
    assert hit.brightness == pytest.approx(204 / 24)  # one of 8 pixels of 3 colours
    assert alarm.brightness == pytest.approx(2 * 255 / 24)


def test_the_mask_that_counts_has_the_defects_alone(tmp_path: Path):
    large = tuple(ClassPoint(defect_class=n, threshold=0.5, min_area=2) for n in POINT.names)
    speck = Answer("a", "crack", "s", truth="11..", said="1.11")
    (picture,) = measure(tmp_path, speck, point=answer_point(classes=large))
    assert picture.confusion.tolist() == [[0, 2, 0], [2, 0, 0], [0, 0, 0]]
    assert picture.found == Found(1, 0, 0, 1)


def test_the_class_that_is_said_is_that_of_the_surest_defect(tmp_path: Path):
    part = write_answers(tmp_path, [Answer("a", "crack", "s", truth="1.2", said="1.2", grey=230)])
    picture = part.picture(part.tiles[0], 3).copy()
    assert picture[0, 2].tolist() == [0, 0, 230]
    (picture,) = score_part(ColourEngine(), answer_point(), part, 3, "measure")[0]
    assert picture.said == "crack"  # of equals the left one


def test_the_pixels_of_all_pictures_are_counted_by_probability(tmp_path: Path):
    part = write_answers(tmp_path, [HIT, MISS, LEFT])
    _, pixels = score_part(ColourEngine(), POINT, part, 3, "measure")
    assert pixels.counts.sum() == 24
    found = {
        tuple(map(int, cell)): int(pixels.counts[tuple(cell)])
        for cell in np.argwhere(pixels.counts)
    }
    assert found == {(0, 0, 1): 21, (0, 1, 1): 1, (80, 1, 1): 1, (20, 2, 2): 1}


def test_a_part_without_pictures_has_no_scores(tmp_path: Path):
    pictures, pixels = score_part(ColourEngine(), POINT, write_answers(tmp_path, []), 3, "measure")
    assert (pictures, pixels.counts.sum()) == ([], 0)


@pytest.mark.parametrize(
    ("true", "verdict", "escapes", "is_false_alarm"),
    [
        ("1", "accept", True, False),
        ("1", "review", False, False),  # somebody will see it
        ("1", "reject", False, False),
        (".", "accept", False, False),
        (".", "review", False, False),  # it costs a look, and nothing is thrown away
        (".", "reject", False, True),
    ],
)
def test_a_wrong_verdict_is_an_escape_or_a_false_alarm(
    true: str, verdict: str, escapes: bool, is_false_alarm: bool
):
    picture = scored(true, ".", verdict=verdict)
    assert (picture.escapes, picture.is_false_alarm) == (escapes, is_false_alarm)


def test_the_dice_of_a_picture_is_undefined_when_it_is_clean_and_left_alone():
    assert scored("1.1.", "1...").dice == pytest.approx(2 / 3)
    assert scored("11", "22").dice == 1  # of any defect
    assert scored("..", "1.").dice == 0
    assert math.isnan(scored("..", "..").dice)


@pytest.mark.parametrize(
    "drawing", ["#.. ... ...", "... ... .#.", "... #.. ...", "... ..2 ...", "#"]
)
def test_a_defect_in_the_first_or_last_row_or_column_touches_the_border(drawing: str):
    assert touches_border(mask(drawing))


@pytest.mark.parametrize("drawing", ["... .#. ...", "... ... ...", "."])
def test_a_defect_inside_does_not(drawing: str):
    assert not touches_border(mask(drawing))


def test_the_border_is_that_of_the_true_mask(tmp_path: Path):
    inside = Answer("a", "crack", "s", truth="... .1. ...", said="1.. ... ...")
    edge = Answer("b", "crack", "s", truth="1.. ... ...", said="... .1. ...")
    assert [picture.at_border for picture in measure(tmp_path, inside, edge)] == [False, True]
