"""Broken exports of Label Studio: each has a name, a writer and the message that it must give."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from conftest import write_picture
from defectseg.data.labels.brush import encode_brush
from label_studio_exports import (
    GOOD,
    HEIGHT,
    WIDTH,
    annotation,
    box_entry,
    brush_entry,
    polygon_entry,
    task,
    write_export,
)


def _result(*result: object) -> Callable[[Path], None]:
    return _tasks(task(12, "images/a.png", annotation(*result)))


def _tasks(*tasks: object) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        write_export(root, *tasks)

    return write


def _text(change: Callable[[str], str]) -> Callable[[Path], None]:
    """An export whose text is changed."""

    def write(root: Path) -> None:
        path = write_export(root, GOOD) / "project.json"
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    return write


def _write_twice(root: Path) -> None:
    write_export(root, GOOD)
    write_export(root, task(3, "images/a.png", annotation(polygon_entry())), name="second.json")


def _write_same_id(root: Path) -> None:
    write_picture(root / "images/A.bmp", WIDTH, HEIGHT)
    write_export(root, GOOD, task(13, "images/A.bmp", annotation()))


def _rle(rle: object) -> dict[str, Any]:
    return brush_entry(value={"format": "rle", "rle": rle, "brushlabels": ["Crack"]})


MIN = {"image": "images/a.png", "id": 1, "label": [], "annotator": 1, "annotation_id": 1}
TINY = list(encode_brush(np.ones((1, 1), dtype=np.bool_)))
HUGE = [255, 255, 255, 255, 57, 27, 248]  # says that it has 2³² - 1 values
CUT = brush_entry()["value"]["rle"][:-2]
OTHER_SIZE = "label_studio_of_another_picture"  # found where the picture is opened
BOMB = "[" * 100_000

BROKEN: list[tuple[str, Callable[[Path], None], str]] = [
    (
        "label_studio_cut_off",
        _text(lambda text: text[:-40]),
        r"project\.json is no JSON: .*\. Export the project again: Export, JSON",
    ),
    (
        "label_studio_without_its_end",
        _text(lambda text: text[:-1]),
        r"project\.json is no list in JSON, or is cut off at character \d+",
    ),
    (
        "label_studio_nested_too_deep",
        _text(lambda text: text.replace('"predictions": []', f'"predictions": {BOMB}')),
        r"project\.json is no JSON: .*recursion",
    ),
    (
        "label_studio_json_min",
        _tasks(MIN | {"label": [brush_entry()["value"] | {"original_width": WIDTH}]}),
        r"project\.json is .* JSON-MIN, .*; export the project as JSON",
    ),
    (
        "label_studio_items_that_are_no_tasks",
        _tasks(GOOD, {"id": 3}, [], task(4, "images/b.png", {"result": {}})),
        r"(?s)tasks that are none .*\(3\):\n  project\.json, item 2: data: Field required\n"
        r".*item 3: the task: .*\n.*item 4: annotations\.0\.result: Input should be a valid list",
    ),
    (
        "label_studio_picture_missing",
        _tasks(GOOD, task(13, "/data/upload/1/0123abcd-c.png", annotation(brush_entry()))),
        r"masks without a picture \(1\):\n  task 13 of project\.json: .*c\.png",
    ),
    (
        "label_studio_picture_outside",
        _tasks(GOOD, task(13, "/data/local-files/?d=..%2F..%2Fetc%2Fa.png", annotation())),
        r"task 13 of project\.json: '\.\./\.\./etc/a\.png' leads out of its folder",
    ),
    (
        "label_studio_no_picture_named",
        _tasks(GOOD, task(13, 5, annotation())),
        r"task 13 of project\.json: its data name 0 pictures \[\]; expected one, as 'image'",
    ),
    (
        "label_studio_not_annotated",
        _tasks(GOOD, task(13, "images/b.png")),
        r"pictures without a mask \(1\):\n  images/b\.png: task 13 .*: it has no annotation",
    ),
    (
        "label_studio_skipped",
        _tasks(GOOD, task(13, "images/b.png", annotation(was_cancelled=True))),
        r"images/b\.png: task 13 .* were skipped; annotate it or remove it",
    ),
    (
        "label_studio_predictions_only",
        _tasks(GOOD, task(13, "images/b.png", predictions=[annotation(brush_entry())])),
        r"images/b\.png: task 13 .* predictions only; submit or correct them",
    ),
    (
        "label_studio_two_tasks_of_one_picture",
        _write_twice,
        r"two masks \(1\):\n  images/a\.png: task 12 of project\.json and task 3 of second\.json",
    ),
    ("label_studio_same_id", _write_same_id, r"one id \(1\):\n  images/A\.bmp and images/a\.png"),
    (
        "label_studio_boxes",
        _result(box_entry(), brush_entry(), box_entry()),
        r"labels that cannot be drawn \(1\):\n  images/a\.png: task 12 of project\.json, "
        r"region 1: a rectangle is no mask; .*; region 3: a rectangle is no mask",
    ),
    (
        "label_studio_no_label",
        _result(polygon_entry(value={"polygonlabels": []})),
        r"region 1: it has 0 labels \[\]; give it one",
    ),
    (
        "label_studio_two_labels",
        _result(polygon_entry(value={"polygonlabels": ["Crack", "Fray"]})),
        r"region 1: it has 2 labels \['Crack', 'Fray'\]; give it one",
    ),
    (
        "label_studio_label_without_letters",
        _result(polygon_entry("裂纹")),
        r"region 1: '裂纹' gives no class name",
    ),
    (
        "label_studio_rotated",
        _result(brush_entry(image_rotation=90)),
        r"region 1: drawn on the picture rotated by 90\.0°; rotate it back",
    ),
    (
        "label_studio_sizes_differ",
        _result(brush_entry(), polygon_entry(original_width=13)),
        r"different sizes: \[\(12, 8\), \(13, 8\)\]",
    ),
    (
        "label_studio_open_polygon",
        _result(polygon_entry(value={"closed": False})),
        r"region 1: the polygon is open; close it",
    ),
    (
        "label_studio_coordinates_without_end",
        _result(polygon_entry(value={"points": [[0, 0], [float("nan"), 5], [1e308, 5]]})),
        r"region 1: value\.points\.1\.0: ",
    ),
    (
        "label_studio_point_far_away",
        _result(polygon_entry(value={"points": [[0, 0], [50, 1e308], [50, 5]]})),
        r"region 1: value\.points\.1\.1: .* less than or equal to 200",
    ),
    (
        "label_studio_two_points",
        _result(polygon_entry(value={"points": [[0, 0], [5, 5]]})),
        r"region 1: value\.points: .* at least 3 items",
    ),
    (
        "label_studio_rle_of_other_numbers",
        _result(_rle([1, 2, 300])),
        r"region 1: value\.rle holds something else than bytes, 0\.\.255",
    ),
    ("label_studio_rle_a_number", _result(_rle(10**15)), r"region 1: value\.rle: .* valid list"),
    (
        "label_studio_rle_of_another_size",
        _result(_rle(TINY)),
        r"images/a\.png: task 12 of project\.json, region 1: "
        r".* 4 values of 8 bits; a picture of 12×8 pixels has 384",
    ),
    (
        "label_studio_rle_that_claims_gigabytes",
        _result(polygon_entry(), _rle(HUGE)),
        r"images/a\.png: task 12 of project\.json, region 2: .* 4294967295 values",
    ),
    (
        "label_studio_rle_cut_off",
        _result(_rle(CUT)),
        r"images/a\.png: task 12 of project\.json, region 1: the brush is damaged",
    ),
    (
        OTHER_SIZE,
        _result(brush_entry(original_width=13)),
        r"sizes of picture and mask differ \(1\):\n  images/a\.png: .*",
    ),
]
