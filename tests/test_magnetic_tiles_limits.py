"""benchmarks/magnetic_tiles/limits: each question takes away one kind of error, and no other."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks/magnetic_tiles"))

import limits

CLASSES = ("crack", "blowhole")
CLEAN = [[90, 6, 4], [0, 0, 0], [0, 0, 0]]  # false alarms
FOUND = [[70, 10, 0], [5, 8, 7], [0, 0, 0]]  # a crack, half of it called a blowhole
MISSED = [[80, 0, 0], [0, 0, 0], [20, 0, 0]]  # a blowhole that nothing is said of
PICTURES = np.array([CLEAN, FOUND, MISSED], dtype=float)
TOLD = {
    "as it is": ([8, 0], [16 + 20, 11 + 20], 15, 20, 25),
    "the kind of each found pixel told": ([15, 0], [16 + 20, 4 + 20], 15, 20, 25),
    "clean pictures told": ([8, 0], [10 + 20, 7 + 20], 15, 10, 25),
    "nothing false": ([8, 0], [20, 7 + 20], 15, 0, 25),
    "pictures left out where nothing is found": ([8, 0], [16 + 20, 11], 15, 20, 5),
    "nothing missed": ([13, 20], [16 + 20, 11 + 20], 40, 20, 0),
}


def test_every_question_is_asked():
    assert list(limits.QUESTIONS) == list(TOLD)


@pytest.mark.parametrize("question", TOLD)
def test_a_question_takes_one_kind_of_error_away(question: str):
    right, either, found, false, missed = TOLD[question]
    scores = limits.ask(PICTURES, CLASSES)[question]
    each = [r / e for r, e in zip(right, either, strict=True)]
    assert scores["iou_crack"] == pytest.approx(each[0])
    assert scores["iou_blowhole"] == pytest.approx(each[1])
    assert scores["iou_macro"] == pytest.approx(np.mean(each))
    assert scores["dice_pooled"] == pytest.approx(2 * found / (2 * found + false + missed))


def test_no_question_changes_the_counts_that_it_is_asked_of():
    before = PICTURES.copy()
    limits.ask(PICTURES, CLASSES)
    assert np.array_equal(PICTURES, before)
