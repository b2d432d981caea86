"""Facts in, findings out, and metrics/data_quality.json, which names every picture of each."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from defectseg.data.quality.agreement import Agreement, Score
from defectseg.data.quality.checks import CHECKS
from defectseg.data.quality.class_balance import count_classes
from defectseg.data.quality.findings import CheckParams, Facts, Finding, LeftOut
from defectseg.data.quality.measures import Measure
from defectseg.files import write_json

QUARTILES = {"least": 0, "lower_quartile": 25, "median": 50, "upper_quartile": 75, "most": 100}
MEASURED = ("width", "height", "brightness", "contrast", "sharpness", "saturated")
DECIMALS = 6


def run_checks(facts: Facts, params: CheckParams) -> tuple[Finding, ...]:
    """Run every check that is not off: findings in the order of `CHECKS`."""
    found = [check.run(facts, params) for check in CHECKS]
    return tuple(finding for finding in found if finding)


def write_quality(
    path: Path, facts: Facts, findings: Sequence[Finding], left_out: Sequence[LeftOut] = ()
) -> None:
    """Write the findings and the numbers of the set: the same bytes for the same facts."""
    levels = [finding.severity for finding in findings]
    content = {
        "errors": levels.count("error"),
        "warnings": levels.count("warning"),
        "left_out": len(left_out),
        "pictures": len(facts.tiles),
        "surfaces": {
            "surfaces": len({tile.surface for tile in facts.tiles}),
            "source": facts.surface_source,
            "similarity": facts.similarity,
        },
        "classes": {
            row.name: {
                "pictures": row.pictures,
                "surfaces": row.surfaces,
                "defect_px": row.defect_px,
            }
            for row in count_classes(facts)
        },
        "label_agreement": describe_agreement(facts.agreement),
        "measures": {name: _spread(facts.measures, name) for name in MEASURED},
        "findings": [_describe(finding) for finding in findings],
    }
    write_json(path, content)


def describe_agreement(agreement: Agreement) -> dict[str, Any]:
    """The ceiling with its interval, and the agreement on each class."""
    low, high = agreement.interval or (None, None)
    return {
        **_describe_score(agreement.ceiling),
        "interval": {"dice": {"low": _rounded(low), "high": _rounded(high)}},
        "classes": {score.name: _describe_score(score) for score in agreement.classes},
        "not_registered": agreement.unregistered,
    }


def _describe_score(score: Score) -> dict[str, Any]:
    return {"pairs": score.pairs, "dice": _rounded(score.dice), "iou": _rounded(score.iou)}


def _describe(finding: Finding) -> dict[str, Any]:
    """Every name of a finding; `details` beside them only where there are any."""
    content = asdict(finding)
    numbers = {"count": len(finding.pairs or finding.pictures)}
    head = {key: content.pop(key) for key in ("check", "severity", "summary")}
    return head | numbers | {key: value for key, value in content.items() if value}


def _spread(measures: Mapping[str, Measure], name: str) -> dict[str, float | None]:
    values = [getattr(each, name) for each in measures.values()]
    if not values:
        return dict.fromkeys(QUARTILES)
    found = np.percentile(values, list(QUARTILES.values()))
    return {key: _rounded(float(value)) for key, value in zip(QUARTILES, found, strict=True)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DECIMALS)
