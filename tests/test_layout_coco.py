"""COCO files: what other tools write is read, and everything that is wrong is said at once."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from broken_coco import (
    BROKEN_DRAWINGS,
    BROKEN_PICTURES,
    FILE,
    HEIGHT,
    SQUARE,
    WIDTH,
    Break,
    annotation,
    category,
    content_of,
    image,
    write_coco,
)
from conftest import mask, write_picture
from defectseg.data.faults import FaultKind, raise_faults
from defectseg.data.labels.label import MaskFile
from defectseg.data.labels.run_lengths import encode_rle
from defectseg.data.layouts.coco import fits, read
from defectseg.data.layouts.layout import Batch, Layout
from defectseg.errors import DataError

# pycocotools 2.0.11 with numpy 2 when it decodes
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CRACK = """............ .##......... .##......... ............
           ............ ............ ............ ............"""


def draw(layout: Layout, number: int = 0, **index: int) -> npt.NDArray[np.uint8]:
    """The mask of one picture; labels become classes in their order unless it is said."""
    label = layout.records[number].label
    assert not isinstance(label, MaskFile)
    classes = {name: k for k, name in enumerate(layout.labels or (), start=1)}
    return label.draw((WIDTH, HEIGHT), classes | index)


def read_one(root: Path, *annotations: dict[str, Any], **changes: Any) -> Layout:
    """A layout of one picture."""
    return read(write_coco(root, content_of(annotations=list(annotations), **changes)))


def names_of(layout: Layout) -> list[str]:
    return [record.id for record in layout.records]


def test_a_polygon_is_drawn(tmp_path: Path):
    layout = read(write_coco(tmp_path, content_of()))
    assert (layout.name, layout.root, layout.labels) == ("coco", tmp_path, ("crack",))
    assert layout.faults == ()
    assert names_of(layout) == ["a"]
    assert layout.records[0].picture == tmp_path / "images/a.png"
    assert layout.records[0].defect_class is None
    drawn = draw(layout)
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn, mask(CRACK))


@pytest.mark.parametrize("is_crowd", [0, 1])
def test_both_forms_of_run_lengths_are_drawn_crowd_or_not(tmp_path: Path, is_crowd: int):
    drawn = mask(CRACK)
    text = coco_mask.encode(np.asfortranarray(drawn))["counts"].decode()
    for name, counts in (("text", text), ("list", [9, 2, 6, 2, 77])):
        shape = {"size": [HEIGHT, WIDTH], "counts": counts}
        layout = read_one(tmp_path / name, annotation(segmentation=shape, iscrowd=is_crowd))
        np.testing.assert_array_equal(draw(layout), drawn)


def test_a_picture_without_an_annotation_is_clean_and_keeps_its_size(tmp_path: Path):
    layout = read_one(tmp_path)
    label = layout.records[0].label
    assert not isinstance(label, MaskFile)
    assert label.names == frozenset()
    assert label.size == (WIDTH, HEIGHT)
    assert not draw(layout).any()


def test_a_picture_without_a_size_may_have_any(tmp_path: Path):
    layout = read_one(tmp_path, annotation(), images=[image(width=None)])
    label = layout.records[0].label
    assert not isinstance(label, MaskFile)
    assert label.size is None
    np.testing.assert_array_equal(draw(layout), mask(CRACK))


def test_later_annotations_lie_above_earlier_ones(tmp_path: Path):
    wide = [0, 0, 3, 0, 3, 3, 0, 3]
    layout = read_one(
        tmp_path,
        annotation(),
        annotation(2, category_id=2, segmentation=[[2, 2, 4, 2, 4, 4, 2, 4]]),
        annotation(3, category_id=3, segmentation=[wide]),
        categories=[category(), category(2, "Dent"), category(3, "Stain")],
    )
    assert layout.records[0].label.names == {"crack", "dent", "stain"}  # type: ignore[union-attr]
    assert draw(layout)[:4, :5].tolist() == mask("333.. 333.. 3332. ..22.").tolist()
    assert draw(layout, stain=0)[:4, :5].tolist() == mask("..... .11.. .122. ..22.").tolist()


def test_every_category_is_a_label_in_the_order_of_the_numbers(tmp_path: Path):
    categories = [
        category(3, "Stain"),
        category(10, "MT_Dent"),
        category(2, "Crack"),
        category(4, "crack"),
        category(0, "background"),
    ]
    layout = read_one(tmp_path, annotation(category_id=4), categories=categories)
    assert layout.labels == ("crack", "stain", "dent")
    np.testing.assert_array_equal(draw(layout), mask(CRACK))


def test_a_background_that_is_drawn_covers_nothing(tmp_path: Path):
    layout = read_one(
        tmp_path,
        annotation(),
        annotation(2, category_id=5),
        categories=[category(), category(5, "background")],
    )
    assert layout.records[0].label.names == {"crack"}  # type: ignore[union-attr]
    np.testing.assert_array_equal(draw(layout), mask(CRACK))


def test_a_label_that_is_ignored_need_not_be_drawable(tmp_path: Path):
    layout = read_one(tmp_path, annotation(segmentation=[[1, 2]]))
    assert not draw(layout, crack=0).any()


def test_numbers_may_be_texts(tmp_path: Path):
    layout = read_one(
        tmp_path,
        annotation(image_id="x", category_id="c"),
        images=[image("x")],
        categories=[category("c"), category(1, "Dent")],
    )
    assert layout.labels == ("dent", "crack")
    np.testing.assert_array_equal(draw(layout), 2 * mask(CRACK))


def test_files_of_parts_are_one_data_set_and_their_categories_meet_by_name(tmp_path: Path):
    write_coco(
        tmp_path,
        content_of(),
        *("images/train/a.png", "images/val/a.png", "images/val/b.png", "images/left.png"),
    )
    (tmp_path / FILE).rename(tmp_path / "annotations/instances_train.json")
    swapped = content_of(
        images=[image(), image(2, "b.png")],
        annotations=[annotation(image_id=2, category_id=2)],
        categories=[category(1, "Dent"), category(2, "crack")],
    )
    (tmp_path / "annotations/instances_val.json").write_text(json.dumps(swapped), "utf-8")
    (tmp_path / "annotations/notes.json").write_text("{}", "utf-8")
    layout = read(tmp_path)
    assert names_of(layout) == ["train__a", "val__a", "val__b"]
    assert layout.labels == ("crack", "dent")
    assert [bool(draw(layout, number).any()) for number in range(3)] == [True, False, True]
    np.testing.assert_array_equal(draw(layout, 2), mask(CRACK))
    assert layout.ignored == ("images/left.png",)
    assert [layout.relative(path) for path in layout.files] == [
        "annotations/instances_train.json",
        "annotations/instances_val.json",
        "images/train/a.png",
        "images/val/a.png",
        "images/val/b.png",
    ]


def test_a_file_beside_its_pictures_is_read(tmp_path: Path):
    write_picture(tmp_path / "sub/a.png", WIDTH, HEIGHT)
    content = content_of(images=[image(name="sub\\a.png")])
    (tmp_path / "_annotations.coco.json").write_bytes(
        b"\xef\xbb\xbf" + json.dumps(content).encode()
    )
    assert fits(tmp_path)
    assert names_of(read(tmp_path)) == ["sub__a"]


def test_the_folders_of_cvat_do_not_show_in_ids(tmp_path: Path):
    layout = read(write_coco(tmp_path, content_of(), "images/default/a.png"))
    assert names_of(layout) == ["a"]


def test_who_when_and_what_with_are_kept(tmp_path: Path):
    info = {"contributor": "Ada\nLovelace", "date_created": "2026-01-31", "url": 5}
    images = [image(date_captured="2020-01-01"), image(2, "b.png", labelled_by="Bo" * 200)]
    content = content_of(images=images, info=info, licenses=[{"name": "CVAT"}, 7])
    layout = read(write_coco(tmp_path, content, "images/a.png", "images/b.png"))
    assert layout.records[0].batch == Batch("AdaLovelace", "2026-01-31", "cvat")
    assert layout.records[1].batch == Batch("Bo" * 100, "2026-01-31", "cvat")


@pytest.mark.parametrize("info", [None, [], {"contributor": 7, "date_created": None}])
def test_nobody_is_named_where_nobody_is_noted(tmp_path: Path, info: object):
    layout = read(write_coco(tmp_path, content_of(info=info, licenses={"a": 1})))
    assert layout.records[0].batch == Batch()


def test_one_picture_with_a_fault_does_not_keep_the_others_out(tmp_path: Path):
    content = content_of(
        images=[image(), image(2, "b.png"), image(3, "c.png")],
        annotations=[
            annotation(),
            annotation(2, image_id=2, segmentation=[]),
            annotation(3, image_id=2, category_id=8),
            annotation(4, image_id=2),
        ],
    )
    layout = read(write_coco(tmp_path, content, "images/a.png", "images/b.png"))
    assert names_of(layout) == ["a"]
    missing, wrong = sorted(layout.faults, key=lambda fault: fault.file)
    assert (missing.kind, missing.file, missing.picture) == (FaultKind.NO_PICTURE, FILE, "")
    assert (wrong.kind, wrong.file, wrong.picture) == (FaultKind.BAD_LABEL, "images/b.png", "b")
    assert "annotation 2: it has no segmentation" in wrong.detail
    assert "annotation 3: its category 8 is not in the list" in wrong.detail


def test_every_region_of_a_picture_that_cannot_be_drawn_is_named(tmp_path: Path):
    rings = [annotation(number, segmentation=[[number, 1]]) for number in range(1, 9)]
    layout = read_one(tmp_path, *rings, annotation(9))
    with pytest.raises(DataError, match=r"annotation 1: ring .*annotation 5: .*; and 3 more$"):
        draw(layout)


def test_a_drawing_of_another_size_allocates_nothing(tmp_path: Path):
    layout = read_one(tmp_path, images=[image(width=10**6, height=10**6)])
    with pytest.raises(DataError, match=r"labelled at the size \(1000000, 1000000\), but"):
        draw(layout)


@pytest.mark.parametrize(("_", "write", "message"), BROKEN_PICTURES)
def test_what_is_wrong_with_a_picture_is_a_fault_of_it(
    tmp_path: Path, _: str, write: Any, message: str
):
    write(tmp_path)
    layout = read(tmp_path)
    assert len(layout.faults) == 1
    with pytest.raises(DataError, match=f"(?s){message}") as error:
        raise_faults(layout.faults)
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize("case", BROKEN_DRAWINGS[:-1], ids=lambda case: case[0])
def test_what_is_damaged_is_refused_when_it_is_drawn(tmp_path: Path, case: Break):
    _, write, message = case
    write(tmp_path)
    with pytest.raises(DataError, match=f"(?s)^{message.rpartition('.png: ')[2]}"):
        draw(read(tmp_path))


def test_what_pycocotools_reads_is_drawn_as_it_draws_it(tmp_path: Path):
    triangle = [2.3, 0.7, 10.9, 3.2, 4.4, 7.6]
    counts = encode_rle(np.eye(HEIGHT, WIDTH, dtype=np.bool_))
    content = content_of(
        annotations=[
            annotation(1, segmentation=[SQUARE, triangle]),
            annotation(2, segmentation=counts),
            annotation(3, segmentation={"size": [HEIGHT, WIDTH], "counts": [80, 9, 7]}),
        ]
    )
    layout = read(write_coco(tmp_path, content))
    theirs = COCO(str(tmp_path / FILE))
    drawn = np.max([theirs.annToMask(each) for each in theirs.loadAnns(theirs.getAnnIds())], axis=0)
    np.testing.assert_array_equal(draw(layout), drawn)


def test_the_order_of_files_on_the_disk_does_not_matter(tmp_path: Path):
    content = content_of(images=[image(), image(2, "b.png")])
    layouts = []
    for number, names in enumerate((("a", "b"), ("b", "a"))):
        root = tmp_path / str(number)
        write_coco(root, content, *(f"images/{name}.png" for name in names))
        layouts.append(read(root))
    first, second = layouts
    assert names_of(first) == names_of(second) == ["a", "b"]
    assert [first.relative(p) for p in first.files] == [second.relative(p) for p in second.files]
