"""The scores of the folds of a cross-validation in, the mean and the spread of each score out.

n folds. The interval is Student's t over the folds. The folds share most of their training
pictures, so their scores are not independent and the true interval is somewhat wider: Bengio and
Grandvalet, "No unbiased estimator of the variance of k-fold cross-validation", JMLR 2004.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import yaml
from pydantic import BaseModel, Field, TypeAdapter
from scipy import stats

from defectseg.errors import DataError
from defectseg.experiments.queue import Experiment

CONFIDENCE = 0.95
METRICS = "metrics/evaluate.json"
PARAMS = "params.yaml"
COUNTS = frozenset({"pictures", "surfaces"})  # in the metrics, but no scores
Score = Annotated[float, Field(allow_inf_nan=False, strict=True)] | None


@dataclass(frozen=True)
class ScoreSpread:
    """One score over the folds in which it is defined."""

    name: str
    folds: int  # in which it is defined
    mean: float
    deviation: float | None  # standard deviation of the folds, n - 1; None for one fold
    least: float
    most: float
    low: float | None  # the interval of the mean, not cut at 0 or 1; None for one fold
    high: float | None


@dataclass(frozen=True)
class Fold:
    """What one experiment of a cross-validation says."""

    name: str  # of the experiment
    params: dict[str, Any]  # dotted key → value
    scores: dict[str, float | None]


class _SplitSection(BaseModel):
    folds: Annotated[int, Field(ge=2, le=10_000)]
    fold: Annotated[int, Field(ge=0)]


def summarise_folds(folds: Sequence[Mapping[str, float | None]]) -> list[ScoreSpread]:
    """The spread of every score that is defined in a fold, in the order of their first coming."""
    names = dict.fromkeys(name for scores in folds for name in scores)
    spreads = []
    for name in names:
        known = [value for scores in folds if (value := scores.get(name)) is not None]
        if known:
            spreads.append(_spread(name, np.array(known, dtype=np.float64)))
    return spreads


def _spread(name: str, values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> ScoreSpread:
    count, mean = len(values), float(values.mean())
    deviation = low = high = None
    if count > 1:
        deviation = float(values.std(ddof=1))
        quantile = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1))
        half = quantile * deviation / count**0.5
        low, high = mean - half, mean + half
    least, most = float(values.min()), float(values.max())
    return ScoreSpread(name, count, mean, deviation, least, most, low, high)


def read_fold(experiment: Experiment, number: int) -> Fold:
    """Read the scores and the params of the experiment that is called fold `number`.

    Raises:
        DataError: A file is missing or damaged, or the experiment is another fold.
    """
    metrics, params = experiment.read(METRICS), experiment.read(PARAMS)
    return parse_fold(experiment.name, number, metrics, params)


def parse_fold(name: str, number: int, metrics: str, params: str) -> Fold:
    """Check the JSON of the scores and the YAML of the params of one fold.

    Raises:
        DataError: See `read_fold`.
    """
    try:
        scores = TypeAdapter(dict[str, Score]).validate_python(
            {key: value for key, value in json.loads(metrics).items() if is_score(key, value)}
        )
        known = yaml.safe_load(params)
        split = _SplitSection.model_validate(known["data_split"])
    except yaml.YAMLError as error:
        raise DataError(f"{name} has a {PARAMS} that is no YAML: {error}") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{name} has damaged scores or params: {error}") from error
    if split.fold != number:
        raise DataError(
            f"{name} is fold {split.fold}, not {number}; remove it by "
            f"`dvc exp remove {name}` and run the folds again"
        )
    return Fold(name, flatten(known), scores)


def is_score(name: str, value: Any) -> bool:
    """Whether an entry of metrics/evaluate.json is a score."""
    return name not in COUNTS and not isinstance(value, dict | list)  # intervals, gates


def flatten(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested params by dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in params.items():
        dotted = f"{prefix}{key}"
        flat |= flatten(value, f"{dotted}.") if isinstance(value, dict) else {dotted: value}
    return flat


def check_folds(folds: Sequence[Fold]) -> None:
    """Refuse folds that differ in more than their number: their mean would say nothing.

    Raises:
        DataError: Names the params that differ.
    """
    keys = sorted({key for fold in folds for key in fold.params} - {"data_split.fold"})
    differing = [key for key in keys if any(_differ(fold, folds[0], key) for fold in folds)]
    if differing:
        raise DataError(
            f"the folds {', '.join(fold.name for fold in folds)} differ in "
            f"{', '.join(differing[:10])}; run all of them again with the same params"
        )


def _differ(fold: Fold, other: Fold, key: str) -> bool:
    absent = object()
    return bool(fold.params.get(key, absent) != other.params.get(key, absent))


def missing_folds(present: Sequence[int], folds: int) -> list[int]:
    """The numbers 0..folds - 1 that are not present."""
    return sorted(set(range(folds)) - set(present))
