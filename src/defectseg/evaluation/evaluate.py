"""A model and the test part in, metrics, plots and a gallery out: the stage evaluate, in order."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field
from tqdm import tqdm

from defectseg.confusion import Counts, any_defect, count_pixels
from defectseg.data.tile import CLEAN, TileSet
from defectseg.errors import DataError
from defectseg.evaluation.gallery import Panel, write_gallery
from defectseg.evaluation.metrics import ScoredPicture, evaluate_pictures
from defectseg.evaluation.operating_point import BINS, count_by_bin, flagged_at
from defectseg.files import write_csv, write_json
from defectseg.inference.engine import Engine
from defectseg.inference.predictor import predict
from defectseg.network.unet import ModelInfo
from defectseg.params import Section


class EvaluateParams(Section):
    """params.yaml: evaluate."""

    bootstrap: int = Field(ge=100)
    gallery: int = Field(ge=1, le=20)


@dataclass(frozen=True)
class Outputs:
    """Where the stage evaluate writes."""

    metrics: Path
    per_image: Path
    plots: Path  # folder
    gallery: Path


def evaluate_model(
    engine: Engine,
    info: ModelInfo,
    test: TileSet,
    params: EvaluateParams,
    seed: int,
    outputs: Outputs,
) -> dict[str, Any]:
    """Score the test part at full picture size and write everything that people and DVC read.

    Raises:
        DataError: The model was trained on other classes than the tiles have.
    """
    if info.classes != test.classes:
        raise DataError(
            f"the model knows the classes {list(info.classes)}, "
            f"the tiles have {list(test.classes)}; run train again"
        )
    pictures, by_bin = score_pictures(engine, info, test)
    metrics = evaluate_pictures(
        pictures, info.classes, info.picture_threshold, params.bootstrap, seed
    )
    chosen = {"threshold": info.threshold, "picture_threshold": round(info.picture_threshold, 6)}
    write_json(outputs.metrics, metrics | chosen)
    write_per_image(outputs.per_image, pictures)
    write_plots(outputs.plots, pictures, by_bin, metrics, info)
    write_gallery(outputs.gallery, choose_panels(pictures, engine, info, test, params.gallery))
    return metrics


def score_pictures(
    engine: Engine, info: ModelInfo, test: TileSet
) -> tuple[list[ScoredPicture], Counts]:
    """Predict every picture once; keep its counts, not its pixels.

    Returns:
        The scored pictures, and pixels (B, M, M) as `count_by_bin` counts them.
    """
    size = 1 + len(info.classes)
    by_bin = np.zeros((BINS, size, size), dtype=np.int64)
    pictures = []
    for tile in tqdm(test.tiles, desc="evaluate", unit="picture"):
        prediction = predict(engine, test.picture(tile, info.network.in_channels), info.threshold)
        true_mask = test.mask(tile)
        by_bin += count_by_bin(prediction.defect, prediction.kind, true_mask, size)
        confusion = count_pixels(prediction.mask, true_mask, len(info.classes))
        top_kind = int(prediction.kind.flat[prediction.defect.argmax()])
        top_class = info.classes[top_kind - 1]
        pictures.append(ScoredPicture(tile, confusion, prediction.score, top_class))
    return pictures, by_bin


def write_per_image(path: Path, pictures: list[ScoredPicture]) -> None:
    """One row a test picture: pixels of any defect against background, and the picture's score."""
    rows = []
    for picture in pictures:
        overlap = any_defect(picture.confusion)
        counts = [int(overlap.tp), int(overlap.fp), int(overlap.fn)]
        tile = picture.tile
        rows.append([tile.id, tile.defect_class, tile.surface, *counts, f"{picture.score:.6f}"])
    write_csv(path, ["id", "class", "surface", "tp", "fp", "fn", "score"], rows)


def write_plots(
    folder: Path,
    pictures: list[ScoredPicture],
    by_bin: Counts,
    metrics: dict[str, Any],
    info: ModelInfo,
) -> None:
    """The tables that `dvc plots show` draws."""
    said = [
        (p.tile.defect_class, p.top_class if p.score >= info.picture_threshold else CLEAN)
        for p in pictures
    ]
    write_csv(folder / "confusion.csv", ["actual", "predicted"], said)
    overlap = any_defect(flagged_at(by_bin))
    curve = zip(np.arange(BINS) / BINS, overlap.recall, overlap.precision, strict=True)
    rows = [[f"{v:.6f}" for v in row] for row in curve if not np.isnan(row).any()]
    write_csv(folder / "precision_recall.csv", ["threshold", "recall", "precision"], rows)
    iou = [(name, metrics[f"iou_{name}"]) for name in info.classes]
    write_csv(folder / "iou.csv", ["class", "iou"], iou)


def choose_panels(
    pictures: list[ScoredPicture], engine: Engine, info: ModelInfo, test: TileSet, count: int
) -> list[Panel]:
    """The best, the median and the worst defect pictures by their own Dice, predicted once more."""
    ranked = sorted((p for p in pictures if p.tile.is_defect), key=lambda p: (-p.dice, p.tile.id))
    middle = max(0, (len(ranked) - count) // 2)
    groups = {"best": ranked[:count], "median": ranked[middle:][:count], "worst": ranked[-count:]}
    panels = []
    for group, chosen in groups.items():
        for scored in chosen:
            picture = test.picture(scored.tile, info.network.in_channels)
            pred_mask = predict(engine, picture, info.threshold).mask
            caption = (
                f"{group}: {scored.tile.id}, {scored.tile.defect_class}, Dice {scored.dice:.2f}"
            )
            panels.append(Panel(caption, picture, test.mask(scored.tile), pred_mask))
    return panels
