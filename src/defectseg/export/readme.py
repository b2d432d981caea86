"""What an export made in, models/README.md out: how to run the files, and what each one loses."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from defectseg.export.facts import ExportFacts
from defectseg.export.offers import Offer
from defectseg.files import write_atomically

TEMPLATE = Path(__file__).with_name("readme.md.j2")
INSIDE = {"fp32": "float32", "int8": "8-bit integers, for CPUs", "fp16": "float16, for GPUs"}
ENGINES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
MODES = {1: ("L", "grey"), 3: ("RGB", "RGB")}  # of Pillow, and in words, by channels


def write_readme(path: Path, facts: ExportFacts) -> None:
    """Write the Markdown file; the same text for the same facts."""
    environment = Environment(  # Markdown: nothing to escape but what `as_cell` does
        autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cell"] = as_cell
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    with write_atomically(path) as file:
        file.write(template.render(_gather(facts)).rstrip() + "\n")


def _gather(facts: ExportFacts) -> dict[str, Any]:
    """Everything that the template names."""
    channels = facts.info.network.in_channels
    mode, kind = MODES[channels]
    return {
        "files": [
            {
                "place": file.place,
                "inside": INSIDE[file.variant],
                "size": f"{file.size / 1e6:.1f} MB",
                "engines": ", ".join(ENGINES[name] for name in facts.engines_of(file.variant)),
            }
            for file in facts.files
        ],
        "channels": channels,
        "mode": mode,
        "kind": kind,
        "classes": facts.info.classes,
        "opset": facts.opset,
        "pictures": facts.offers[0].difference.pictures,
        "trusted": facts.trusted,
        "rows": [_row(offer) for offer in facts.offers],
        "number": number,
    }


def _row(offer: Offer) -> dict[str, str]:
    found = offer.difference
    reasons = as_cell("; ".join(offer.reasons))
    return {
        "variant": found.variant,
        "engine": ENGINES[found.engine],
        "dice": number(found.dice_drop),
        "iou": number(found.largest_iou_drop),
        "flipped": f"{100 * found.flipped_pixel_fraction:.3f} %",
        "verdicts": f"{100 * found.verdicts_changed:.2f} %",
        "offered": "yes" if offer.is_offered else f"no: {reasons}",
    }


def number(value: float | None) -> str:
    """Four digits; a dash where it is undefined."""
    return "–" if value is None else f"{value + 0.0:.4f}".replace("-0.0000", "0.0000")


def as_cell(text: str) -> str:
    """A name that somebody chose, safe inside a table of Markdown."""
    plain = " ".join(text.split())
    for special in "\\`*_|<>[]&":
        plain = plain.replace(special, f"\\{special}")
    return plain
