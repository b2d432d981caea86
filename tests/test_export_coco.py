"""COCO data sets that we write: pycocotools reads them, and our reader gives back every pixel."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools.coco import COCO

from conftest import mask, save_array
from defectseg.data.exports.coco import FILE, write_coco
from defectseg.data.exports.item import ExportItem, Shapes
from defectseg.data.labels.label import MaskFile
from defectseg.data.labels.polygons import MAX_PATH
from defectseg.data.layouts.coco import fits, read
from defectseg.data.layouts.layout import Batch, Layout
from defectseg.errors import DataError

# pycocotools 2.0.11 with numpy 2 when it decodes
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CLASSES = ("crack", "dent", "stain", "scratch", "chip")
SHAPES: tuple[Shapes, ...] = ("masks", "polygons")
MASKS = st.lists(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.integers(0, 5)),
    min_size=1,
    max_size=3,
)
RING = """#####..
          #...#..
          #.2.#..
          #...#.#
          #####..
          .....33"""


def to_items(
    folder: Path, masks: Sequence[npt.NDArray[np.uint8]], **changes: Any
) -> Iterator[ExportItem]:
    """Pictures t0, t1, … of the sizes of their masks."""
    for number, values in enumerate(masks):
        picture = save_array(folder / f"source {number}.PNG", np.zeros_like(values))
        item = {"id": f"t{number}", "picture": picture, "mask": values, "batch": Batch()} | changes
        yield ExportItem(**item)


def write(
    folder: Path, masks: Sequence[npt.NDArray[np.uint8]], shapes: Shapes = "masks", **changes: Any
) -> Path:
    """A data set of pictures t0, t1, …"""
    root = folder / f"{shapes} out"
    root.mkdir()
    write_coco(root, CLASSES, to_items(folder, masks, **changes), shapes)
    return root


def content_of(root: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((root / FILE).read_text("utf-8"))
    return content


def draw_all(layout: Layout) -> list[npt.NDArray[np.uint8]]:
    index = {name: k for k, name in enumerate(CLASSES, start=1)}
    drawn = []
    for record in layout.records:
        assert not isinstance(record.label, MaskFile)
        assert record.label.size is not None
        drawn.append(record.label.draw(record.label.size, index))
    return drawn


@pytest.mark.parametrize("shapes", SHAPES)
@given(masks=MASKS)
@settings(deadline=None, max_examples=60)
def test_every_mask_comes_back_pixel_by_pixel(shapes: Shapes, masks: list[npt.NDArray[np.uint8]]):
    with TemporaryDirectory() as folder:
        layout = read(write(Path(folder), masks, shapes))
        drawn = draw_all(layout)
    assert layout.faults == ()
    assert layout.labels == CLASSES
    assert [record.id for record in layout.records] == [f"t{k}" for k in range(len(masks))]
    for came, went in zip(drawn, masks, strict=True):
        np.testing.assert_array_equal(came, went)


@pytest.mark.parametrize("shapes", SHAPES)
def test_pycocotools_reads_the_same_masks(tmp_path: Path, shapes: Shapes):
    went = mask(RING)
    theirs = COCO(str(write(tmp_path, [went], shapes) / FILE))
    drawn = np.zeros_like(went)
    for entry in theirs.loadAnns(theirs.getAnnIds(imgIds=[1])):
        region = theirs.annToMask(entry)
        drawn[region > 0] = entry["category_id"]
        rows, columns = np.nonzero(region)
        left, top, width, height = entry["bbox"]
        assert entry["area"] == region.sum()
        assert (left, top) == (columns.min(), rows.min())
        assert (left + width, top + height) == (columns.max() + 1, rows.max() + 1)
    np.testing.assert_array_equal(drawn, went)
    assert [each["name"] for each in theirs.loadCats(theirs.getCatIds())] == list(CLASSES)


@pytest.mark.parametrize("shapes", SHAPES)
def test_each_region_of_a_class_is_an_annotation(tmp_path: Path, shapes: Shapes):
    content = content_of(write(tmp_path, [mask(RING), mask("##.#")], shapes))
    places = [
        (each["id"], each["image_id"], each["category_id"], each["area"], each["iscrowd"])
        for each in content["annotations"]
    ]
    assert places == [
        (1, 1, 1, 16, 0),  # the ring
        (2, 1, 1, 1, 0),  # the lone pixel
        (3, 1, 2, 1, 0),
        (4, 1, 3, 2, 0),
        (5, 2, 1, 2, 0),
        (6, 2, 1, 1, 0),
    ]


def test_masks_are_texts_of_run_lengths_and_polygons_are_rings(tmp_path: Path):
    (entry,) = content_of(write(tmp_path, [mask(".#. #..")]))["annotations"]
    assert entry["segmentation"] == {"size": [2, 3], "counts": "123"}
    (entry,) = content_of(write(tmp_path, [mask("... .##")], "polygons"))["annotations"]
    assert entry["segmentation"] == [[1, 1, 3, 1, 3, 2, 1, 2]]
    assert entry["bbox"] == [1, 1, 2, 1]


@pytest.mark.parametrize("shapes", SHAPES)
def test_an_empty_mask_comes_back_as_a_clean_picture(tmp_path: Path, shapes: Shapes):
    root = write(tmp_path, [mask("... ..."), mask("#")], shapes)
    assert [each["image_id"] for each in content_of(root)["annotations"]] == [2]
    record = read(root).records[0]
    assert not isinstance(record.label, MaskFile)
    assert record.label.names == frozenset()
    assert record.label.size == (3, 2)


def test_pictures_are_copied_under_their_ids(tmp_path: Path):
    root = write(tmp_path, [mask("#.")])
    assert fits(root)
    copied = root / "images/t0.png"
    assert copied.read_bytes() == (tmp_path / "source 0.PNG").read_bytes()
    assert content_of(root)["images"] == [
        {"id": 1, "file_name": "t0.png", "width": 2, "height": 1},
    ]
    assert sorted(path.relative_to(root).as_posix() for path in root.rglob("*.*")) == [
        "annotations/instances_default.json",
        "images/t0.png",
    ]


def test_an_id_with_points_and_letters_of_any_kind_comes_back(tmp_path: Path):
    root = write(tmp_path, [mask("#.")], id="Stück.1__a-b")
    assert [record.id for record in read(root).records] == ["Stück.1__a-b"]


def test_who_labelled_a_picture_comes_back(tmp_path: Path):
    batch = Batch("Ada", "2026-01-31", "cvat")
    assert read(write(tmp_path, [mask("#.")], batch=batch)).records[0].batch == batch


def test_only_predictions_have_a_score(tmp_path: Path):
    labels = content_of(write(tmp_path, [mask("#.")]))
    assert "score" not in labels["annotations"][0]
    predictions = content_of(write(tmp_path, [mask("#.#")], "polygons", score=0.25))
    assert [each["score"] for each in predictions["annotations"]] == [0.25, 0.25]


@pytest.mark.parametrize("shapes", SHAPES)
def test_the_same_masks_give_the_same_bytes(tmp_path: Path, shapes: Shapes):
    files = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files.append((write(tmp_path / name, [mask(RING)], shapes) / FILE).read_bytes())
    assert files[0] == files[1]


def test_a_data_set_of_no_pictures_is_good_json(tmp_path: Path):
    content = content_of(write(tmp_path, []))
    assert (content["images"], content["annotations"]) == ([], [])


def test_two_pictures_of_one_id_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="two pictures have the id T"):
        write(tmp_path, [mask("#"), mask("#")], id="T")


def test_a_mask_of_more_classes_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"the mask of t0 has 6, expected 0\.\.5"):
        write(tmp_path, [mask("6.")])


def test_an_outline_that_nobody_could_read_back_is_refused(tmp_path: Path):
    comb = np.zeros((1100, 9600), dtype=np.uint8)
    comb[0] = 1
    comb[:, ::4] = 1
    assert comb[:, ::4].size * 2 > MAX_PATH
    with pytest.raises(DataError, match=r"^t0 as polygons: .*px long.*; choose shapes masks$"):
        write(tmp_path, [comb], "polygons")
    assert not (tmp_path / "polygons out" / FILE).exists()
