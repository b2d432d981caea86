"""The gates in, whether the model may ship and by how much each gate is met or failed out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from defectseg.evaluation.gates import Gate
from defectseg.evaluation.report.wording import (
    DASH,
    Metric,
    count,
    interval_in,
    metric_of,
    say,
    say_apart,
    say_interval,
)

Outcome = Literal["met", "narrow", "failed"]  # narrow: met, but the interval reaches past the limit


@dataclass(frozen=True)
class GateRow:
    """One gate in words."""

    metric: Metric
    demand: str  # such as `at least 0.500`
    measured: str
    interval: str
    distance: str  # such as `0.068 too low`
    outcome: Outcome


@dataclass(frozen=True)
class Verdict:
    """What stands on top of the page."""

    colour: Literal["good", "error", "unknown"]
    headline: str
    sentence: str
    rows: tuple[GateRow, ...]


def judge_gates(gates: Sequence[Gate], metrics: Mapping[str, Any]) -> Verdict:
    """Tell the gates, the failed ones first."""
    rows = sorted(
        (_row(gate, metrics) for gate in gates),
        key=lambda row: ("failed", "narrow", "met").index(row.outcome),
    )
    if not rows:
        sentence = (
            "params.yaml: evaluate.gates demands nothing of this model, so nothing is approved. "
            "Judge it by the numbers below."
        )
        return Verdict("unknown", "No gates were set", sentence, ())
    failed = [row for row in rows if row.outcome == "failed"]
    if failed:
        sentence = (
            f"{len(failed)} of {count(len(rows), 'gate')} failed on the test part: "
            "the stage export refuses this model."
        )
        return Verdict("error", "Must not ship", sentence, tuple(rows))
    return Verdict("good", "May ship", _praise(rows), tuple(rows))


def _praise(rows: Sequence[GateRow]) -> str:
    met = "The only gate is" if len(rows) == 1 else f"All {len(rows)} gates are"
    narrow = sum(row.outcome == "narrow" for row in rows)
    doubt = (
        f" {narrow} of them only narrowly: other pictures could fail "
        f"{'it' if narrow == 1 else 'them'}."
    )
    return f"{met} met on the test part." + doubt * bool(narrow)


def _row(gate: Gate, metrics: Mapping[str, Any]) -> GateRow:
    metric, ends = metric_of(gate.metric), interval_in(metrics, gate.metric)
    at = "at least" if gate.is_floor else "at most"
    if gate.value is None:
        demand = f"{at} {say(metric, gate.limit)}"
        why = "undefined on this test part, which never passes"
        return GateRow(metric, demand, DASH, say_interval(metric, ends), why, "failed")
    value, limit, distance = say_apart(metric, gate.value, gate.limit)
    return GateRow(
        metric,
        demand=f"{at} {limit}",
        measured=value,
        interval=say_interval(metric, ends),
        distance=f"{distance} {_side(gate)}",
        outcome=_outcome(gate, ends),
    )


def _side(gate: Gate) -> str:
    if gate.passed:
        return "to spare"
    return "too low" if gate.is_floor else "too high"


def _outcome(gate: Gate, ends: tuple[float, float] | None) -> Outcome:
    if not gate.passed:
        return "failed"
    is_past = ends is not None and (ends[0] < gate.limit if gate.is_floor else ends[1] > gate.limit)
    return "narrow" if is_past else "met"
