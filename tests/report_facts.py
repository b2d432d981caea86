"""Facts as the stage evaluate gathers them, drawn by hand: what the report and the card tell."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from defectseg.evaluation.curve import CurvePoint
from defectseg.evaluation.gallery import Panel
from defectseg.evaluation.gates import Gate
from defectseg.evaluation.pixel_counts import Reliability
from defectseg.evaluation.report.facts import ReportFacts
from defectseg.evaluation.slices import Slice
from defectseg.inference.operating_point import ClassPoint, OperatingPoint
from tiny import model_info

EVIL = "<script>alert('&\"')</script> | `*_[x](y)_*` {{ 1 / 0 }}"


def make_facts(**changes: Any) -> ReportFacts:
    """A model that misses cracks, with some of what is known of it changed."""
    facts = ReportFacts(
        metrics=make_metrics(),
        info=model_info(),
        point=make_point(),
        gates=[
            Gate("iou_macro", 0.5, True, 0.612, True),
            Gate("escape_rate", 0.1, False, 0.15, False),
        ],
        curves={
            "valid": [CurvePoint(0.9, 0.5, 0.0), CurvePoint(0.5, 0.1, 0.05)],
            "test": [CurvePoint(0.9, 0.6, 0.0), CurvePoint(0.1, 0.0, 1.0)],
        },
        reliability={
            "valid": [Reliability(0.02, 0.01, 90_000), Reliability(0.9, 0.8, 500)],
            "test": [Reliability(0.03, 0.02, 80_000), Reliability(0.8, 0.6, 400)],
        },
        confusion=[("clean", "clean")] * 9
        + [("clean", "crack")]
        + [("crack", "crack")] * 3
        + [("crack", "clean")]
        + [("blowhole", "blowhole")] * 4,
        slices=[
            make_slice("brightness", "lowest quarter", escape_rate=0.4),
            make_slice("brightness", "highest quarter", escape_rate=0.1),
            make_slice("size of the defect", "below 0.1 %", escape_rate=0.3),
            make_slice("size of the defect", "above 10 %", surfaces=2, escape_rate=1.0),
        ],
        galleries={
            "misses": [make_panel("t00: crack, score 0.12")],
            "false alarms": [],
            "best": [make_panel("t02: blowhole, Dice 0.97", kind=2)],
        },
        training={
            "train_loss": [1.2, 0.8, 0.5, 0.4],
            "valid_loss": [1.3, 0.9, 0.7, 0.75],
            "valid_dice": [0.1, 0.4, 0.6, 0.65],
            "valid_iou_crack": [0.0, 0.2, 0.4, 0.5],
        },
        parts={
            "train": {"clean": counted(30, 10, 0), "crack": counted(12, 6, 2400)},
            "test": {
                "clean": counted(10, 5, 0),
                "crack": counted(4, 3, 1234),
                "blowhole": counted(4, 5, 90),
            },
        },
    )
    return ReportFacts(**{**vars(facts), **changes})


def make_metrics(**changes: Any) -> dict[str, Any]:
    """The content of metrics/evaluate.json, with some of it changed."""
    plain = {
        "pictures": 18,
        "surfaces": 13,
        "dice_pooled": 0.759,
        "iou_pooled": 0.612,
        "iou_macro": 0.612,
        "iou_crack": 0.5,
        "iou_blowhole": 0.724,
        "escape_rate": 0.15,
        "escape_rate_crack": 0.25,
        "escape_rate_blowhole": 0.0,
        "false_alarm_rate": 0.1,
        "review_rate": 0.05,
        "defects_found_iou30": 0.8,
        "defects_found_iou50": 0.5,
        "false_regions_per_picture": 0.2,
        "ece": 0.012,
        "interval": {
            "dice_pooled": {"low": 0.6, "high": 0.9},
            "iou_macro": {"low": 0.45, "high": 0.7},
            "escape_rate": {"low": 0.05, "high": 0.3},
            "escape_rate_crack": {"low": 0.1, "high": 0.5},
            "false_alarm_rate": {"low": 0.0, "high": 0.25},
        },
        "valid": {
            "pictures": 20,
            "surfaces": 12,
            "escape_rate": 0.08,
            "false_alarm_rate": 0.1,
            "review_rate": 0.04,
            "iou_macro": 0.65,
            "ece_before": 0.034,
            "ece_after": 0.009,
        },
    }
    return plain | changes


def make_point(**changes: Any) -> OperatingPoint:
    """An operating point with a band for review, with some of it changed."""
    plain = {
        "classes": (
            ClassPoint(defect_class="crack", threshold=0.35, min_area=12, odds_ratio=9),
            ClassPoint(defect_class="blowhole", threshold=0.6, min_area=4),
        ),
        "temperature": 1.4,
        "review": 0.4,
        "reject": 0.7,
        "rule": "an escape costs 10, a false alarm 1",
    }
    return OperatingPoint.model_validate(plain | changes)


def make_slice(group: str, name: str, **changes: Any) -> Slice:
    """A slice as good as the whole test part, with some of it changed."""
    plain: dict[str, Any] = {
        "pictures": 9,
        "surfaces": 7,
        "defect_pictures": 4,
        "escape_rate": 0.15,
        "false_alarm_rate": 0.1,
        "dice_pooled": 0.759,
        "defects_found": 0.8,
    }
    return Slice(group, name, **plain | changes)


def make_panel(caption: str, kind: int = 1, size: tuple[int, int] = (64, 96)) -> Panel:
    """A grey picture (H, W) with grain; a drawn square, and the half of it that was found."""
    height, width = size
    grain = np.random.default_rng(len(caption)).normal(130, 12, (height, width, 1))
    true_mask = np.zeros((height, width), dtype=np.uint8)
    true_mask[height // 4 : height // 2, width // 4 : width // 2] = kind
    pred_mask = true_mask.copy()
    pred_mask[: height // 3] = 0
    picture = np.clip(grain - 60 * (true_mask > 0)[..., None], 0, 255).astype(np.uint8)
    return Panel(caption, picture, true_mask, pred_mask)


def counted(pictures: int, surfaces: int, defect_px: int) -> Mapping[str, int]:
    """What a part has of one class."""
    return {"pictures": pictures, "surfaces": surfaces, "defect_px": defect_px}
