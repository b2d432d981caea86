"""Broken COCO data sets: each has a name, a writer and the message that it must give."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from conftest import write_picture

WIDTH, HEIGHT = 12, 8  # of every picture, px
SQUARE = [1, 1, 3, 1, 3, 3, 1, 3]  # covers 2 × 2 pixels
FILE = "annotations/instances_default.json"


def image(number: int = 1, name: str = "a.png", **changes: Any) -> dict[str, Any]:
    """An item of images; a change to None leaves the key out."""
    base = {"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT}
    return without_none(base | changes)


def annotation(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A crack of 2 × 2 pixels on picture 1; a change to None leaves the key out."""
    base = {"id": number, "image_id": 1, "category_id": 1, "segmentation": [SQUARE], "iscrowd": 0}
    return without_none(base | {"bbox": [1, 1, 2, 2], "area": 4} | changes)


def without_none(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if value is not None}


def category(number: int = 1, name: str = "Crack") -> dict[str, Any]:
    """An item of categories."""
    return {"id": number, "name": name}


def content_of(**changes: Any) -> dict[str, Any]:
    """A file about one picture with a crack; a change to None leaves the key out."""
    base = {"images": [image()], "annotations": [annotation()], "categories": [category()]}
    return without_none(base | changes)


def write_coco(root: Path, content: dict[str, Any] | str | bytes, *pictures: str) -> Path:
    """Write a file, and the pictures `a` of images/ or those that are named."""
    for name in pictures or ("images/a.png",):
        write_picture(root / name, WIDTH, HEIGHT)
    path = root / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content) if isinstance(content, dict) else content
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def with_content(**changes: Any) -> Callable[[Path], object]:
    """A file that is changed in some of its lists."""
    return lambda root: write_coco(root, content_of(**changes))


def with_text(change: Callable[[str], str | bytes]) -> Callable[[Path], object]:
    """A file whose text is changed."""
    return lambda root: write_coco(root, change(json.dumps(content_of())))


def with_annotation(**changes: Any) -> Callable[[Path], object]:
    """A file whose only annotation is changed."""
    return with_content(annotations=[annotation(**changes)])


def with_run_lengths(counts: object, size: object = (HEIGHT, WIDTH)) -> Callable[[Path], object]:
    """A file whose only annotation has run lengths."""
    return with_annotation(segmentation={"size": size, "counts": counts})


def write_two_files(root: Path) -> None:
    """Two files that describe one picture."""
    write_coco(root, content_of())
    (root / "annotations/person_keypoints.json").write_text(json.dumps(content_of()), "utf-8")


def write_two_endings(root: Path) -> None:
    """Two pictures that differ in the endings and the case of their names."""
    images = [image(), image(2, "A.jpg")]
    write_coco(root, content_of(images=images), "images/a.png", "images/A.jpg")


Break = tuple[str, Callable[[Path], object], str]

