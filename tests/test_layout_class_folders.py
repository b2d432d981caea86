"""layouts/class_folders: a folder per class, each picture with its mask beside it."""

from pathlib import Path

import pytest

from broken_folders import BROKEN_CLASS_FOLDERS, Break
from conftest import write_class_folders
from defectseg.data.faults import FaultKind
from defectseg.data.labels.label import NoDefect
from defectseg.data.layouts.class_folders import fits, read
from defectseg.data.tile import CLEAN
from defectseg.errors import LayoutError
from records import faults, pairs, touch


def test_class_folders_of_the_magnetic_tiles_are_read(class_folders: Path):
    layout = read(class_folders)
    assert (fits(class_folders), layout.name) == (True, "class_folders")
    assert pairs(layout)["c1"] == ("MT_Crack/Imgs/c1.jpg", "MT_Crack/Imgs/c1.png")
    classes = {record.id: record.defect_class for record in layout.records}
    assert classes == {"b1": "blowhole", "c1": "crack", "c2": "crack", "f1": CLEAN, "f2": CLEAN}
    assert layout.labels == ("blowhole", "crack")
    assert faults(layout) == []


def test_class_folders_without_imgs_are_read(tmp_path: Path):
    touch(tmp_path, "scratch/a.bmp", "scratch/a.png")
    assert fits(tmp_path)
    assert pairs(read(tmp_path)) == {"a": ("scratch/a.bmp", "scratch/a.png")}


def test_a_picture_in_a_clean_folder_needs_no_mask(tmp_path: Path):
    touch(tmp_path, "good/g.jpg", "dent/d.jpg", "dent/d.png", "dent/e.jpg")
    layout = read(tmp_path)
    assert faults(layout) == [(FaultKind.NO_MASK, "dent/e.jpg")]
    labels = {record.id: type(record.label) for record in layout.records}
    assert labels["g"] is NoDefect
    assert sorted(labels) == ["d", "g"]


def test_pictures_beside_the_class_folders_are_ignored(class_folders: Path):
    touch(class_folders, "dataset.jpg", "dataset.png", "README.md")
    layout = read(class_folders)
    assert "dataset" not in pairs(layout)
    assert layout.ignored == ("dataset.jpg", "dataset.png")
    assert len(layout.files) == 10


def test_a_png_with_a_named_mask_is_a_picture(tmp_path: Path):
    layout = read(touch(tmp_path, "crack/a.png", "crack/a_mask.png"))
    assert pairs(layout) == {"a": ("crack/a.png", "crack/a_mask.png")}


def test_a_lone_png_is_a_mask_unless_masks_are_named_in_that_folder(tmp_path: Path):
    touch(tmp_path, "one/a.jpg", "one/a.png", "one/lone.png")
    touch(tmp_path, "two/b.png", "two/b_mask.png", "two/single.png")
    layout = read(tmp_path)
    assert faults(layout) == [
        (FaultKind.NO_PICTURE, "one/lone.png"),
        (FaultKind.NO_MASK, "two/single.png"),
    ]
    assert sorted(pairs(layout)) == ["a", "b"]


def test_one_id_in_two_class_folders_is_a_fault_that_names_both(class_folders: Path):
    layout = read(write_class_folders(class_folders, {"MT_Fray": ["c1"]}))
    both = "MT_Crack/Imgs/c1.jpg and MT_Fray/Imgs/c1.jpg"
    assert faults(layout) == [(FaultKind.SAME_ID, both)]
    assert "c1" not in pairs(layout)


def test_two_folders_of_one_class_are_that_class(tmp_path: Path):
    touch(tmp_path, "Dark spot/a.jpg", "Dark spot/a.png", "dark_spot/b.jpg", "dark_spot/b.png")
    layout = read(tmp_path)
    assert layout.labels == ("dark_spot",)
    assert {record.defect_class for record in layout.records} == {"dark_spot"}


def test_the_classes_are_sorted_by_name(tmp_path: Path):
    touch(tmp_path, *(f"{name}/{name}{end}" for name in "fbdaec" for end in (".jpg", ".png")))
    assert read(tmp_path).labels == tuple("abcdef")


def test_hidden_files_and_those_of_macos_do_not_count(class_folders: Path):
    touch(class_folders, "MT_Crack/Imgs/._c1.jpg", "__MACOSX/MT_Crack/._c1.jpg", ".git/x.png")
    layout = read(class_folders)
    assert (faults(layout), layout.ignored, len(layout.files)) == ([], (), 10)


def test_pictures_without_any_mask_are_no_class_folders(tmp_path: Path):
    assert not fits(touch(tmp_path, "holiday/a.jpg", "holiday/b.jpg", "work/c.jpg"))


@pytest.mark.parametrize("broken", BROKEN_CLASS_FOLDERS, ids=lambda each: each[0])
def test_broken_class_folders_are_refused(broken: Break, tmp_path: Path):
    _, write, message = broken
    write(tmp_path)
    with pytest.raises(LayoutError, match=message):
        read(tmp_path)
