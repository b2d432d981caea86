"""The facts of the stage evaluate in, docs/model_card.md out: what one must know to use the model.

Mitchell et al., "Model Cards for Model Reporting", 2019.
"""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from defectseg.evaluation.report.class_table import class_rows
from defectseg.evaluation.report.facts import ReportFacts
from defectseg.evaluation.report.headline import headlines
from defectseg.evaluation.report.promise import HELD_OUT, compare_parts, explain, level
from defectseg.evaluation.report.verdict import judge_gates
from defectseg.evaluation.report.weakness import (
    COLUMNS,
    LEAST_SURFACES,
    mark_slices,
    weakest,
)
from defectseg.evaluation.report.wording import list_numbers
from defectseg.files import write_atomically

TEMPLATE = "model_card.md.j2"
SPECIAL = re.compile(r"[\\`*_\[\]|~#]")
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def write_model_card(path: Path, facts: ReportFacts) -> None:
    """Write the card: the same facts, the same bytes."""
    environment = Environment(
        autoescape=True,
        finalize=escape_markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = Path(__file__).with_name(TEMPLATE).read_text(encoding="utf-8")
    with write_atomically(path) as file:
        file.write(environment.from_string(text).render(gather(facts)))


def gather(facts: ReportFacts) -> dict[str, Any]:
    """Everything that the template names."""
    return {
        "facts": facts,
        "verdict": judge_gates(facts.gates, facts.metrics),
        "headlines": headlines(facts),
        "numbers": list_numbers(facts.metrics),
        "classes": class_rows(facts),
        "steps": explain(facts.point),
        "level": level,
        "held_out": HELD_OUT,
        "promises": compare_parts(facts.metrics),
        "groups": mark_slices(facts.slices, facts.metrics),
        "weakest": weakest(facts.slices, facts.metrics),
        "columns": COLUMNS,
        "least_surfaces": LEAST_SURFACES,
    }


def escape_markdown(value: Any) -> Any:
    """What Markdown shows as it is, on one line: no name makes a heading, a link or a cell."""
    if isinstance(value, Markup):
        return value
    one_line = " ".join(str(value).split())
    without_html = re.sub(r"[&<>]", lambda match: ENTITIES[match[0]], one_line)
    return Markup(SPECIAL.sub(lambda match: f"\\{match[0]}", without_html))
