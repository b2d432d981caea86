"""The facts in, the charts of the report out; None where there is nothing to draw."""

from collections.abc import Mapping, Sequence
from math import isfinite

from defectseg.evaluation.curve import CurvePoint
from defectseg.evaluation.report.charts import LOOKS, Axis, Chart, Line, Mark, draw_chart, round_up
from defectseg.evaluation.report.facts import ReportFacts
from defectseg.evaluation.report.wording import metric_of, number_in, of_100

PARTS = ("valid", "test")
WHOLE = {"valid_dice": "Dice of any defect", "valid_iou_macro": "IoU, mean of the classes"}
WORDS = {"valid": "valid (chose the operating point)", "test": "test (only measured)"}


def escape_curves(facts: ReportFacts) -> list[Chart]:
    """Escapes over false alarms at every reject level, and the part near what was chosen larger.

    Nothing without pictures of both kinds.
    """
    lines = [Line(WORDS[part], _rates(facts.curves.get(part, ()))) for part in PARTS]
    if not any(line.points for line in lines):
        return []
    marks = _chosen(facts)
    reach = round_up(1.5 * max((value for mark in marks for value in mark.point), default=100))
    description = "; ".join(mark.name for mark in marks) or "No point was chosen."
    titles = {100.0: "Escapes over false alarms", reach: "The same, near what was chosen"}
    return [
        draw_chart(
            title,
            description,
            (
                Axis("False alarms of 100 good pictures", 0, most),
                Axis("Escapes of 100 defect pictures", 0, most),
            ),
            lines,
            marks,
        )
        for most, title in titles.items()
        if most == 100 or reach < 100
    ]


def _chosen(facts: ReportFacts) -> list[Mark]:
    """What the operating point does to each part."""
    marks = []
    for look, part in enumerate(PARTS):
        scores = facts.metrics if part == "test" else facts.metrics.get("valid") or {}
        alarms, escapes = number_in(scores, "false_alarm_rate"), number_in(scores, "escape_rate")
        if alarms is not None and escapes is not None:
            name = f"chosen, {part}: {of_100(alarms)} false alarms, {of_100(escapes)} escapes"
            marks.append(Mark(name, (100 * alarms, 100 * escapes), look))
    return marks


def reliability_plot(facts: ReportFacts) -> Chart | None:
    """How often a predicted probability comes true."""
    lines = [
        Line(part, [(100 * b.probability, 100 * b.share) for b in bins], has_dots=True)
        for part in PARTS
        if (bins := facts.reliability.get(part, ()))
    ]
    if not lines:
        return None
    axes = (
        Axis("Predicted probability of a defect, %", 0, 100),
        Axis("Pixels that are a defect, %", 0, 100),
    )
    description = "On the dashed diagonal a probability comes true exactly as often as it says."
    return draw_chart("Reliability", description, axes, lines, guides=[[(0, 0), (100, 100)]])


def loss_plot(facts: ReportFacts) -> Chart | None:
    """The loss of train and valid in each epoch."""
    keys = (f"{part}_loss" for part in ("train", "valid"))
    named = {
        key.removesuffix("_loss"): facts.training[key] for key in keys if key in facts.training
    }
    return _epochs("Loss", "Loss: lower is better", named, facts.info.best_epoch)


def score_plot(facts: ReportFacts) -> Chart | None:
    """The scores of valid in each epoch: at most as many as there are looks."""
    keys = [key for key in facts.training if key.startswith("valid_") and key != "valid_loss"]
    keys.sort(key=lambda key: key not in WHOLE)  # then the classes
    named = {
        WHOLE.get(key) or metric_of(key.removeprefix("valid_")).title: facts.training[key]
        for key in keys[:LOOKS]
    }
    title = "Scores of the valid part"
    return _epochs(title, "Score: 1 is perfect", named, facts.info.best_epoch, highest=1.0)


def _rates(curve: Sequence[CurvePoint]) -> list[tuple[float, float]]:
    return [
        (100 * point.false_alarm_rate, 100 * point.escape_rate)
        for point in curve
        if point.false_alarm_rate is not None and point.escape_rate is not None
    ]


def _epochs(
    title: str,
    label: str,
    named: Mapping[str, Sequence[float]],
    best_epoch: int,
    highest: float | None = None,
) -> Chart | None:
    """Values over epochs, with a guide at the epoch whose weights were kept."""
    known = [value for values in named.values() for value in values if isfinite(value)]
    if not known:
        return None
    longest = max(len(values) for values in named.values())
    top = highest or round_up(max(known))
    axes = (Axis("Epoch (pass over the pictures)", 0, max(1, longest - 1)), Axis(label, 0, top))
    lines = [
        Line(name, list(enumerate(values)), has_dots=longest == 1) for name, values in named.items()
    ]
    guide = [(best_epoch, 0.0), (best_epoch, top)]
    description = f"The dashed line is epoch {best_epoch}, whose weights were kept."
    return draw_chart(title, description, axes, lines, guides=[guide])
