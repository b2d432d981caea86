"""Scores and the demands of params.yaml in, whether the model may be shipped out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from defectseg.errors import ParamsError

LOWER_IS_BETTER = ("escape_rate", "false_alarm_rate", "review_rate", "false_regions", "ece")


@dataclass(frozen=True)
class Gate:
    """A demand of params.yaml: evaluate.gates, and whether the test part meets it."""

    metric: str  # a key of metrics/evaluate.json
    limit: float
    is_floor: bool  # True: the value may not be below the limit; False: not above
    value: float | None  # None: undefined on this test part, which never passes
    passed: bool


def check_gates(metrics: Mapping[str, Any], limits: Mapping[str, float | None]) -> list[Gate]:
    """Compare scores with their limits: floors, or ceilings for what is `LOWER_IS_BETTER`.

    A limit of None is no gate: `-S evaluate.gates.iou_macro=null` takes one away.

    Raises:
        ParamsError: A limit is set for something that is no score.
    """
    known = {name for name, value in metrics.items() if value is None or isinstance(value, float)}
    unknown = sorted(set(limits) - known)
    if unknown:
        raise ParamsError(
            f"params.yaml: evaluate.gates: no such score: {', '.join(unknown)}; "
            f"the scores are: {', '.join(sorted(known))}"
        )
    return [_check(n, limit, metrics[n]) for n, limit in limits.items() if limit is not None]


def _check(name: str, limit: float, value: float | None) -> Gate:
    is_floor = not name.startswith(LOWER_IS_BETTER)
    passed = value is not None and (value >= limit if is_floor else value <= limit)
    return Gate(name, limit, is_floor, value, passed)
