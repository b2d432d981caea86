"""Two revisions in, a verdict on each metric out: better, worse, can't tell or no baseline."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from defectseg.comparison.evidence import Evidence, weigh_evidence
from defectseg.comparison.per_image import PerImage, parse_per_image
from defectseg.comparison.scores import (
    Scores,
    gated_metrics,
    read_params_of,
    read_scores,
)
from defectseg.comparison.test_part import Pairs, pair_pictures, to_table
from defectseg.errors import ComparisonError
from defectseg.evaluation.gates import LOWER_IS_BETTER
from defectseg.revisions.revision import Revision

PER_IMAGE = "metrics/per_image.csv"
DRAWS = 2000  # of the bootstrap, and as many swaps
SEED = 0
ROUNDED = 2e-6  # metrics/evaluate.json has six digits
ROUNDED_SCORES = 2e-3  # of rankings by scores that older rows had with six digits
Verdict = Literal["better", "worse", "can't tell", "no baseline"]


@dataclass(frozen=True)
class Judged:
    """One metric of both revisions."""

    metric: str  # a key of metrics/evaluate.json
    base: float | None  # None: undefined or unknown
    head: float | None
    low: float | None  # 95 % interval of the paired difference; None: there is none
    high: float | None
    chance: float | None  # share of swaps of the two models that give as large a difference
    verdict: Verdict
    reason: str  # why nothing can be told, or why chance explains it; may be empty
    is_gated: bool
    is_lower_better: bool

    @property
    def difference(self) -> float | None:
        """Head - base."""
        return None if self.base is None or self.head is None else self.head - self.base


@dataclass(frozen=True)
class Comparison:
    """What two revisions' metrics say of one another."""

    base: str  # names of the revisions
    head: str
    judged: tuple[Judged, ...]  # every metric of either, the gated ones first
    has_baseline: bool  # the base has metrics
    pairs: Pairs | None  # the pictures that both have; None: there are no rows to compare
    gates: int  # how many head was held against when it was evaluated
    failed_gates: tuple[str, ...]  # those that it did not meet, in words
    notes: tuple[str, ...]  # what a reader must know besides

    @property
    def worse_gates(self) -> tuple[str, ...]:
        """The gated metrics that are worse at head."""
        return tuple(row.metric for row in self.judged if row.is_gated and row.verdict == "worse")

    def names(self, verdict: Verdict) -> tuple[str, ...]:
        """The metrics with a verdict."""
        return tuple(row.metric for row in self.judged if row.verdict == verdict)

    def summary(self) -> str:
        """All of it in one line."""
        between = f"{self.head} against {self.base}"
        if not self.has_baseline:
            return f"no baseline: {self.base} has no metrics to hold {self.head} against"
        worse, better, unclear = (len(self.names(v)) for v in ("worse", "better", "can't tell"))
        counts = f"{better} better, {worse} worse, {unclear} can't tell"
        if self.worse_gates:
            return f"worse: {', '.join(self.worse_gates)} ({between}; {counts})"
        return f"no gated metric is worse ({between}; {counts})"


def compare_revisions(
    base: Revision, head: Revision, is_common: bool = False, draws: int = DRAWS
) -> Comparison:
    """Compare the metrics of two revisions, picture by picture.

    Args:
        is_common: Where the test parts differ, score both on the pictures that both have.
        draws: Of the bootstrap, and as many swaps.

    Raises:
        ComparisonError: They cannot be compared.
        RevisionError: A file of theirs cannot be had.
    """
    scores = read_scores(head)
    if scores is None:
        raise ComparisonError(
            f"{head.name} has no metrics/evaluate.json, so there is nothing to compare; "
            "run `dvc repro evaluate` there first"
        )
    gated = gated_metrics(read_params_of(revision) for revision in (base, head))
    before = read_scores(base)
    if before is None or (base.commit and base.lock.out(PER_IMAGE) is None):
        judged = tuple(
            _without_baseline(name, before, scores, name in gated) for name in scores.values
        )
        return _conclude(base, head, judged, scores, None, has_baseline=False)
    rows = read_rows(base, before), read_rows(head, scores)
    for each, own in zip(rows, (before, scores), strict=True):
        refuse_two_runs(each, own)
    pairs = pair_pictures(*rows, is_common)
    evidence = weigh_pairs(pairs, rows, draws)
    stated = (before, scores) if (len(pairs.head),) * 2 == pairs.of else (None, None)
    names = dict.fromkeys([*scores.values, *before.values])
    judged = tuple(
        judge_metric(name, stated, rows, evidence.get(name), name in gated) for name in names
    )
    return _conclude(base, head, judged, scores, pairs, has_baseline=True)


