"""headline: the numbers that decide, in plain words and with what they rest on."""

import pytest

from defectseg.evaluation.report.headline import headlines, highest_unseen
from report_facts import counted, make_facts, make_metrics, make_point


def test_the_first_numbers_are_escapes_and_false_alarms():
    escapes, alarms = headlines(make_facts())[:2]
    assert (escapes.value, escapes.meaning) == ("15", "of 100 pictures with a defect pass unseen")
    assert (escapes.interval, escapes.measured_on) == (
        "5.0 to 30",
        "8 defect pictures of 8 surfaces",
    )
    assert (alarms.value, alarms.measured_on) == ("10", "10 good pictures of 5 surfaces")


def test_reviews_are_told_only_where_there_is_a_band():
    with_band = [shown.meaning for shown in headlines(make_facts())]
    point = make_point(review=0.7)
    without = [shown.meaning for shown in headlines(make_facts(point=point))]
    assert len(with_band) == len(without) + 1
    assert not any("review" in meaning for meaning in without)


def test_the_overlap_rests_on_all_pictures():
    overlap = headlines(make_facts())[-1]
    assert (overlap.value, overlap.interval) == ("0.76", "0.600 to 0.900")
    assert overlap.measured_on == "18 test pictures of 13 surfaces"


def test_a_rate_of_zero_says_what_it_does_not_exclude():
    facts = make_facts(
        metrics=make_metrics(escape_rate=0.0),
        parts={"test": {"crack": counted(60, 10, 9)}},
    )
    # 0.7411 ** 10 = 0.05: with a rate of 25.9 % ten surfaces show nothing one time of twenty
    assert headlines(facts)[0].note.endswith("on 10 surfaces; that still allows up to 26 of 100.")
    assert headlines(make_facts())[0].note == ""


@pytest.mark.parametrize(("surfaces", "rate"), [(0, 1.0), (1, 0.95), (2, 0.7764), (300, 0.00994)])
def test_the_highest_rate_that_n_surfaces_may_hide(surfaces: int, rate: float):
    assert highest_unseen(surfaces) == pytest.approx(rate, abs=5e-5)


def test_unknown_numbers_are_dashes():
    shown = headlines(make_facts(metrics={}, parts={}))
    assert {each.value for each in shown} == {"–"}
    assert shown[0].measured_on == "0 defect pictures of 0 surfaces"
