"""What the stage evaluate found out in, every file that it leaves out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from defectseg.evaluation.gallery import write_gallery
from defectseg.evaluation.pixel_counts import PixelCounts
from defectseg.evaluation.report.facts import ReportFacts
from defectseg.evaluation.report.model_card import write_model_card
from defectseg.evaluation.report.page import write_report
from defectseg.evaluation.scored import ScoredPicture
from defectseg.evaluation.tables import write_per_image, write_plots, write_slices
from defectseg.files import write_json
from defectseg.inference.operating_point import write_point

DRAWN = ("best", "median", "worst")  # the galleries of metrics/gallery.png


@dataclass(frozen=True)
class Outputs:
    """Where the stage evaluate writes."""

    point: Path
    metrics: Path
    per_image: Path
    plots: Path  # folder
    gallery: Path
    report: Path  # folder
    model_card: Path
    gates: Path  # all that the stage export reads of the scores


def write_outputs(
    outputs: Outputs, facts: ReportFacts, test: Sequence[ScoredPicture], pixels: PixelCounts
) -> None:
    """Write every out of the stage; `pixels` are those of the test part."""
    write_point(outputs.point, facts.point)
    write_json(outputs.metrics, facts.metrics)
    write_json(outputs.gates, {"gates": facts.metrics["gates"]})
    write_per_image(outputs.per_image, test)
    write_plots(outputs.plots, test, pixels, facts.curves, facts.metrics, facts.info.classes)
    write_slices(outputs.plots / "slices.csv", facts.slices)
    write_gallery(outputs.gallery, [panel for name in DRAWN for panel in facts.galleries[name]])
    write_report(outputs.report / "index.html", facts)
    write_model_card(outputs.model_card, facts)
