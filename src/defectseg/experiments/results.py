"""The experiments of one baseline in, their scores with intervals and their changed params out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from defectseg.errors import DataError
from defectseg.evaluation.gates import LOWER_IS_BETTER
from defectseg.experiments.folds import METRICS, PARAMS, flatten, is_score
from defectseg.revisions.revision import Revision

Finite = Annotated[float, Field(allow_inf_nan=False, strict=True)]


class Interval(BaseModel):
    """95 %, over surfaces."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    low: Finite | None  # None: the score is undefined
    high: Finite | None


@dataclass(frozen=True)
class Result:
    """What one revision says of itself."""

    revision: Revision
    scores: Mapping[str, float | None]
    intervals: Mapping[str, Interval]
    params: Mapping[str, Any]  # dotted key → value

    @property
    def name(self) -> str:
        """As a person calls it."""
        return self.revision.name

    def changed_params(self, other: "Result") -> dict[str, Any]:
        """Its params that are not those of another."""
        absent = object()
        return {k: v for k, v in self.params.items() if other.params.get(k, absent) != v}


def read_result(revision: Revision) -> Result:
    """Read the scores and the params of a revision.

    Raises:
        DataError: It has none, or they are damaged.
    """
    metrics, params = revision.read(METRICS), revision.read(PARAMS)
    if metrics is None or params is None:
        lacking = METRICS if metrics is None else PARAMS
        raise DataError(f"{revision.name} has no {lacking}; `dvc repro` and a commit give it one")
    try:
        content = json.loads(metrics)
        intervals = content.pop("interval", {})
        known = {key: value for key, value in content.items() if is_score(key, value)}
        return Result(
            revision,
            TypeAdapter(dict[str, Finite | None]).validate_python(known),
            TypeAdapter(dict[str, Interval]).validate_python(intervals),
            flatten(yaml.safe_load(params)),
        )
    except (ValueError, AttributeError, TypeError, RecursionError, yaml.YAMLError) as error:
        what = f"{error.error_count()} faults" if isinstance(error, ValidationError) else error
        raise DataError(f"{revision.name} has damaged scores or params: {what}") from error


def sort_results(results: Sequence[Result], metric: str) -> list[Result]:
    """The best first; those in which the metric is undefined last.

    Raises:
        DataError: None has that metric.
    """
    names = dict.fromkeys(name for result in results for name in result.scores)
    if metric not in names:
        raise DataError(f"no experiment has the score {metric!r}; there are {', '.join(names)}")
    sign = 1 if metric.startswith(LOWER_IS_BETTER) else -1

    def rank(result: Result) -> tuple[bool, float]:
        score = result.scores.get(metric)
        return score is None, sign * (score or 0.0)

    return sorted(results, key=rank)
