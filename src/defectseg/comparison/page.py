"""A report with its charts and pictures in, one self-contained HTML page out.

The page needs no network and no script; names may come from a fork and are escaped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import DictLoader, Environment, StrictUndefined

from defectseg.comparison.overlays import Overlays
from defectseg.comparison.pictures import RULE
from defectseg.comparison.report import (
    Report,
    colour_of,
    headline,
    table_rows,
    tell_data,
    tell_gates,
    tell_notes,
    tell_pictures,
)
from defectseg.evaluation.report.charts import Chart
from defectseg.evaluation.report.thumbnails import colour_of as tint_of
from defectseg.files import write_atomically

OWN = ("page.html.j2", "page.css.j2")
REPORT = Path(__file__).parents[1] / "evaluation/report"
SHARED = ("base.css.j2", "page.css.j2", "chart.svg.j2")  # of the report on one model
SHOWN = 200  # rows of a folded table


@dataclass(frozen=True)
class Drawings:
    """What the page shows besides words."""

    charts: Sequence[Chart]
    overlays: Overlays
    problems: Sequence[str]  # why something could not be drawn


def write_page(path: Path, report: Report, drawings: Drawings) -> None:
    """Write the page: the same facts, the same bytes."""
    with write_atomically(path) as file:
        file.write(render_page(report, drawings))


def render_page(report: Report, drawings: Drawings) -> str:
    """The text of the page."""
    own = {name: Path(__file__).with_name(name).read_text(encoding="utf-8") for name in OWN}
    shared = {f"report/{name}": (REPORT / name).read_text(encoding="utf-8") for name in SHARED}
    environment = Environment(
        loader=DictLoader(own | shared),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    comparison = report.comparison
    overlays = drawings.overlays
    return environment.get_template(OWN[0]).render(
        comparison=comparison,
        changes=report.changes,
        headline=headline(comparison),
        colour=colour_of(comparison),
        rows=table_rows(comparison),
        about=[tell_pictures(comparison), tell_gates(comparison)],
        notes=tell_notes(report),
        data=tell_data(report.changes),
        charts=drawings.charts,
        overlays=overlays,
        tints={name: tint_of(k) for k, name in enumerate(overlays.classes, start=1)},
        problems=[*drawings.problems, *overlays.problems],
        pictures=report.pictures,
        rule=RULE,
        shown=SHOWN,
    )
