"""What an export made in, one self-contained HTML page out: what may be shipped, and why."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from defectseg.export.facts import ExportFacts
from defectseg.export.offers import Offer
from defectseg.export.readme import ENGINES, INSIDE, number
from defectseg.files import write_atomically

TEMPLATE = Path(__file__).with_name("page.html.j2")


def write_page(path: Path, facts: ExportFacts) -> None:
    """Write the page; the same text for the same facts."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    text = template.render(_gather(facts))
    with write_atomically(path) as file:
        file.write(text)


def _gather(facts: ExportFacts) -> dict[str, Any]:
    """Everything that the template names."""
    rows = [_row(offer) for offer in facts.offers]
    shipped = {file.variant for file in facts.files}
    return {
        "headline": _headline(facts),
        "rows": rows,
        "offered": sum(row["offered"] for row in rows),
        "pictures": facts.offers[0].difference.pictures,
        "withdrawn": [name for name in facts.variants() if name not in shipped],
        "files": _files(facts),
        "classes": _classes(facts),
        "limits": _limits(facts.offers),
        "trusted": facts.trusted,
        "opset": facts.opset,
        "layers_in_float": facts.layers_in_float,
        "number": number,
    }


def _headline(facts: ExportFacts) -> str:
    """Such as `float32, INT8 and float16 may be shipped`."""
    names = [file.variant for file in facts.files]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{listed} may be shipped"


def _files(facts: ExportFacts) -> list[dict[str, str]]:
    largest = facts.files[0].size
    return [
        {
            "place": file.place,
            "inside": INSIDE[file.variant],
            "size": f"{file.size / 1e6:.1f} MB",
            "share": "" if file.variant == "fp32" else f"{100 * file.size / largest:.0f} %",
            "bytes": f"{file.size:,}".replace(",", " "),
            "sha256": file.sha256,
            "engines": ", ".join(ENGINES[name] for name in facts.engines_of(file.variant)),
        }
        for file in facts.files
    ]


def _row(offer: Offer) -> dict[str, Any]:
    found, limits = offer.difference, offer.limits
    largest = found.max_abs_probability_difference
    difference = "no number" if largest is None else f"{largest:.6f}"
    too_far = limits.probability is not None and (largest or 0.0) > limits.probability
    return {
        "variant": found.variant,
        "engine": ENGINES[found.engine],
        "offered": offer.is_offered,
        "reasons": offer.reasons,
        "dice": _cell(found.dice_drop, limits.dice_drop),
        "iou": _cell(found.largest_iou_drop, limits.class_iou_drop),
        "verdicts": {
            "text": f"{100 * found.verdicts_changed:.2f} %",
            "failed": found.verdicts_changed > limits.verdicts_changed,
        },
        "flipped": {"text": f"{100 * found.flipped_pixel_fraction:.4f} %", "failed": False},
        "probability": {"text": difference, "failed": largest is None or too_far},
    }


def _classes(facts: ExportFacts) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "trusted": number(facts.trusted.iou[name]),
            "drops": [
                _cell(offer.difference.iou_drop[name], offer.limits.class_iou_drop)
                for offer in facts.offers
            ],
        }
        for name in facts.info.classes
    ]


def _limits(offers: Sequence[Offer]) -> dict[str, str]:
    strictest = offers[0].limits  # of float32: has every limit
    return {
        "dice": f"{strictest.dice_drop:g}",
        "iou": f"{strictest.class_iou_drop:g}",
        "verdicts": f"{100 * strictest.verdicts_changed:g} %",
        "probability": f"{strictest.probability:g}",
    }


def _cell(value: float | None, limit: float) -> dict[str, Any]:
    return {"text": number(value), "failed": value is not None and value > limit}
