"""curve: what each level of rejection does to a few pictures."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from defectseg.evaluation.curve import POINTS, CurvePoint, escape_curve
from defectseg.evaluation.scored import ScoredPicture
from scored_pictures import scored

PICTURES = [
    scored("1", "1", score=0.9),
    scored("1", ".", score=0.3),
    scored(".", "1", score=0.5),
    scored(".", ".", score=0.0),
]


def curve_of(pictures: Sequence[ScoredPicture]) -> list[CurvePoint]:
    """The curve of their scores."""
    scores = np.array([picture.score for picture in pictures])
    return escape_curve(scores, np.array([picture.tile.is_defect for picture in pictures], bool))


def test_every_level_where_something_changes_has_its_point_the_strictest_last():
    assert curve_of(PICTURES) == [
        CurvePoint(reject=1.0, escape_rate=1, false_alarm_rate=0),
        CurvePoint(0.9, 0.5, 0),
        CurvePoint(0.5, 0.5, 0.5),
        CurvePoint(0.3, 0, 0.5),
        CurvePoint(0.0, 0, 1),
    ]


def test_the_first_point_rejects_nothing_not_even_the_surest_picture():
    first, second, last = curve_of([scored("1", "1", score=1.0), scored(".", "1", score=1.0)])
    assert first == CurvePoint(1.0, escape_rate=1, false_alarm_rate=0)
    assert second == CurvePoint(1.0, escape_rate=0, false_alarm_rate=1)
    assert last == CurvePoint(0.0, escape_rate=0, false_alarm_rate=1)


def test_a_part_without_one_kind_of_picture_has_no_rate_for_it():
    assert {point.false_alarm_rate for point in curve_of(PICTURES[:2])} == {None}
    assert {point.escape_rate for point in curve_of(PICTURES[2:])} == {None}
    assert curve_of([]) == [CurvePoint(1.0, None, None), CurvePoint(0.0, None, None)]


def test_a_curve_of_many_pictures_keeps_its_ends_and_few_points():
    draw = np.random.default_rng(0)
    pictures = [scored("1" if draw.random() < 0.5 else ".", ".", draw.random()) for _ in range(900)]
    curve = curve_of(pictures)
    assert len(curve) == POINTS
    assert (curve[0].escape_rate, curve[0].false_alarm_rate) == (1, 0)
    assert (curve[-1].escape_rate, curve[-1].false_alarm_rate) == (0, 1)
    for before, after in pairwise(curve):
        assert before.reject > after.reject
        assert (before.escape_rate or 0) >= (after.escape_rate or 0)
        assert (before.false_alarm_rate or 0) <= (after.false_alarm_rate or 0)


def test_the_order_of_the_pictures_does_not_matter():
    assert curve_of(PICTURES[::-1]) == curve_of(PICTURES)


def test_rates_are_rounded_to_six_digits():
    thirds = [scored("1", "1", score) for score in (0.2, 0.4, 0.6)]
    assert [point.escape_rate for point in curve_of(thirds)] == [1, 0.666667, 0.333333, 0, 0]