BROKEN_FILES: list[Break] = [  # nothing can be read
    (
        "cut off",
        with_text(lambda text: text[:-30]),
        "instances_default.json is no good JSON: .*export it again",
    ),
    (
        "something after the end",
        with_text(lambda text: text + "}"),
        "no good JSON: expected nothing more at character",
    ),
    ("not in UTF-8", with_text(lambda text: text.encode() + b"\xff"), "no good JSON: .*utf-8"),
    (
        "a key twice",
        with_text(lambda text: text[:-1] + ', "images": []}'),
        "the key 'images' is no text or there twice",
    ),
    (
        "a key of an annotation twice",
        with_text(lambda text: text.replace('"iscrowd"', '"id": 9, "iscrowd"')),
        "an object with one key twice: id, image_id",
    ),
    (
        "nested without end",
        with_text(lambda text: text.replace('"iscrowd": 0', '"x": ' + "[" * 200_000)),
        "no good JSON: maximum recursion",
    ),
    ("NaN", with_text(lambda text: text.replace('"area": 4', '"area": NaN')), "NaN, which is no"),
    (
        "a number of 5000 digits",
        with_text(lambda text: text.replace('"area": 4', '"area": ' + "9" * 5000)),
        "no good JSON: Exceeds the limit",
    ),
    ("no annotations", with_content(annotations=None), "has no list 'annotations'"),
    (
        "annotations that are no list",
        with_text(lambda text: text.replace('"annotations": [', '"annotations": {}, "x": [')),
        r"'annotations' is no list: expected \[ at character",
    ),
    (
        "entries of other types",
        with_content(images=[image(), 5, image("2"), image(3, name=7), image(4, width=-1)]),
        r"has 3 entries that .*images\[1\]: .*images\[3\]: file_name: .*images\[4\]: width: ",
    ),
    (
        "two pictures with one number",
        with_content(images=[image(), image(name="b.png")]),
        r"images\[1\]: its id 1 is taken",
    ),
    (
        "two categories with one number",
        with_content(categories=[category(), category(name="Dent")]),
        r"categories\[1\]: its id 1 is taken",
    ),
    (
        "a category without a name",
        with_content(categories=[category(name="--"), {"id": 2}]),
        r"categories\[0\]: '--' gives no class name.*categories\[1\]: name: Field required",
    ),
    (
        "annotations of no picture at all",
        with_content(
            annotations=[
                annotation(image_id=None),
                [],
                annotation(2, image_id=1.5),
                annotation(3, image_id=True),
            ]
        ),
        r"4 entries .*annotation 1: image_id: Field req.*annotations\[1\]: .*annotation 3: image",
    ),
    ("a picture in two files", write_two_files, "1 pictures are described by two files:.*a.png: "),
]
BAD_LABEL = "labels that cannot be drawn.*images/a.png: annotation 1: "
BROKEN_PICTURES: list[Break] = [  # found while reading
    (
        "a picture that is not there",
        with_content(images=[image(name="b.png")], annotations=[]),
        "masks without a picture.*instances_default.json: no picture 'b.png' below the folder",
    ),
    (
        "a name that leads elsewhere",
        with_content(images=[image(name="../../a.png")], annotations=[]),
        "'../../a.png' leads out of the folder",
    ),
    (
        "annotations on a picture that is not listed",
        with_content(annotations=[annotation(), annotation(2, image_id=7), annotation(3)]),
        "instances_default.json: 1 annotations on image 7, which it does not list",
    ),
    (
        "one picture listed twice",
        with_content(images=[image(), image(2, "images/a.png")]),
        "two masks.*images/a.png: image 1 and image 2 of instances_default.json",
    ),
    ("two pictures with one id", write_two_endings, "one id.*images/A.jpg and images/a.png"),
    (
        "a box without a mask",
        with_annotation(segmentation=[]),
        BAD_LABEL + "it has no segmentation, and a box is no mask",
    ),
    (
        "no segmentation at all",
        with_annotation(segmentation=None),
        BAD_LABEL + "it has no segmentation",
    ),
    (
        "a category that is not listed",
        with_annotation(category_id=9),
        BAD_LABEL + "its category 9 is not in the list",
    ),
    ("a polygon of texts", with_annotation(segmentation=[["1"] * 6]), BAD_LABEL + "0.0: Input"),
    ("a polygon that is no list", with_annotation(segmentation=5), BAD_LABEL + "the entry: Input"),
    (
        "a point at infinity",
        with_annotation(segmentation=[[1, 1, 2, 2, 10**400, 1]]),
        BAD_LABEL + "0.4: Input",
    ),
    ("run lengths without a size", with_run_lengths([96], None), BAD_LABEL + "size: Input"),
    ("a size of texts", with_run_lengths([96], ["8", "12"]), BAD_LABEL + "size.0: Input"),
    ("run lengths of half pixels", with_run_lengths([95.5, 0.5]), BAD_LABEL + "counts"),
    ("run lengths beyond all numbers", with_run_lengths([10**30]), BAD_LABEL + ".*whole numbers"),
]
BROKEN_DRAWINGS: list[Break] = [  # found when they are drawn
    (
        "a polygon of two points",
        with_annotation(segmentation=[[1, 1, 2, 2]]),
        BAD_LABEL + "ring 1 has 4 numbers",
    ),
    (
        "a polygon far away",
        with_annotation(segmentation=[[1, 1, 1e308, 1, 2, 2]]),
        BAD_LABEL + r"ring 1 has the point \(1e\+308, 1\), far outside",
    ),
    (
        "run lengths of another picture",
        with_run_lengths([10, 10], [4, 5]),
        BAD_LABEL + "its run lengths are of a picture of 5×4, this one has 12×8",
    ),
    (
        "run lengths that overrun",
        with_run_lengths([90, 100]),
        BAD_LABEL + "its run lengths are not those of a picture of 12×8: .* sum up to 96",
    ),
    ("negative run lengths", with_run_lengths([97, -1]), BAD_LABEL + "its run lengths are not"),
    ("a text that is cut off", with_run_lengths("52Q"), BAD_LABEL + "its run lengths are cut off"),
    ("a text of other letters", with_run_lengths("52 é"), BAD_LABEL + "its run lengths have char"),
    (
        "the size of another picture",
        with_content(images=[image(width=999_999, height=999_999)]),
        "sizes of picture and mask differ.*picture 12×8, mask 999999×999999",
    ),
]
BROKEN: list[Break] = [*BROKEN_FILES, *BROKEN_PICTURES, *BROKEN_DRAWINGS]
