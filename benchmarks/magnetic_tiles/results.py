"""The files of results/ in, the scores of a setting over all folds out, each with its interval.

Pixels and verdicts are pooled over the folds: every picture is in the test part of one. Rankings
(AUROC) are the mean of the folds', for the scores of different models have different scales. The
masks are the plain ones; verdicts and rankings are those of the operating point. Seeds are
averaged; an interval resamples surfaces, the same for all seeds.
n pictures, B resamples.
"""

import gzip
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from fold import KINDS, RESULTS, Run

from defectseg.comparison.evidence import Evidence, weigh_evidence
from defectseg.comparison.per_image import FOUND, Row, parse_per_image
from defectseg.comparison.ranked import RankedTable
from defectseg.comparison.test_part import to_table
from defectseg.confusion import ratio
from defectseg.errors import DataError
from defectseg.evaluation.metrics import interval, resample

Float = npt.NDArray[np.float64]
RANKED = ("image_auroc", "image_average_precision")
OF_PLAIN = ("tp", "fp", "fn", "confusion", *FOUND)  # columns; the others are of the verdict
DRAWS = 2000
SEED = 0  # of the resampling
CLASSES = ("blowhole", "break", "crack", "fray", "uneven")


@dataclass(frozen=True)
class FoldedTable:
    """The rows of several models, such as the folds of a seed; each picture is in one's part."""

    table: RankedTable  # (n)
    fold: npt.NDArray[np.int_]  # (n,): the place of its model among those that were read
    surfaces: tuple[str, ...]  # (n,)
    ids: tuple[str, ...]  # (n,)

    def scores(self, weights: Float) -> dict[str, Float]:
        """Every score (B,) of the pictures with weights (B, n)."""
        whole = self.table.scores(weights, CLASSES)
        each = [
            self.table.scores(weights * (self.fold == fold), CLASSES)
            for fold in np.unique(self.fold)
        ]
        ranked = {name: mean_of_known(np.array([one[name] for one in each])) for name in RANKED}
        return whole | ranked


@dataclass(frozen=True)
class Score:
    """One number of a table."""

    value: float
    low: float | None  # 95 % interval; None where it is undefined
    high: float | None
    deviation: float | None  # of the seeds; None for one


def seeds_done(setting: str, folds: int) -> list[int]:
    """The seeds of which every fold is done."""
    seeds = sorted(
        {int(path.name.split("-")[1]) for path in (RESULTS / setting).glob("seed-*.json")}
    )
    return [
        seed for seed in seeds if all(Run(setting, f, seed).facts.exists() for f in range(folds))
    ]


def read_facts(setting: str, seed: int, folds: int) -> list[dict[str, Any]]:
    """The facts of every fold."""
    runs = (Run(setting, fold, seed) for fold in range(folds))
    return [json.loads(run.facts.read_text(encoding="utf-8")) for run in runs]


def read_table(name: str, seed: int, folds: Sequence[int], part: str) -> FoldedTable:
    """The rows of some folds of a setting, sorted by id."""
    return read_models([(Run(name, fold, seed), None) for fold in folds], part)


def read_models(models: Sequence[tuple[Run, Collection[str] | None]], part: str) -> FoldedTable:
    """The rows of some models, sorted by id; each is a group of the ranking.

    Args:
        models: Each with the ids of the pictures that count, or None: all.
    """
    rows: list[tuple[Row, int]] = []
    for group, (run, among) in enumerate(models):
        plain, operating = (read_rows(run, part, kind) for kind in KINDS)
        both = (
            operating[key].model_copy(update={name: getattr(row, name) for name in OF_PLAIN})
            for key, row in plain.items()
            if among is None or key in among
        )
        rows += [(row, group) for row in both]
    rows.sort(key=lambda pair: pair[0].id)
    if len({row.id for row, _ in rows}) < len(rows):
        names = ", ".join(run.name for run, _ in models)
        raise DataError(f"a picture lies in two {part} parts of {names}")
    only = [row for row, _ in rows]
    return FoldedTable(
        to_table(only, CLASSES, CLASSES),
        np.array([group for _, group in rows]),
        tuple(row.surface for row in only),
        tuple(row.id for row in only),
    )


def read_rows(run: Run, part: str, kind: str) -> dict[str, Row]:
    """The rows of one file by id."""
    content = gzip.decompress(run.rows(part, kind).read_bytes())
    return parse_per_image(content, run.name, CLASSES).rows


def score_setting(tables: Sequence[FoldedTable]) -> dict[str, Score]:
    """The mean over the seeds of every score, with its interval."""
    first = tables[0]
    ones = np.ones((1, len(first.ids)))
    values = [{name: float(v[0]) for name, v in table.scores(ones).items()} for table in tables]
    weights = resample(first.surfaces, DRAWS, SEED)
    spread = [table.scores(weights) for table in tables]
    scores = {}
    for name in values[0]:
        each = np.array([value[name] for value in values])
        drawn = mean_of_known(np.array([one[name] for one in spread]))
        deviation = float(each.std(ddof=1)) if len(each) > 1 else None
        scores[name] = Score(float(each.mean()), **interval(drawn), deviation=deviation)
    return scores


def mean_of_known(values: Float) -> Float:
    """The mean over the first axis of what is no NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0))


def compare_settings(base: FoldedTable, head: FoldedTable) -> dict[str, Evidence]:
    """What the same pictures say of two settings, metric by metric: see docs/compare.md."""
    if base.ids != head.ids:
        raise DataError("the two settings were scored on other pictures")
    return weigh_evidence(base.table, head.table, base.surfaces, CLASSES, DRAWS, SEED)
