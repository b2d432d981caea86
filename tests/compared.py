"""Two revisions to compare, written as the stage evaluate writes them, without a training."""

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import yaml

from defectseg.data.tile import Tile
from defectseg.evaluation.gates import check_gates
from defectseg.evaluation.metrics import evaluate_pictures
from defectseg.evaluation.scored import ScoredPicture
from defectseg.evaluation.tables import PER_IMAGE, write_per_image
from defectseg.files import write_csv, write_json
from defectseg.inference.operating_point import neutral_point
from defectseg.revisions.revision import Revision
from scored_pictures import scored
from tiny import CLASSES

TRUE = "..... .###. .###. ....."
GOOD = "..... .###. .##.. ....."  # IoU 5/6
POOR = "..... .#... .#... ....."  # IoU 2/6
FREE = "..... ..... ..... ....."
SPECK = "..... ..#.. ..... ....."


def picture(number: int, true: str, pred: str, score: float, **changes: Any) -> ScoredPicture:
    """Picture `t00`, `t01`, … of a surface of its own unless one is given."""
    verdict = changes.pop("verdict", None)
    drawn = scored(true, pred, score, changes.pop("surface", f"s{number:02}"), verdict=verdict)
    tile = replace(drawn.tile, id=f"t{number:02}", sha256=f"{number:064x}")
    return replace(drawn, tile=replace(tile, **changes))


def test_part(defects: Sequence[str], cleans: Sequence[str] = (FREE,) * 4) -> list[ScoredPicture]:
    """A picture for each prediction: of a defect, then of clean ones."""
    drawn = [(TRUE, pred) for pred in defects] + [(FREE, pred) for pred in cleans]
    return [
        picture(number, true, pred, 0.1 + 0.8 * pred.count("#") / 6 + 0.001 * number)
        for number, (true, pred) in enumerate(drawn)
    ]


test_part.__test__ = False  # type: ignore[attr-defined]  # pytest takes it for a test


def write_revision(
    folder: Path,
    pictures: Sequence[ScoredPicture],
    name: str = "",
    gates: Mapping[str, float | None] | None = None,
    without: Collection[str] = (),
    params: Mapping[str, Any] | None = None,
) -> Revision:
    """A folder with metrics and params.

    Args:
        without: Columns that per_image.csv lacks, as those of older revisions.
        params: Further sections of params.yaml.
    """
    metrics = evaluate_pictures(pictures, CLASSES, 10, 0)
    held = check_gates(metrics, gates or {})
    point = neutral_point(CLASSES).model_dump()
    more = {"ece": 0.01, "operating_point": point, "gates": [asdict(gate) for gate in held]}
    write_json(folder / "metrics/evaluate.json", metrics | more)
    rows = folder / "metrics/per_image.csv"
    write_per_image(rows, pictures)
    if without:
        drop_columns(rows, without)
    content = {"evaluate": {"gates": dict(gates or {})}, **(params or {})}
    (folder / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return Revision(name or folder.name, None, folder)


def drop_columns(path: Path, columns: Collection[str]) -> None:
    """Take columns out of a CSV."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kept = [name for name in PER_IMAGE if name not in columns]
    write_csv(path, kept, [[row[name] for name in kept] for row in rows])


def with_tile(
    pictures: Sequence[ScoredPicture], number: int, **changes: Any
) -> list[ScoredPicture]:
    """The same pictures, the tile of one of them changed."""
    changed = list(pictures)
    tile: Tile = replace(changed[number].tile, **changes)
    changed[number] = replace(changed[number], tile=tile)
    return changed
