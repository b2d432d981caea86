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


def test_surfaces_count_alike_whatever_their_size():
    half = [[50, 0, 0], [25, 25, 0], [0, 0, 0]]  # a crack, half of it found
    pictures = np.array([CLEAN, FOUND, half, MISSED], dtype=float)
    kinds = np.array(["clean", "crack", "crack", "blowhole"])
    told = limits.by_surface(pictures, kinds, ["a", "b", "c", "d"], CLASSES)
    first, second = 8 / (20 + 10), 0.5
    assert told["crack"]["surfaces"] == 2
    assert told["crack"]["own"] == pytest.approx(quarters(first, second), abs=1e-6)
    assert told["crack"]["any"] == pytest.approx(quarters(15 / (20 + 10), 0.5), abs=1e-6)
    assert (told["crack"]["lost"], told["blowhole"]["lost"]) == (0, 1)
    assert told["crack"]["largest"] == pytest.approx(50 / 70, abs=1e-6)
    together = limits.by_surface(pictures, kinds, ["a", "b", "b", "d"], CLASSES)["crack"]
    assert together["surfaces"] == 1
    assert together["own"] == pytest.approx([33 / (70 + 10)] * 3, abs=1e-6)


def quarters(low: float, high: float) -> list[float]:
    """What lies a quarter, half and three quarters of the way between two numbers."""
    return [low + (high - low) * share for share in (0.25, 0.5, 0.75)]