def read_rows(revision: Revision, scores: Scores) -> PerImage:
    """The rows of a revision, from git's workspace, DVC's cache or the remote.

    Raises:
        ComparisonError: There are none, or they are damaged.
        RevisionError: They cannot be had.
    """
    with tempfile.TemporaryDirectory() as folder:
        place = revision.fetch(PER_IMAGE, Path(folder))
        if place is None:
            raise ComparisonError(
                f"{revision.name} has scores but no {PER_IMAGE}, whose rows are compared; get it "
                "by `dvc pull`, or make it by `dvc repro evaluate`"
            )
        return parse_per_image(place.read_bytes(), revision.name, scores.classes)


def refuse_two_runs(rows: PerImage, scores: Scores) -> None:
    """Compute every score from the rows again.

    Raises:
        ComparisonError: The rows are those of another run than the scores.
    """
    table = to_table(tuple(rows.rows.values()), rows.classes, rows.classes)
    again = table.scores(np.ones((1, len(rows.rows))), rows.classes)
    tolerance = ROUNDED if "confusion" in rows.columns else ROUNDED_SCORES
    for name, values in again.items():
        if name in scores.values and not rows.missing_for(name):
            stated, found = scores.values[name], float(values[0])
            if abs(found - (np.nan if stated is None else stated)) > tolerance or (
                np.isnan(found) != (stated is None)
            ):
                raise ComparisonError(
                    f"metrics/evaluate.json of {rows.name} says {name} = {stated}, but its "
                    f"{PER_IMAGE} gives {found:.6f}: they are of two runs; run `dvc repro` or "
                    "`dvc checkout` there, and commit dvc.lock together with the metrics"
                )


def weigh_pairs(
    pairs: Pairs, rows: tuple[PerImage, PerImage], draws: int = DRAWS
) -> dict[str, Evidence]:
    """Evidence on every metric that the rows can tell."""
    base, head = (
        to_table(each, own.classes, pairs.classes)
        for each, own in zip((pairs.base, pairs.head), rows, strict=True)
    )
    return weigh_evidence(base, head, pairs.surfaces, pairs.classes, draws, SEED)


def judge_metric(
    name: str,
    stated: tuple[Scores | None, Scores | None],
    rows: tuple[PerImage, PerImage],
    evidence: Evidence | None,
    is_gated: bool,
) -> Judged:
    """The verdict on one metric.

    Args:
        stated: What evaluate.json says; None where other pictures are compared than it is of.
    """
    is_lower_better = name.startswith(LOWER_IS_BETTER)
    lacking = [(each.name, each.missing_for(name)) for each in rows if each.missing_for(name)]
    base, head = (None if each is None else each.values.get(name) for each in stated)
    if evidence is None or lacking or not rows[0].knows(name):
        reason = "; ".join(
            f"{PER_IMAGE} of {revision} has no column {', '.join(columns)}"
            for revision, columns in lacking
        )
        reason = reason or "the rows of the pictures do not tell it"
        return Judged(
            name, base, head, None, None, None, "can't tell", reason, is_gated, is_lower_better
        )
    verdict, reason = _decide(evidence, is_lower_better, (rows[0].name, rows[1].name))
    known = [
        _known(value)
        for value in (
            evidence.base,
            evidence.head,
            evidence.low,
            evidence.high,
            evidence.chance,
        )
    ]
    base, head, low, high, chance = known
    return Judged(name, base, head, low, high, chance, verdict, reason, is_gated, is_lower_better)


def _decide(
    evidence: Evidence, is_lower_better: bool, revisions: tuple[str, str]
) -> tuple[Verdict, str]:
    undefined = [
        revision
        for revision, value in zip(revisions, (evidence.base, evidence.head), strict=True)
        if np.isnan(value)
    ]
    if undefined:
        return "can't tell", f"undefined at {' and '.join(undefined)}: no such picture or region"
    if evidence.difference == 0:
        return "can't tell", "no difference"
    if np.isnan(evidence.low):
        return "can't tell", f"only {evidence.surfaces} surface has any influence on it"
    if evidence.is_sure:
        return "better" if (evidence.difference < 0) == is_lower_better else "worse", ""
    if evidence.low <= 0 <= evidence.high:
        return "can't tell", "the interval includes no difference"
    return "can't tell", (
        f"chance: the models swapped on random surfaces differ as much in "
        f"{100 * evidence.chance:.0f} of 100 cases"
    )


def _without_baseline(name: str, before: Scores | None, scores: Scores, is_gated: bool) -> Judged:
    base = before.values.get(name) if before else None
    is_lower_better = name.startswith(LOWER_IS_BETTER)
    ends = (None, None, None)
    head = scores.values[name]
    return Judged(name, base, head, *ends, "no baseline", "", is_gated, is_lower_better)


def _conclude(
    base: Revision,
    head: Revision,
    judged: Sequence[Judged],
    scores: Scores,
    pairs: Pairs | None,
    has_baseline: bool,
) -> Comparison:
    return Comparison(
        base.name,
        head.name,
        tuple(sorted(judged, key=lambda row: not row.is_gated)),
        has_baseline,
        pairs,
        scores.gates,
        scores.failed,
        pairs.notes if pairs else (),
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
