"""exports.label_studio: what is written comes back as it was, and the tool reads it."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from label_studio_converter import Converter
from PIL import Image

from conftest import mask, save_array, write_picture
from defectseg.data.exports import label_studio_regions
from defectseg.data.exports.item import ExportItem, Shapes
from defectseg.data.exports.label_studio import write_label_studio
from defectseg.data.faults import FaultKind, raise_faults
from defectseg.data.labels.brush import decode_brush
from defectseg.data.labels.label import MaskFile
from defectseg.data.layouts.label_studio import fits, read
from defectseg.data.layouts.layout import Batch
from defectseg.errors import DataError

CLASSES = ["crack", "blowhole", "fray", "break", "uneven"]
BATCH = Batch("ann", "2026-01-31", "cvat")

sides = st.integers(1, 40)
masks = st.tuples(sides, sides).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.integers(0, len(CLASSES)))
)


def item(folder: Path, drawn: np.ndarray, picture_id: str = "a", **changes: Any) -> ExportItem:
    """A grey picture of the size of a mask."""
    picture = save_array(folder / f"{picture_id}.png", np.full(drawn.shape, 120, np.uint8))
    fields = {"id": picture_id, "picture": picture, "mask": drawn, "batch": BATCH}
    return ExportItem(**(fields | changes))


def write(tmp_path: Path, *drawn: np.ndarray, shapes: Shapes = "masks", **changes: Any) -> Path:
    """An export of pictures a, b, … with these masks."""
    items = [
        item(tmp_path / "pictures", each, chr(ord("a") + number), **changes)
        for number, each in enumerate(drawn)
    ]
    return write_items(tmp_path, items, shapes)


def write_items(tmp_path: Path, items: Sequence[ExportItem], shapes: Shapes = "masks") -> Path:
    folder = tmp_path / "export"
    folder.mkdir(exist_ok=True)
    write_label_studio(folder, CLASSES, iter(items), shapes)
    return folder


def read_back(folder: Path, classes: Sequence[str] = CLASSES) -> dict[str, np.ndarray]:
    """The masks of an export by id, read by our own layout."""
    assert fits(folder)
    layout = read(folder)
    raise_faults(layout.faults)
    index = {label: number for number, label in enumerate(classes, start=1)}
    found = {}
    for record in layout.records:
        assert not isinstance(record.label, MaskFile)
        with Image.open(record.picture) as image:
            found[record.id] = record.label.draw(image.size, index)
    return found


def tasks_of(folder: Path) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads((folder / "tasks.json").read_text(encoding="utf-8"))
    return content


def result_of(folder: Path) -> list[dict[str, Any]]:
    """The regions of the only task."""
    (task,) = tasks_of(folder)
    result: list[dict[str, Any]] = task["annotations"][0]["result"]
    return result


@pytest.mark.parametrize("shapes", ["masks", "polygons"])
@settings(max_examples=60, deadline=None)
@given(drawn=masks)
def test_a_round_trip_loses_no_pixel(shapes: Shapes, drawn: np.ndarray):
    with tempfile.TemporaryDirectory() as name:
        folder = write(Path(name), drawn, shapes=shapes)
        assert (read_back(folder)["a"] == drawn).all()


@pytest.mark.parametrize("shapes", ["masks", "polygons"])
def test_regions_with_holes_islands_and_corners_come_back(tmp_path: Path, shapes: Shapes):
    drawn = mask(
        """
        1111111..2
        1.....1.2.
        1.333.12..
        1.3.3.1..4
        1.333.1.44
        1.....1...
        1111111...
        """
    )
    assert (read_back(write(tmp_path, drawn, shapes=shapes))["a"] == drawn).all()


@pytest.mark.parametrize("shapes", ["masks", "polygons"])
def test_an_empty_mask_comes_back_as_a_clean_picture(tmp_path: Path, shapes: Shapes):
    folder = write(tmp_path, mask("..."), shapes=shapes)
    assert result_of(folder) == []
    (record,) = read(folder).records
    assert record.label.names == frozenset()
    assert not read_back(folder)["a"].any()


def test_ids_pictures_and_batches_come_back(tmp_path: Path):
    items = [
        item(tmp_path, mask(".1"), "line_1__ü.x-y"),
        item(tmp_path, mask("1."), "b", batch=Batch()),
    ]
    folder = write_items(tmp_path, items)
    records = {record.id: record for record in read(folder).records}
    assert list(records) == ["b", "line_1__ü.x-y"]
    assert records["line_1__ü.x-y"].batch == BATCH
    assert records["b"].batch == Batch("", "", "label-studio")
    assert records["b"].picture.read_bytes() == items[1].picture.read_bytes()
    assert read(folder).ignored == ()


def test_an_ending_in_capitals_becomes_small(tmp_path: Path):
    picture = write_picture(tmp_path / "X.PNG", 2, 1)
    folder = write_items(tmp_path, [item(tmp_path, mask("1."), picture=picture)])
    assert [path.name for path in (folder / "images").iterdir()] == ["a.png"]
    assert read_back(folder)["a"].tolist() == [[1, 0]]


def test_every_region_is_a_brush_of_its_own_the_largest_first(tmp_path: Path):
    drawn = mask("1..222 .1...2 ...... 1.1.22 ..1...")
    folder = write(tmp_path, drawn)
    pixels = []
    for entry in result_of(folder):
        only = tasks_of(folder)
        only[0]["annotations"][0]["result"] = [entry]
        (tmp_path / "one").mkdir(exist_ok=True)
        save_array(tmp_path / "one/images/a.png", drawn)
        (tmp_path / "one/tasks.json").write_text(json.dumps(only), encoding="utf-8")
        pixels.append(read_back(tmp_path / "one")["a"].nonzero()[1].tolist())
    assert pixels == [[0, 1], [2, 2], [0], [3, 4, 5, 5], [4, 5]]
    assert [entry["id"] for entry in result_of(folder)] == ["r1", "r2", "r3", "r4", "r5"]


def test_the_largest_region_is_that_of_the_most_pixels(tmp_path: Path):
    first, second = result_of(write(tmp_path, mask("1..... 1.1111")))
    drawn = decode_brush(bytes(first["value"]["rle"]), (6, 2))
    assert (drawn == mask("...... ..1111")).all()
    drawn = decode_brush(bytes(second["value"]["rle"]), (6, 2))
    assert (drawn == mask("1..... 1.....")).all()


def test_many_specks_share_one_brush(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(label_studio_regions, "MAX_REGIONS", 3)
    drawn = mask("1.1.1.1.11 .......... 111.......")
    folder = write(tmp_path, drawn)
    assert len(result_of(folder)) == 3
    assert (read_back(folder)["a"] == drawn).all()


def test_a_region_is_written_as_label_studio_writes_it(tmp_path: Path):
    (entry,) = result_of(write(tmp_path, mask("....2 ....2"), shapes="polygons"))
    assert entry == {
        "id": "r1",
        "type": "polygonlabels",
        "from_name": "polygon",
        "to_name": "image",
        "original_width": 5,
        "original_height": 2,
        "image_rotation": 0,
        "value": {
            "points": [[80.0, 0.0], [100.0, 0.0], [100.0, 100.0], [80.0, 100.0]],
            "closed": True,
            "polygonlabels": ["blowhole"],
        },
    }


def test_labels_are_annotations_and_predictions_are_predictions(tmp_path: Path):
    labelled = item(tmp_path, mask(".1"), "a")
    predicted = item(tmp_path, mask("1."), "b", score=0.75, batch=Batch(label_tool="unet 7"))
    unnamed = item(tmp_path, mask(".."), "c", score=0.0, batch=Batch())
    first, second, third = tasks_of(write_items(tmp_path, [labelled, predicted, unnamed]))
    assert first["data"].keys() == {"image", "labelled_by", "labelled_at", "label_tool"}
    assert third["data"].keys() == {"image"}
    assert (len(first["annotations"]), first["predictions"]) == (1, [])
    assert second["annotations"] == third["annotations"] == []
    (prediction,) = second["predictions"]
    assert (prediction["score"], prediction["model_version"]) == (0.75, "unet 7")
    assert prediction["result"][0]["value"]["brushlabels"] == ["crack"]
    (prediction,) = third["predictions"]
    assert (prediction["score"], prediction["model_version"]) == (0.0, "defectseg")


def test_a_prediction_counts_once_a_person_submits_it(tmp_path: Path):
    folder = write(tmp_path, mask(".1"), score=0.5)
    faults = read(folder).faults
    assert [(fault.kind, fault.picture) for fault in faults] == [(FaultKind.NO_MASK, "a")]
    (task,) = tasks_of(folder)
    submitted = {"result": task["predictions"][0]["result"], "completed_by": 3}
    (folder / "project-1.json").write_text(
        json.dumps([task | {"annotations": [submitted]}]), encoding="utf-8"
    )
    assert read_back(folder)["a"].tolist() == [[0, 1]]  # tasks.json may lie beside it


def test_the_picture_is_named_as_label_studio_serves_local_files(tmp_path: Path):
    folder = write_items(tmp_path, [item(tmp_path, mask("1"), "ü+1 2")])
    assert tasks_of(folder)[0]["data"]["image"] == (
        "/data/local-files/?d=images/%C3%BC%2B1%202.png"
    )
    assert read_back(folder)[next(iter(read_back(folder)))].tolist() == [[1]]


def test_the_interface_has_a_brush_and_a_polygon_for_every_class(tmp_path: Path):
    view = ElementTree.parse(write(tmp_path, mask("1")) / "label_config.xml").getroot()
    assert view.find("Image").attrib["value"] == "$image"
    for tag, name in (("BrushLabels", "brush"), ("PolygonLabels", "polygon")):
        labels = view.find(tag)
        assert (labels.attrib["name"], labels.attrib["toName"]) == (name, "image")
        assert [label.attrib["value"] for label in labels] == CLASSES
        assert labels[0].attrib["background"] == "#e69f00"


def test_the_steps_name_the_files_and_the_setting(tmp_path: Path):
    text = (write(tmp_path, mask("1")) / "README.md").read_text(encoding="utf-8")
    for name in ("tasks.json", "label_config.xml", "images/", "LOCAL_FILES_DOCUMENT_ROOT"):
        assert name in text


def test_equal_items_give_equal_bytes(tmp_path: Path):
    drawn = [mask("12. .3."), mask("..1")]
    one = write(tmp_path / "one", *drawn)
    two = write(tmp_path / "two", *drawn)
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert len(names) == 5
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in names)


def test_one_item_is_asked_for_at_a_time(tmp_path: Path):
    (tmp_path / "export").mkdir()

    def items() -> Iterator[ExportItem]:
        for number in range(3):
            yield item(tmp_path, mask("1"), f"p{number}")
            assert (tmp_path / f"export/images/p{number}.png").exists()

    write_label_studio(tmp_path / "export", CLASSES, items(), "masks")
    assert len(tasks_of(tmp_path / "export")) == 3


def test_no_item_gives_an_empty_list(tmp_path: Path):
    assert tasks_of(write_items(tmp_path, [])) == []


def test_two_pictures_of_one_id_are_refused_upper_and_lower_case_alike(tmp_path: Path):
    items = [item(tmp_path / "1", mask("1"), "a"), item(tmp_path / "2", mask("1"), "A")]
    with pytest.raises(DataError, match="two pictures have the id A; give each its own"):
        write_items(tmp_path, items)
    assert not (tmp_path / "export/tasks.json").exists()


def test_the_library_of_label_studio_reads_what_we_write(tmp_path: Path):
    drawn = mask("1..22. 11...2 ....2. ......")
    folder = write(tmp_path, drawn)
    converter = Converter(str(folder / "label_config.xml"), str(folder))
    found = tmp_path / "found"
    found.mkdir()
    converter.convert(str(folder / "tasks.json"), str(found), "BRUSH_TO_PNG", is_dir=False)
    theirs = np.zeros_like(drawn)
    for path in sorted(found.glob("*.png")):
        number = CLASSES.index(path.name.split("-brush-")[1].split("-")[0]) + 1
        theirs[np.asarray(Image.open(path)) > 0] = number
    assert (theirs == drawn).all()


def test_the_library_of_label_studio_reads_our_polygons(tmp_path: Path):
    folder = write(tmp_path, mask("1..2 1..2 ...."), shapes="polygons")
    converter = Converter(str(folder / "label_config.xml"), str(folder))
    output = tmp_path / "min"
    converter.convert(str(folder / "tasks.json"), str(output), "JSON_MIN", is_dir=False)
    (task,) = json.loads((output / "result.json").read_text(encoding="utf-8"))
    assert [shape["polygonlabels"] for shape in task["polygon"]] == [["crack"], ["blowhole"]]
    assert task["polygon"][0]["points"][1] == [25.0, 0.0]
