"""Pictures with their masks in, a folder that Label Studio imports out.

images/<id>.jpg, tasks.json, label_config.xml, README.md

Every connected region is a brush, or a polygon, of its own, which a person can pick and change.
Labels become annotations; predictions become predictions, which Label Studio offers as a start: it
exports them as annotations once a person has submitted them.
K defect classes.
"""

import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from defectseg.data.exports.item import ExportItem, Shapes
from defectseg.data.exports.label_studio_regions import to_brushes, to_rings
from defectseg.errors import DataError
from defectseg.files import write_atomically
from defectseg.overlay import COLOURS

IMAGES = "images"
TASKS = "tasks.json"
CONFIG = "label_config.xml"
README = "README.md"
MODEL = "defectseg"  # the model_version of a prediction that names none
STEPS = f"""# Open this folder in Label Studio

1. Start Label Studio so that it may read this folder:
   `LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true
   LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=<this folder> label-studio start`
2. Create a project; Settings, Labeling Interface, Code: paste `{CONFIG}`.
3. Settings, Cloud Storage, Add Source Storage, Local files: the absolute path of `{IMAGES}/`.
   Save it, but do not sync: `{TASKS}` has a task for every picture.
4. Import `{TASKS}`. Predictions show as a start for every picture: correct and submit them.
5. Export, JSON (not JSON-MIN). Put the file beside `{IMAGES}/`, remove `{TASKS}`, and set
   `data_load.source` to this folder. The export has no order of classes: to keep this one, set
   `data_load.classes` to the labels of `{CONFIG}` in their order.
"""


def write_label_studio(
    folder: Path, classes: Sequence[str], items: Iterable[ExportItem], shapes: Shapes
) -> None:
    """Write into an empty folder; one item is in memory at a time.

    Args:
        classes: K names; mask value k is classes[k - 1].

    Raises:
        DataError: Two items have one id.
    """
    (folder / IMAGES).mkdir()
    seen: set[str] = set()
    with write_atomically(folder / TASKS) as file:
        file.write("[")
        for item in items:
            if item.id.casefold() in seen:
                raise DataError(f"two pictures have the id {item.id}; give each its own")
            file.write(",\n" if seen else "\n")
            seen.add(item.id.casefold())
            name = item.id + item.picture.suffix.lower()
            shutil.copyfile(item.picture, folder / IMAGES / name)
            task = _to_task(len(seen), name, item, classes, shapes)
            json.dump(task, file, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        file.write("\n]\n")
    for name, text in ((CONFIG, _to_config(classes)), (README, STEPS)):
        with write_atomically(folder / name) as file:
            file.write(text)


def _to_task(
    number: int, name: str, item: ExportItem, classes: Sequence[str], shapes: Shapes
) -> dict[str, Any]:
    """One task; who labelled the picture is in its data, which the tool shows as columns.

    The tool would refuse an annotation by somebody whom it does not know.
    """
    result = _to_result(item, classes, shapes)
    noted = {
        "labelled_by": item.batch.labelled_by,
        "labelled_at": item.batch.labelled_at,
        "label_tool": item.batch.label_tool,
    }
    image = f"/data/local-files/?d={quote(f'{IMAGES}/{name}')}"
    data = {"image": image} | {key: note for key, note in noted.items() if note}
    task: dict[str, Any] = {"id": number, "data": data, "annotations": [], "predictions": []}
    if item.score is None:
        task["annotations"] = [{"result": result, "was_cancelled": False, "ground_truth": False}]
    else:
        model = item.batch.label_tool or MODEL
        task["predictions"] = [{"model_version": model, "score": item.score, "result": result}]
    return task


def _to_result(item: ExportItem, classes: Sequence[str], shapes: Shapes) -> list[dict[str, Any]]:
    height, width = item.mask.shape
    entries: list[tuple[str, str, dict[str, Any]]] = []
    for k, label in enumerate(classes, start=1):
        if shapes == "masks":
            brushes = to_brushes(item.mask == k)
            entries += [("brush", label, {"format": "rle", "rle": list(b)}) for b in brushes]
        else:
            rings = to_rings(item.mask == k)
            entries += [("polygon", label, {"points": ring, "closed": True}) for ring in rings]
    return [
        {
            "id": f"r{number}",
            "type": f"{kind}labels",
            "from_name": kind,
            "to_name": "image",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": shape | {f"{kind}labels": [label]},
        }
        for number, (kind, label, shape) in enumerate(entries, start=1)
    ]


def _to_config(classes: Sequence[str]) -> str:
    """The labelling interface: a brush and a polygon for every class."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name="image", value="$image", zoom="true")
    for tag, name in (("BrushLabels", "brush"), ("PolygonLabels", "polygon")):
        labels = ElementTree.SubElement(view, tag, name=name, toName="image")
        for k, label in enumerate(classes):
            colour = "#" + "".join(f"{part:02x}" for part in COLOURS[k % len(COLOURS)])
            ElementTree.SubElement(labels, "Label", value=label, background=colour)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"
