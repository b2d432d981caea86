"""Scored pictures in, the tables that people and `dvc plots show` read out."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

import numpy as np

from defectseg.confusion import any_defect
from defectseg.evaluation.curve import CurvePoint
from defectseg.evaluation.pixel_counts import BINS, PixelCounts, flagged_at, reliability
from defectseg.evaluation.scored import ScoredPicture
from defectseg.evaluation.slices import Slice
from defectseg.files import write_csv

PER_IMAGE = (
    *("id", "class", "surface", "sha256", "tp", "fp", "fn", "score", "verdict", "said"),
    *("regions", "found_iou30", "found_iou50", "false_regions", "confusion"),
)


def write_per_image(path: Path, pictures: Sequence[ScoredPicture]) -> None:
    """One row a picture, from which every score can be computed again.

    tp, fp, fn: pixels of any defect against background; confusion: the counts (1 + K, 1 + K),
    row by row; sha256: of the picture and its mask.
    """
    rows = []
    for picture in pictures:
        overlap = any_defect(picture.confusion)
        counts = [int(overlap.tp), int(overlap.fp), int(overlap.fn)]
        tile, score = picture.tile, repr(float(picture.score))
        known = [tile.id, tile.defect_class, tile.surface, tile.sha256]
        matrix = " ".join(str(int(count)) for count in picture.confusion.ravel())
        said = [score, picture.verdict, picture.said]
        rows.append([*known, *counts, *said, *astuple(picture.found), matrix])
    write_csv(path, PER_IMAGE, rows)


def write_plots(
    folder: Path,
    pictures: Sequence[ScoredPicture],
    pixels: PixelCounts,
    curves: Mapping[str, Sequence[CurvePoint]],
    metrics: Mapping[str, Any],
    classes: Sequence[str],
) -> None:
    """Confusion, precision over recall, IoU by class, escapes over false alarms, reliability."""
    said = [(picture.tile.defect_class, picture.said) for picture in pictures]
    write_csv(folder / "confusion.csv", ["actual", "predicted"], said)
    overlap = any_defect(flagged_at(pixels.counts))
    curve = zip(np.arange(BINS) / BINS, overlap.recall, overlap.precision, strict=True)
    rows = [[f"{v:.6f}" for v in row] for row in curve if not np.isnan(row).any()]
    write_csv(folder / "precision_recall.csv", ["threshold", "recall", "precision"], rows)
    iou = [(name, metrics[f"iou_{name}"]) for name in classes]
    write_csv(folder / "iou.csv", ["class", "iou"], iou)
    points = [[part, *astuple(point)] for part, curve in curves.items() for point in curve]
    header = ["part", *(field.name for field in fields(CurvePoint))]
    write_csv(folder / "escapes.csv", header, points)
    shown = [[f"{v:.6f}" for v in astuple(row)[:2]] for row in reliability(pixels)]
    write_csv(folder / "reliability.csv", ["probability", "share"], shown)


def write_slices(path: Path, slices: Sequence[Slice]) -> None:
    """One row a slice."""
    write_csv(path, [field.name for field in fields(Slice)], [astuple(row) for row in slices])
