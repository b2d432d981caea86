"""The metrics in, the few numbers that decide in plain words out, each with what it rests on."""

from dataclasses import dataclass

from defectseg.data.tile import CLEAN
from defectseg.evaluation.report.facts import ReportFacts
from defectseg.evaluation.report.wording import (
    DASH,
    count,
    decimal,
    interval_in,
    metric_of,
    number_in,
    of_100,
    say_interval,
)

CHANCE = 0.05  # of seeing no event at all, where the rate is as high as `highest_unseen` says


@dataclass(frozen=True)
class Headline:
    """One number with its meaning."""

    value: str
    meaning: str  # goes on after the value: `of 100 pictures with a defect pass unseen`
    interval: str
    measured_on: str
    note: str = ""


@dataclass(frozen=True)
class Counted:
    """How many pictures and surfaces of a part there are, of some classes."""

    pictures: int
    surfaces: int  # at most: a surface that shows two classes counts twice


def headlines(facts: ReportFacts) -> list[Headline]:
    """What a quality manager asks first, in that order."""
    defect, clean = count_part(facts, "test")
    everything = Counted(
        int(number_in(facts.metrics, "pictures") or 0),
        int(number_in(facts.metrics, "surfaces") or 0),
    )
    rates = [
        _rate(facts, "escape_rate", "of 100 pictures with a defect pass unseen", "defect", defect),
        _rate(facts, "false_alarm_rate", "of 100 good pictures are rejected", "good", clean),
    ]
    if facts.point.review < facts.point.reject:
        meaning = "of 100 pictures go to a person for review"
        rates.append(_rate(facts, "review_rate", meaning, "test", everything))
    return [*rates, _found(facts, defect), _overlap(facts, everything)]


def count_part(facts: ReportFacts, part: str) -> tuple[Counted, Counted]:
    """The pictures with a defect and the good ones of a part."""
    classes = facts.parts.get(part, {})
    clean = classes.get(CLEAN, {})
    rest = [row for name, row in classes.items() if name != CLEAN]
    defect = Counted(
        sum(row.get("pictures", 0) for row in rest), sum(row.get("surfaces", 0) for row in rest)
    )
    return defect, Counted(clean.get("pictures", 0), clean.get("surfaces", 0))


def highest_unseen(surfaces: int) -> float:
    """The highest rate at which none of some surfaces would show it with a chance of 5 %.

    The exact binomial bound, about 3 / n: a bootstrap of zeros has an interval of width 0.
    """
    return float(1 - CHANCE ** (1 / surfaces)) if surfaces else 1.0


def _rate(facts: ReportFacts, key: str, meaning: str, word: str, on: Counted) -> Headline:
    value = number_in(facts.metrics, key)
    note = ""
    if value == 0 and on.surfaces:
        note = (
            f"None was seen on {count(on.surfaces, 'surface')}; "
            f"that still allows up to {of_100(highest_unseen(on.surfaces))} of 100."
        )
    return Headline(of_100(value), meaning, _interval(facts, key), _basis(word, on), note)


def _found(facts: ReportFacts, defect: Counted) -> Headline:
    close = number_in(facts.metrics, "defects_found_iou50")
    false = number_in(facts.metrics, "false_regions_per_picture")
    return Headline(
        of_100(number_in(facts.metrics, "defects_found_iou30")),
        "of 100 single defects are found in their place",
        _interval(facts, "defects_found_iou30"),
        _basis("defect", defect),
        f"Found is an IoU of at least 0.3; of at least 0.5: {of_100(close)}. "
        f"False regions per picture: {decimal(false, 2)}.",
    )


def _overlap(facts: ReportFacts, everything: Counted) -> Headline:
    iou = number_in(facts.metrics, "iou_pooled")
    ends = say_interval(metric_of("iou_pooled"), interval_in(facts.metrics, "iou_pooled"))
    return Headline(
        decimal(number_in(facts.metrics, "dice_pooled"), 2),
        "is the overlap of drawn and predicted defects: 1 is perfect, 0 is none (Dice)",
        _interval(facts, "dice_pooled"),
        _basis("test", everything),
        f"As IoU: {decimal(iou)}" + (f" ({ends})." if ends != DASH else "."),
    )


def _interval(facts: ReportFacts, key: str) -> str:
    ends = interval_in(facts.metrics, key)
    return DASH if ends is None else say_interval(metric_of(key), ends)


def _basis(word: str, on: Counted) -> str:
    return f"{count(on.pictures, f'{word} picture')} of {count(on.surfaces, 'surface')}"
