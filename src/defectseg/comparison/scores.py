"""metrics/evaluate.json and params.yaml of one revision in, its scores, gates and params out."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from defectseg.errors import ComparisonError
from defectseg.evaluation.report.wording import number_in
from defectseg.experiments.folds import COUNTS, flatten
from defectseg.revisions.revision import Revision

METRICS = "metrics/evaluate.json"
PARAMS = "params.yaml"
POOLED = ("iou_pooled", "iou_macro")  # all other iou_* are of one class
GATES = "evaluate.gates."


@dataclass(frozen=True)
class Scores:
    """What one revision says of its test part."""

    values: dict[str, float | None]  # metric → value; None = undefined on this part
    classes: tuple[str, ...]  # in the order of the masks
    failed: tuple[str, ...]  # its own gates that it did not meet, in words
    gates: int  # how many it was held against
    point: Mapping[str, Any]  # its operating point, as evaluate.json has it; may be empty
    content: Mapping[str, Any]  # all of evaluate.json


def read_scores(revision: Revision) -> Scores | None:
    """The scores of a revision; None where it has none.

    Raises:
        ComparisonError: The file is damaged.
    """
    text = revision.read(METRICS) or b""
    if not text.strip():
        return None
    try:
        content = json.loads(text)
        return _to_scores(content) if content else None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ComparisonError(
            f"{METRICS} of {revision.name} is damaged: {error!r}; run the stage evaluate there"
        ) from error


def _to_scores(content: Mapping[str, Any]) -> Scores:
    values = {
        str(name): number_in(content, name)
        for name, value in content.items()
        if name not in COUNTS
        and (value is None or (isinstance(value, int | float) and not isinstance(value, bool)))
    }
    point = content.get("operating_point") or {}
    named = [str(each["defect_class"]) for each in point.get("classes") or ()]
    by_iou = [n.removeprefix("iou_") for n in values if n.startswith("iou_") and n not in POOLED]
    gates = content.get("gates") or []
    failed = [_describe_gate(gate) for gate in gates if not gate["passed"]]
    return Scores(values, tuple(named or by_iou), tuple(failed), len(gates), point, content)


def _describe_gate(gate: Mapping[str, Any]) -> str:
    """Such as `iou_macro is 0.43, but must be at least 0.5`."""
    value = "undefined" if gate["value"] is None else f"{float(gate['value']):.4g}"
    bound = "at least" if gate["is_floor"] else "at most"
    return f"{gate['metric']} is {value}, but must be {bound} {float(gate['limit']):.4g}"


def read_params_of(revision: Revision) -> dict[str, Any]:
    """Every param of a revision by its dotted key; empty where it has no params.yaml.

    Raises:
        ComparisonError: The file is no YAML.
    """
    try:
        content = yaml.safe_load(revision.read(PARAMS) or b"")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ComparisonError(f"{PARAMS} of {revision.name} is no YAML: {error}") from error
    return flatten(content) if isinstance(content, dict) else {}


def gated_metrics(params: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The metrics for which any of some params sets a gate that is not null."""
    names = (
        key.removeprefix(GATES)
        for each in params
        for key, value in each.items()
        if key.startswith(GATES) and value is not None
    )
    return tuple(dict.fromkeys(names))
