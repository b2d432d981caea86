"""The facts of the stage evaluate in, one self-contained HTML page out that a person can sign.

The page needs no network and no script; its pictures are inside it, and it stays below 5 MB.
"""

from pathlib import Path
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from defectseg.evaluation.report.charts import LOOKS
from defectseg.evaluation.report.class_table import class_rows, size_rows
from defectseg.evaluation.report.facts import ReportFacts
from defectseg.evaluation.report.glossary import TERMS
from defectseg.evaluation.report.headline import headlines
from defectseg.evaluation.report.picture_confusion import count_pictures
from defectseg.evaluation.report.plots import escape_curves, loss_plot, reliability_plot, score_plot
from defectseg.evaluation.report.promise import (
    HELD_OUT,
    calibration_before,
    compare_parts,
    explain,
    level,
)
from defectseg.evaluation.report.thumbnails import colour_of, draw_galleries
from defectseg.evaluation.report.verdict import judge_gates
from defectseg.evaluation.report.weakness import COLUMNS, LEAST_SURFACES, mark_slices, weakest
from defectseg.evaluation.report.wording import decimal, list_numbers, number_in
from defectseg.files import write_atomically

TEMPLATES = ("page.html.j2", "base.css.j2", "page.css.j2", "chart.svg.j2")
GALLERIES = {
    "misses": "Pictures with a defect that pass unseen, the largest defects first.",
    "false alarms": "Good pictures that are rejected, the surest ones first.",
    "best": "The defect pictures whose truth and prediction agree most.",
    "median": "Defect pictures in the middle: half agree better, half worse.",
    "worst": "The defect pictures whose truth and prediction agree least.",
}


def write_report(path: Path, facts: ReportFacts) -> None:
    """Write the page: the same facts, the same bytes."""
    from_here = Path(__file__)
    texts = {name: from_here.with_name(name).read_text(encoding="utf-8") for name in TEMPLATES}
    environment = Environment(
        loader=DictLoader(texts),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template(TEMPLATES[0]).render(gather(facts))
    with write_atomically(path) as file:
        file.write(text)


def gather(facts: ReportFacts) -> dict[str, Any]:
    """Everything that the template names."""
    metrics = facts.metrics
    return {
        "facts": facts,
        "verdict": judge_gates(facts.gates, metrics),
        "headlines": headlines(facts),
        "steps": explain(facts.point),
        "level": level,
        "held_out": HELD_OUT,
        "promises": compare_parts(metrics),
        "classes": class_rows(facts),
        "sizes": size_rows(facts.slices),
        "groups": mark_slices(facts.slices, metrics),
        "weakest": weakest(facts.slices, metrics),
        "columns": COLUMNS,
        "least_surfaces": LEAST_SURFACES,
        "escape_curves": escape_curves(facts),
        "reliability": reliability_plot(facts),
        "ece": calibration(facts),
        "confusion": count_pictures(facts.confusion, facts.info.classes),
        "galleries": draw_galleries(facts.galleries, facts.info.classes),
        "about_galleries": GALLERIES,
        "training": [plot for plot in (loss_plot(facts), score_plot(facts)) if plot],
        "looks": LOOKS,
        "numbers": list_numbers(metrics),
        "colours": {name: colour_of(k) for k, name in enumerate(facts.info.classes, start=1)},
        "terms": TERMS,
    }


def calibration(facts: ReportFacts) -> dict[str, str]:
    """The calibration error of valid, before and after the temperature, and of test."""
    before, after = calibration_before(facts.metrics)
    return {
        "before": before,
        "after": after,
        "test": decimal(number_in(facts.metrics, "ece")),
    }
