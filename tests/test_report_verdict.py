"""verdict: whether the model may ship, and by how much each gate is met or failed."""

from defectseg.evaluation.gates import Gate
from defectseg.evaluation.report.verdict import judge_gates

MET = Gate("iou_macro", 0.5, True, 0.612, True)
FAILED = Gate("escape_rate", 0.1, False, 0.15, False)
NARROW = {"interval": {"iou_macro": {"low": 0.45, "high": 0.7}}}


def test_without_gates_nothing_is_approved():
    verdict = judge_gates([], {})
    assert (verdict.colour, verdict.headline, verdict.rows) == ("unknown", "No gates were set", ())


def test_a_model_that_meets_all_gates_may_ship():
    verdict = judge_gates([MET], {})
    assert (verdict.colour, verdict.headline) == ("good", "May ship")
    assert verdict.sentence == "The only gate is met on the test part."
    (row,) = verdict.rows
    assert (row.demand, row.measured, row.distance) == ("at least 0.500", "0.612", "0.112 to spare")
    assert row.outcome == "met"


def test_one_failed_gate_is_enough_and_stands_first():
    verdict = judge_gates([MET, FAILED], {})
    assert (verdict.colour, verdict.headline) == ("error", "Must not ship")
    assert verdict.sentence.startswith("1 of 2 gates failed")
    assert [row.metric.key for row in verdict.rows] == ["escape_rate", "iou_macro"]
    assert verdict.rows[0].demand == "at most 10.0 of 100"
    assert verdict.rows[0].distance == "5.0 of 100 too high"


def test_a_score_below_its_floor_is_too_low():
    (row,) = judge_gates([Gate("iou_macro", 0.5, True, 0.4, False)], {}).rows
    assert (row.distance, row.outcome) == ("0.100 too low", "failed")


def test_a_gate_whose_interval_reaches_past_the_limit_is_met_only_narrowly():
    verdict = judge_gates([MET], NARROW)
    assert verdict.rows[0].outcome == "narrow"
    assert "1 of them only narrowly" in verdict.sentence
    ceiling = Gate("escape_rate", 0.1, False, 0.05, True)
    past = {"interval": {"escape_rate": {"low": 0.0, "high": 0.11}}}
    within = {"interval": {"escape_rate": {"low": 0.0, "high": 0.1}}}
    assert judge_gates([ceiling], past).rows[0].outcome == "narrow"
    assert judge_gates([ceiling], within).rows[0].outcome == "met"


def test_an_undefined_number_fails_its_gate():
    (row,) = judge_gates([Gate("iou_macro", 0.5, True, None, False)], {}).rows
    assert (row.measured, row.outcome) == ("–", "failed")
    assert "undefined" in row.distance
