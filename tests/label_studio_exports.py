"""Little exports of Label Studio that tests write for themselves, and what they show."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from conftest import mask, write_picture
from defectseg.data.faults import raise_faults
from defectseg.data.labels.brush import encode_brush
from defectseg.data.labels.label import MaskFile
from defectseg.data.layouts.label_studio import read
from defectseg.data.layouts.layout import Layout

WIDTH, HEIGHT = 12, 8  # of every picture, px
SIZE = (WIDTH, HEIGHT)
ENTRY = mask("###......... ###......... " + 6 * "............ ")  # of `brush_entry`
LEFT = mask(8 * "######...... ")  # of `polygon_entry`


def brush_entry(label: str = "Crack", **changes: Any) -> dict[str, Any]:
    """A brush over the upper left 3 × 2 pixels, as Label Studio exports it."""
    region = np.zeros((HEIGHT, WIDTH), dtype=np.bool_)
    region[:2, :3] = True
    value = {"format": "rle", "rle": list(encode_brush(region)), "brushlabels": [label]}
    return _entry("brushlabels", value) | changes


def polygon_entry(label: str = "Crack", **changes: Any) -> dict[str, Any]:
    """A polygon over the left half of the picture."""
    points = [[0, 0], [50, 0], [50, 100], [0, 100]]
    value = {"points": points, "closed": True, "polygonlabels": [label]} | changes.pop("value", {})
    return _entry("polygonlabels", value) | changes


def box_entry() -> dict[str, Any]:
    """A box, which is no mask."""
    value = {"x": 1, "y": 1, "width": 9, "height": 9, "rotation": 0, "rectanglelabels": ["Crack"]}
    return _entry("rectanglelabels", value)


def annotation(*result: object, **changes: Any) -> dict[str, Any]:
    """What one person submitted."""
    base = {"completed_by": 7, "was_cancelled": False, "updated_at": "2026-01-31T12:00:00.5Z"}
    return base | {"result": list(result)} | changes


def task(number: int, image: object, *annotations: object, **changes: Any) -> dict[str, Any]:
    """A task of a project, its keys in Label Studio's order."""
    base = {"id": number, "annotations": list(annotations), "predictions": []}
    return base | {"data": {"image": image}} | changes


def write_export(root: Path, *tasks: object, name: str = "project.json") -> Path:
    """Write an export beside images/a.png and images/b.png."""
    for stem in ("a", "b"):
        if not (root / f"images/{stem}.png").exists():
            write_picture(root / f"images/{stem}.png", WIDTH, HEIGHT)
    (root / name).write_text(json.dumps(tasks), encoding="utf-8")
    return root


def read_tasks(root: Path, *tasks: object) -> Layout:
    layout = read(write_export(root, *tasks))
    raise_faults(layout.faults)
    return layout


def draw(layout: Layout, picture_id: str = "a", **index: int) -> np.ndarray:
    """The mask of a picture; every label is 1 unless the index says otherwise."""
    record = next(record for record in layout.records if record.id == picture_id)
    assert not isinstance(record.label, MaskFile)
    return record.label.draw(SIZE, dict.fromkeys(record.label.names, 1) | index)


def _entry(kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": value,
        "id": "x1Y2",
        "from_name": "tag",
        "to_name": "image",
        "type": kind,
        "origin": "manual",
    }


GOOD = task(12, "images/a.png", annotation(brush_entry()))
