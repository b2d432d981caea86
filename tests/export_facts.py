"""What an export may have found, as tests make it up."""

from typing import Any

from defectseg.export.facts import ExportedFile, ExportFacts
from defectseg.export.offers import Limits, Offer, judge_difference
from defectseg.export.variants import Difference, Scores
from defectseg.inference.operating_point import neutral_point
from tiny import model_info

LIMITS = Limits(dice_drop=0.005, class_iou_drop=0.01, verdicts_changed=0.01)
EXACT = Limits(dice_drop=0.005, class_iou_drop=0.01, verdicts_changed=0.01, probability=1e-4)
SIZES = {"fp32": 8_000_000, "int8": 2_000_000, "fp16": 4_000_000}  # bytes


def differ(variant: str, engine: str, **changes: Any) -> Difference:
    """A contender that says what torch says, but for the changes."""
    facts: dict[str, Any] = {
        "pictures": 240,
        "max_abs_probability_difference": 0.0,
        "dice_drop": 0.0,
        "iou_drop": {"crack": 0.0},
        "flipped_pixel_fraction": 0.0,
        "verdicts_changed": 0.0,
    }
    return Difference(variant=variant, engine=engine, **(facts | changes))


def offer(difference: Difference) -> Offer:
    """The verdict on it by the limits of params.yaml."""
    return judge_difference(difference, EXACT if difference.variant == "fp32" else LIMITS)


def good(variant: str, *classes: str) -> Offer:
    """A file that loses nothing in ONNX Runtime."""
    drops = dict.fromkeys(classes or ("crack",), 0.0)
    return offer(differ(variant, "onnxruntime", iou_drop=drops))


def facts_of(*offers: Offer, classes: tuple[str, ...] = ("crack",), **info: Any) -> ExportFacts:
    """An export of these offers; a file that one of them offers ships."""
    shipped = dict.fromkeys(o.difference.variant for o in offers if o.is_offered)
    return ExportFacts(
        info=model_info(classes=classes, **info),
        point=neutral_point(classes),
        opset=20,
        files=tuple(
            ExportedFile(name, f"unet.{name}.onnx".replace(".fp32", ""), SIZES[name], name * 16)
            for name in shipped
        ),
        trusted=Scores(dice=0.75, iou=dict.fromkeys(classes, 0.5)),
        offers=offers,
        layers_in_float=(),
    )
