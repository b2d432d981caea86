"""layouts/images_masks: pictures in images/, masks of the same paths in masks/."""

import json
from pathlib import Path

import pytest

from broken_folders import BROKEN_IMAGES_MASKS, Break
from conftest import mask, write_images_masks, write_mask, write_picture
from defectseg.data.faults import FaultKind
from defectseg.data.layouts.images_masks import fits, read, read_several
from defectseg.errors import LayoutError
from records import faults, pairs, touch


def test_images_and_masks_are_paired_by_their_paths(tmp_path: Path):
    write_images_masks(tmp_path, {"a": mask(".#"), "line 1/day/b.x": mask(".#")})
    write_picture(tmp_path / "images/c.bmp")
    write_mask(tmp_path / "masks/c_mask.png")
    layout = read(tmp_path)
    assert (fits(tmp_path), layout.name, layout.labels) == (True, "images_masks", None)
    assert pairs(layout) == {
        "a": ("images/a.jpg", "masks/a.png"),
        "c": ("images/c.bmp", "masks/c_mask.png"),
        "line_1__day__b.x": ("images/line 1/day/b.x.jpg", "masks/line 1/day/b.x.png"),
    }
    assert [record.defect_class for record in layout.records] == [None] * 3


def test_hundreds_of_pictures_in_nested_folders_are_paired(tmp_path: Path):
    names = [f"line{k % 4}/day{k % 50}/{k:04d}" for k in range(400)]
    touch(tmp_path, *(f"images/{name}.jpg" for name in names))
    touch(tmp_path, *(f"masks/{name}.png" for name in names))
    layout = read(tmp_path)
    assert (len(layout.records), len(layout.files), layout.faults) == (400, 800, ())
    assert pairs(layout)["line3__day7__0307"][1] == "masks/line3/day7/0307.png"


def test_a_mask_of_the_very_name_wins_over_the_ending(tmp_path: Path):
    touch(tmp_path, "images/a.jpg", "images/a_mask.jpg", "masks/a.png", "masks/a_mask.png")
    assert pairs(read(tmp_path))["a_mask"][1] == "masks/a_mask.png"


def test_pictures_without_a_mask_and_masks_without_a_picture_are_faults(tmp_path: Path):
    touch(tmp_path, "images/a.jpg", "images/x/b.jpg", "masks/a.png", "masks/b.png")
    layout = read(tmp_path)
    assert faults(layout) == [
        (FaultKind.NO_PICTURE, "masks/b.png"),
        (FaultKind.NO_MASK, "images/x/b.jpg"),
    ]
    assert [fault.picture for fault in layout.faults] == ["", "x__b"]


def test_two_masks_of_one_picture_are_a_fault(tmp_path: Path):
    touch(tmp_path, "images/a.jpg", "masks/a.png", "masks/a_mask.png")
    layout = read(tmp_path)
    assert faults(layout) == [
        (FaultKind.TWO_MASKS, "images/a.jpg: masks/a.png and masks/a_mask.png")
    ]
    assert layout.records == ()


@pytest.mark.parametrize("twin", ["images/a.bmp", "images/A.jpg"])
def test_one_id_with_two_endings_or_in_two_cases_is_a_fault(twin: str, tmp_path: Path):
    touch(tmp_path, "images/a.jpg", twin, "masks/a.png", "masks/A.png")
    expected = (FaultKind.SAME_ID, " and ".join(sorted(["images/a.jpg", twin])))
    assert expected in faults(read(tmp_path))


def test_a_link_to_the_folder_above_does_not_go_round_for_ever(tmp_path: Path):
    touch(tmp_path, "images/a.jpg", "masks/a.png")
    (tmp_path / "images" / "again").symlink_to(tmp_path / "images")
    layout = read(tmp_path)
    assert (list(pairs(layout)), faults(layout)) == (["a"], [])


def test_a_list_of_classes_names_the_mask_values_in_its_order(tmp_path: Path):
    write_images_masks(tmp_path, {"a": mask(".#")})
    (tmp_path / "classes.json").write_text('["MT_Crack", "Dark spot"]')
    layout = read(tmp_path)
    assert layout.labels == ("crack", "dark_spot")
    assert tmp_path / "classes.json" in layout.files  # another list is another digest


def test_several_pairs_of_folders_are_one_data_set(tmp_path: Path):
    for part in ("train", "valid"):
        write_images_masks(tmp_path / part, {"a": mask(".#")})
        (tmp_path / part / "classes.json").write_text(json.dumps(["crack"]))
    layout = read_several(tmp_path, [tmp_path / "train", tmp_path / "valid"])
    assert pairs(layout) == {
        "train__a": ("train/images/a.jpg", "train/masks/a.png"),
        "valid__a": ("valid/images/a.jpg", "valid/masks/a.png"),
    }
    assert (layout.labels, len(layout.files)) == (("crack",), 6)


def test_a_list_of_classes_above_several_pairs_counts_for_all(tmp_path: Path):
    for part in ("train", "valid"):
        write_images_masks(tmp_path / part, {"a": mask(".#")})
    (tmp_path / "classes.json").write_text('["crack"]')
    assert read_several(tmp_path, [tmp_path / "train", tmp_path / "valid"]).labels == ("crack",)


def test_lists_of_classes_that_contradict_each_other_are_an_error(tmp_path: Path):
    for part, name in (("train", "crack"), ("valid", "dent")):
        write_images_masks(tmp_path / part, {"a": mask(".#")})
        (tmp_path / part / "classes.json").write_text(json.dumps([name]))
    with pytest.raises(LayoutError, match=r"several classes\.json contradict each other"):
        read_several(tmp_path, [tmp_path / "train", tmp_path / "valid"])


@pytest.mark.parametrize("broken", BROKEN_IMAGES_MASKS, ids=lambda each: each[0])
def test_broken_images_and_masks_are_refused(broken: Break, tmp_path: Path):
    _, write, message = broken
    write(tmp_path)
    with pytest.raises(LayoutError, match=message):
        read(tmp_path)
