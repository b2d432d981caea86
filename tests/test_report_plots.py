"""plots: the facts as charts."""

import pytest

from defectseg.evaluation.curve import CurvePoint
from defectseg.evaluation.report.plots import (
    escape_curves,
    loss_plot,
    reliability_plot,
    score_plot,
)
from report_facts import make_facts, make_metrics
from tiny import model_info

UNDEFINED = [CurvePoint(0.5, 0.2, None), CurvePoint(0.1, 0.0, None)]


def test_the_curve_has_both_parts_and_marks_what_was_chosen():
    whole, near = escape_curves(make_facts())
    assert [line.name for line in whole.lines] == [
        "valid (chose the operating point)",
        "test (only measured)",
    ]
    assert [mark.name for mark in whole.marks] == [
        "chosen, valid: 10 false alarms, 8.0 escapes",
        "chosen, test: 10 false alarms, 15 escapes",
    ]
    # 10 of 100 lies 37.4 right of 52; 15 of 100 lies 40.8 above 284
    assert whole.marks[1].dots == ((89.4, 243.2),)
    assert (whole.x.high, near.x.high) == (100, 50)  # 1.5 × 15, rounded up


def test_an_operating_point_far_from_the_corner_needs_no_second_curve():
    assert len(escape_curves(make_facts(metrics=make_metrics(escape_rate=0.7)))) == 1
    assert len(escape_curves(make_facts(metrics={}))) == 1


@pytest.mark.parametrize("curves", [{}, {"test": UNDEFINED}])
def test_without_pictures_of_both_kinds_there_is_no_curve(curves):
    assert escape_curves(make_facts(curves=curves)) == []


def test_the_curve_may_lack_a_part():
    facts = make_facts()
    chart = escape_curves(make_facts(curves={"test": facts.curves["test"], "valid": UNDEFINED}))[0]
    assert [(line.name[:4], line.look) for line in chart.lines] == [("test", 1)]


def test_reliability_has_a_diagonal_and_a_dot_a_bin():
    chart = reliability_plot(make_facts())
    assert chart is not None
    assert [(line.name, len(line.dots)) for line in chart.lines] == [("valid", 2), ("test", 2)]
    assert chart.guides == ("M52.0 284.0L426.0 12.0",)
    assert reliability_plot(make_facts(reliability={"test": []})) is None


def test_the_loss_of_both_parts_is_drawn_up_to_a_round_end():
    chart = loss_plot(make_facts())
    assert chart is not None
    assert [line.name for line in chart.lines] == ["train", "valid"]
    assert (chart.y.high, chart.x.high) == (2.0, 3)  # of 1.3, and of four epochs
    assert chart.guides == ("M426.0 284.0L426.0 12.0",)  # epoch 3, the last


def test_scores_come_in_the_order_of_what_counts():
    curve = [0.1, 0.2]
    names = ["valid_iou_crack", "valid_iou_macro", "valid_loss", "valid_dice", "learning_rate"]
    chart = score_plot(make_facts(training=dict.fromkeys(names, curve)))
    assert chart is not None
    assert [line.name for line in chart.lines] == [
        "IoU, mean of the classes",
        "Dice of any defect",
        "IoU of crack",
    ]
    assert chart.y.high == 1.0


def test_of_many_classes_as_many_are_drawn_as_can_be_told_apart():
    training = {f"valid_iou_c{k:02}": [0.1, 0.2] for k in range(30)} | {"valid_dice": [0.3, 0.4]}
    chart = score_plot(make_facts(training=training))
    assert chart is not None
    assert [line.name for line in chart.lines[:2]] == ["Dice of any defect", "IoU of c00"]
    assert len({line.look for line in chart.lines}) == len(chart.lines) == 8


def test_a_single_epoch_is_a_dot_and_none_is_nothing():
    info = model_info(best_epoch=0)
    chart = loss_plot(make_facts(training={"train_loss": [0.5]}, info=info))
    assert chart is not None
    assert chart.lines[0].dots == ((52.0, 12.0),)
    assert loss_plot(make_facts(training={})) is None
    assert loss_plot(make_facts(training={"train_loss": [float("nan")]})) is None
