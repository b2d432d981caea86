"""labelling: what the labels of a whole source mean, before any picture is opened."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import (
    load_params,
    mask,
    save_array,
    write_class_folders,
    write_images_masks,
    write_mask,
    write_picture,
)
from defectseg.data.faults import FaultKind
from defectseg.data.labels.label import MaskFile, NoDefect
from defectseg.data.labels.labelling import Labelling, read_labels
from defectseg.data.layouts.find import find_layout
from defectseg.data.layouts.layout import Layout, Record
from defectseg.data.quality.findings import GreyMask
from defectseg.data.tile import CLEAN
from defectseg.errors import DataError, OffendersError

DRAWN = mask("1123 ....")  # (2, 4)
SIZE = (4, 2)  # width and height of it, px


def read(root: Path, **changes: Any) -> tuple[dict[str, Record], Labelling]:
    """The records of a folder by their id, and what their labels mean."""
    layout = find_layout(root, "auto")
    records = {record.id: record for record in layout.records}
    return records, read_labels(layout, load_params(root, **changes))


def write_named(root: Path, *names: str) -> Path:
    """Index masks of values 1..3, of which classes.json says what they mean."""
    write_images_masks(root, {"a": DRAWN})
    (root / "classes.json").write_text(json.dumps(names))
    return root


def write_coco(root: Path, *categories: str) -> Path:
    """A COCO picture `a`, 4 × 2 px, whose left half is each category in turn."""
    write_picture(root / "images/a.png", *SIZE)
    listed = [{"id": k, "name": name} for k, name in enumerate(categories, start=1)]
    shape = {"image_id": 1, "segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]], "iscrowd": 0}
    shapes = [shape | {"id": each["id"], "category_id": each["id"]} for each in listed]
    image = {"id": 1, "file_name": "a.png", "width": SIZE[0], "height": SIZE[1]}
    content = {"images": [image], "categories": listed, "annotations": shapes}
    (root / "all.json").write_text(json.dumps(content))
    return root


def test_index_masks_without_names_are_drawn_as_they_are(tmp_path: Path):
    records, labelling = read(write_images_masks(tmp_path, {"a": DRAWN}))
    assert labelling.class_map.classes == ("class_1", "class_2", "class_3")
    assert labelling.draw(records["a"], SIZE).tolist() == DRAWN.tolist()
    assert labelling.draw(records["a"], SIZE).dtype == np.uint8


def test_named_values_are_renamed_merged_and_ignored(tmp_path: Path):
    root = write_named(tmp_path, "Stain", "Scratch", "Dent")
    changes = {"rename": {"Scratch": "line", "Dent": "line"}, "ignore": ["Stain"]}
    records, labelling = read(root, **changes)
    assert labelling.class_map.classes == ("line",)
    assert labelling.draw(records["a"], SIZE).tolist() == [[0, 0, 1, 1], [0, 0, 0, 0]]


def test_the_classes_of_the_params_give_the_order(tmp_path: Path):
    root = write_named(tmp_path, "Stain", "Scratch", "Dent")
    records, labelling = read(root, classes=["dent", "stain", "scratch"])
    assert labelling.draw(records["a"], SIZE).tolist() == [[2, 2, 3, 1], [0, 0, 0, 0]]


def test_every_label_without_a_class_is_named(tmp_path: Path):
    root = write_named(tmp_path, "Stain", "Scratch", "Dent")
    with pytest.raises(DataError, match=r"labels \['dent', 'stain'\] are in no class"):
        read(root, classes=["scratch"])


def test_a_folder_whose_class_is_ignored_holds_no_defect(class_folders: Path):
    records, labelling = read(class_folders, ignore=["blowhole"])
    assert labelling.class_map.classes == ("crack",)
    assert labelling.draw(records["b1"], (80, 72)).sum() == 0
    assert labelling.draw(records["c1"], (80, 72)).sum() == 36
    said = {key: labelling.says_defect(record) for key, record in records.items()}
    assert said == {"b1": False, "c1": True, "c2": True, "f1": False, "f2": False}


def test_a_mask_file_alone_does_not_say_that_there_is_a_defect(tmp_path: Path):
    records, labelling = read(write_images_masks(tmp_path, {"a": DRAWN}))
    assert not labelling.says_defect(records["a"])


def test_a_labelling_tool_says_by_name_that_there_is_a_defect(tmp_path: Path):
    records, labelling = read(write_coco(tmp_path, "crack", "hole"))
    assert labelling.says_defect(records["a"])
    assert labelling.draw(records["a"], SIZE).tolist() == [[2, 2, 0, 0]] * 2
    records, labelling = read(tmp_path, ignore=["hole"])
    assert labelling.says_defect(records["a"])
    assert labelling.draw(records["a"], SIZE).tolist() == [[1, 1, 0, 0]] * 2


def test_a_drawing_of_which_every_label_is_ignored_says_nothing(tmp_path: Path):
    records, labelling = read(write_coco(tmp_path, "crack"), ignore=["crack"], classes=["hole"])
    assert not labelling.says_defect(records["a"])
    assert not labelling.draw(records["a"], SIZE).any()


def test_the_size_of_a_label_is_known_before_it_is_drawn(tmp_path: Path):
    records, labelling = read(write_images_masks(tmp_path / "files", {"a": DRAWN}))
    assert labelling.size_of(records["a"]) == SIZE
    records, labelling = read(write_coco(tmp_path / "coco", "crack"))
    assert labelling.size_of(records["a"]) == SIZE
    clean = Record("c", tmp_path / "c.png", NoDefect(), CLEAN)
    assert labelling.size_of(clean) is None


@pytest.mark.parametrize(("value", "expected"), [(127, False), (128, True)])
def test_a_mask_above_the_threshold_contradicts_a_folder_without_defects(
    tmp_path: Path, value: int, expected: bool
):
    root = write_class_folders(tmp_path, {"MT_Free": ["f"], "MT_Crack": ["c"]})
    write_mask(root / "MT_Free/Imgs/f.png", value=value)
    records, labelling = read(root)
    assert labelling.has_defect_on_clean(records["f"]) is expected
    assert not labelling.has_defect_on_clean(records["c"])


def test_the_greys_of_binary_masks_are_measured(tmp_path: Path):
    root = write_class_folders(tmp_path, {"MT_Crack": ["a", "b"]})
    values = np.zeros((72, 80), np.uint8)
    values[0, :5] = [60, 127, 128, 255, 255]  # 3 of 5 are grey; 3 are above 127
    save_array(root / "MT_Crack/Imgs/a.png", values)
    write_mask(root / "MT_Crack/Imgs/b.png", area=0)
    assert read(root)[1].greys == {"a": GreyMask(3 / 5, 5 / 3), "b": GreyMask(0.0, 0.0)}


def test_indexes_are_no_greys(tmp_path: Path):
    assert read(write_images_masks(tmp_path, {"a": DRAWN}))[1].greys == {}


def test_an_unreadable_mask_is_a_fault_of_its_picture(tmp_path: Path):
    root = write_images_masks(tmp_path, {"a": DRAWN, "line/b": DRAWN})
    (root / "masks/line/b.png").write_bytes(b"no picture")
    (fault,) = read(root)[1].faults
    assert (fault.kind, fault.file) == (FaultKind.UNREADABLE, "masks/line/b.png")
    assert fault.picture == "line__b"


def test_a_wrong_value_is_a_fault_of_its_picture(tmp_path: Path):
    root = write_images_masks(tmp_path, {"a": DRAWN, "line/b": mask("4...")})
    (root / "classes.json").write_text('["x", "y", "z"]')
    (fault,) = read(root)[1].faults
    assert (fault.kind, fault.picture) == (FaultKind.MASK_VALUES, "line__b")
    assert fault.detail == "values 0, 4; expected 0..3"


def test_unreadable_masks_are_named_rather_than_the_params_that_do_not_fit_without_them(
    tmp_path: Path,
):
    root = write_images_masks(tmp_path, {"a": DRAWN * 80, "b": DRAWN})
    (root / "masks/b.png").write_bytes(b"no picture")
    with pytest.raises(OffendersError, match=r"unreadable .*\(1\):\n  masks/b\.png"):
        read(root, classes=["x", "y", "z"])


def test_a_value_that_says_nothing_is_background(tmp_path: Path):
    picture = write_picture(tmp_path / "a.jpg", *SIZE)
    void = save_array(tmp_path / "void.png", np.array([[0, 1, 255, 2]] * 2, np.uint8))
    record = Record("a", picture, MaskFile(void, void=255), None)
    layout = Layout("voc", tmp_path, (record,), ("x", "y"), (picture, void), (), ())
    labelling = read_labels(layout, load_params(tmp_path))
    assert labelling.masks[void].values == bytes([0, 1, 2])
    assert labelling.draw(record, SIZE).tolist() == [[0, 1, 0, 2]] * 2


def test_a_source_without_mask_files_keeps_its_labels(tmp_path: Path):
    picture = write_picture(tmp_path / "a.jpg", *SIZE)
    record = Record("a", picture, NoDefect(), None)
    layout = Layout("coco", tmp_path, (record,), ("x", "y"), (picture,), (), ())
    labelling = read_labels(layout, load_params(tmp_path))
    assert labelling.class_map.index == {"x": 1, "y": 2}
    assert labelling.draw(record, SIZE).tolist() == [[0] * 4] * 2
