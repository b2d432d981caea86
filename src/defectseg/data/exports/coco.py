"""Pictures with their masks in, a COCO data set out, as CVAT and pycocotools read it.

images/<id>.jpg, annotations/instances_default.json

Every connected region of a class is an annotation of its own: run lengths, which lose no pixel, or
a polygon along the edges of its pixels, which loses none either where it is filled by the rule of
pycocotools. Annotations of a prediction have a `score`.
Shapes: H rows, W columns, K defect classes.
"""

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from defectseg.data.exports.item import ExportItem, Shapes
from defectseg.data.labels.polygons import outline_runs, to_polygons
from defectseg.data.labels.run_lengths import encode_parts
from defectseg.errors import DataError
from defectseg.files import write_atomically

IMAGES = "images"
FILE = Path("annotations/instances_default.json")


def write_coco(
    folder: Path, classes: Sequence[str], items: Iterable[ExportItem], shapes: Shapes
) -> None:
    """Write into an empty folder; one item is in memory at a time.

    Args:
        classes: K names, of the categories 1..K; mask value k is classes[k - 1].

    Raises:
        DataError: Two items have one id, or an outline is too long for a polygon.
        ValueError: A mask has values above K.
    """
    (folder / IMAGES).mkdir()
    categories = [
        {"id": k, "name": name, "supercategory": ""} for k, name in enumerate(classes, start=1)
    ]
    info = {"description": "Written by defectseg"}
    head = {"info": info, "licenses": [], "categories": categories}
    with (
        write_atomically(folder / FILE) as file,
        tempfile.TemporaryFile("w+", dir=folder, encoding="utf-8", newline="") as annotations,
    ):
        file.write(_to_json(head)[:-1] + ',\n"images":[')
        _write_items(items, len(classes), shapes, folder, (file, annotations))
        file.write('\n],\n"annotations":[')
        annotations.seek(0)
        shutil.copyfileobj(annotations, file)
        file.write("\n]}\n")


def _write_items(
    items: Iterable[ExportItem],
    count: int,
    shapes: Shapes,
    folder: Path,
    lists: tuple[IO[str], IO[str]],
) -> None:
    """Copy every picture, and add its entries to the lists of images and annotations."""
    images, annotations = lists
    seen: set[str] = set()
    written = 0
    for item in items:
        if item.id.casefold() in seen:
            raise DataError(f"two pictures have the id {item.id}; give each its own")
        if item.mask.max(initial=0) > count:
            raise ValueError(f"the mask of {item.id} has {item.mask.max()}, expected 0..{count}")
        seen.add(item.id.casefold())
        name = item.id + item.picture.suffix.lower()
        shutil.copyfile(item.picture, folder / IMAGES / name)
        _append(images, _to_image(item, len(seen), name), is_first=len(seen) == 1)
        for shape in _to_annotations(item, shapes):
            written += 1
            entry = {"id": written, "image_id": len(seen), **shape, "iscrowd": 0}
            if item.score is not None:
                entry["score"] = item.score
            _append(annotations, entry, is_first=written == 1)


def _append(file: IO[str], entry: Mapping[str, Any], is_first: bool) -> None:
    file.write(("\n" if is_first else ",\n") + _to_json(entry))


def _to_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def _to_image(item: ExportItem, number: int, name: str) -> dict[str, Any]:
    """The entry of a picture; who labelled it stands in keys that other tools pass over."""
    height, width = item.mask.shape
    noted = {
        "labelled_by": item.batch.labelled_by,
        "labelled_at": item.batch.labelled_at,
        "label_tool": item.batch.label_tool,
    }
    size = {"id": number, "file_name": name, "width": width, "height": height}
    return size | {key: note for key, note in noted.items() if note}


def _to_annotations(item: ExportItem, shapes: Shapes) -> Iterator[dict[str, Any]]:
    """Class by class, each region from the top."""
    to_entries = _to_masks if shapes == "masks" else _to_outlines
    for k in np.unique(item.mask[item.mask > 0]).tolist():
        try:
            for entry in to_entries(item.mask == k):
                yield {"category_id": k, **entry}
        except DataError as error:
            raise DataError(f"{item.id} as polygons: {error}; choose shapes masks") from error


def _to_masks(region: npt.NDArray[np.bool_]) -> Iterator[dict[str, Any]]:
    for rle in encode_parts(region):
        area, box = int(coco_mask.area(rle)), coco_mask.toBbox(rle).tolist()
        yield {"segmentation": rle, "area": area, "bbox": box}


def _to_outlines(region: npt.NDArray[np.bool_]) -> Iterator[dict[str, Any]]:
    size = region.shape[1], region.shape[0]
    for ring in to_polygons(region):
        (left, top), (right, bottom) = (
            (reach(ring[0::2]), reach(ring[1::2])) for reach in (min, max)
        )
        area = int(outline_runs([ring], size)[1::2].sum())
        box = [left, top, right - left, bottom - top]
        yield {"segmentation": [ring], "area": area, "bbox": box}
