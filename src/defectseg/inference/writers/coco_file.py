"""The records of pictures in, one COCO file out: every defect an annotation with run lengths.

Pictures that failed are left out. A class has the same number as in a mask; classes of other
models, whose results lie in the same folder, come after those of this one.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from pycocotools import mask as coco_mask

from defectseg.data.labels.run_lengths import decode_rle, encode_parts
from defectseg.files import write_atomically

NAME = "coco.json"


def write_coco(path: Path, classes: Sequence[str], records: Iterable[dict[str, Any]]) -> None:
    """Write the file as a whole; one picture is in memory at a time.

    Args:
        classes: K names, of the categories 1..K.

    Raises:
        OSError: It cannot be written.
    """
    numbers = {name: k for k, name in enumerate(classes, start=1)}
    with (
        write_atomically(path) as file,
        tempfile.TemporaryFile("w+", dir=path.parent, encoding="utf-8") as annotations,
    ):
        file.write('{"info":{"description":"Written by defectseg"},"licenses":[],"images":[')
        _write_pictures(records, numbers, _lister(file), _lister(annotations))
        file.write('\n],"annotations":[')
        annotations.seek(0)
        shutil.copyfileobj(annotations, file)
        file.write('\n],"categories":[')
        append = _lister(file)
        for name, k in numbers.items():
            append({"id": k, "name": name, "supercategory": ""})
        file.write("\n]}\n")


def _write_pictures(
    records: Iterable[dict[str, Any]],
    numbers: dict[str, int],
    add_image: Callable[[dict[str, Any]], None],
    add_annotation: Callable[[dict[str, Any]], None],
) -> None:
    written = 0
    told = (record for record in records if "error" not in record)
    for image, record in enumerate(told, start=1):
        facts = {key: record[key] for key in ("width", "height", "verdict")}
        add_image({"id": image, "file_name": record["path"], **facts})
        for name, shape in to_annotations(record):
            written += 1
            category = numbers.setdefault(name, len(numbers) + 1)
            add_annotation({"id": written, "image_id": image, "category_id": category, **shape})


def to_annotations(record: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The class and the shape of every defect, class by class, each from the left."""
    for name, rle in record["mask"].items():
        left = [each for each in record["defects"] if each["defect_class"] == name]
        region = decode_rle(rle["counts"], (record["width"], record["height"]))
        for part in encode_parts(region):
            area = int(coco_mask.area(part))
            x, y, width, height = (int(edge) for edge in coco_mask.toBbox(part))
            found = _take(left, area, [x, y, x + width, y + height])
            shape = {"segmentation": part, "area": area, "bbox": [x, y, width, height]}
            yield name, {**shape, "iscrowd": 0, "score": found["score"]}


def _take(left: list[dict[str, Any]], area: int, box: list[int]) -> dict[str, Any]:
    """The defect of a part; two of one area in one box can only be told apart by their order."""
    for index, defect in enumerate(left):
        if defect["area_px"] == area and defect["box"] == box:
            return left.pop(index)
    raise ValueError(f"the mask has a region of {area} px in {box} that is no defect of the list")


def _lister(file: IO[str]) -> Callable[[dict[str, Any]], None]:
    """Write the members of a JSON list one by one."""
    before = "\n"

    def append(entry: dict[str, Any]) -> None:
        nonlocal before
        content = json.dumps(entry, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        file.write(before + content)
        before = ",\n"

    return append
