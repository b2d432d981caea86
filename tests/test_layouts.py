"""layouts: which layout a folder has, and which pictures and masks belong together."""

from pathlib import Path

import pytest

from conftest import mask, write_class_folders, write_images_masks, write_mask, write_picture
from defectseg.data.faults import FaultKind
from defectseg.data.layouts import Layout, find_layout, to_class
from defectseg.data.pairing import to_id
from defectseg.data.tile import CLEAN
from defectseg.errors import LayoutError


def pairs(layout: Layout) -> dict[str, tuple[str, str]]:
    """Picture and mask of each id, relative to the layout's root."""
    return {
        record.id: (layout.relative(record.picture), layout.relative(record.mask))
        for record in layout.records
    }


def faults(layout: Layout) -> list[tuple[FaultKind, str]]:
    return [(fault.kind, fault.offender) for fault in layout.faults]


def touch(folder: Path, *names: str) -> Path:
    """Files of these names; a layout is recognised by names alone."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_class_folders_of_the_magnetic_tiles_are_recognised(class_folders: Path):
    layout = find_layout(class_folders, "auto")
    assert layout.name == "class_folders"
    assert pairs(layout)["c1"] == ("MT_Crack/Imgs/c1.jpg", "MT_Crack/Imgs/c1.png")
    classes = {record.id: record.defect_class for record in layout.records}
    assert classes == {"b1": "blowhole", "c1": "crack", "c2": "crack", "f1": CLEAN, "f2": CLEAN}
    assert faults(layout) == []


def test_class_folders_without_imgs_are_recognised(tmp_path: Path):
    layout = find_layout(touch(tmp_path, "scratch/a.bmp", "scratch/a.png"), "auto")
    assert pairs(layout) == {"a": ("scratch/a.bmp", "scratch/a.png")}


def test_pictures_beside_the_class_folders_are_no_tiles(class_folders: Path, tmp_path: Path):
    top = tmp_path / "archive" / "master"
    top.parent.mkdir()
    class_folders.rename(top)
    touch(top, "dataset.jpg", "dataset.png", "README.md")
    layout = find_layout(tmp_path / "archive", "auto")
    assert layout.root == top
    assert "dataset" not in pairs(layout)
    assert layout.ignored == ("dataset.jpg", "dataset.png")
    assert len(layout.files) == 10


def test_a_png_with_a_named_mask_is_a_picture(tmp_path: Path):
    layout = find_layout(touch(tmp_path, "crack/a.png", "crack/a_mask.png"), "auto")
    assert pairs(layout) == {"a": ("crack/a.png", "crack/a_mask.png")}


def test_a_lone_png_is_a_mask_unless_masks_are_named_in_that_folder(tmp_path: Path):
    touch(tmp_path, "one/a.jpg", "one/a.png", "one/lone.png")
    touch(tmp_path, "two/b.png", "two/b_mask.png", "two/single.png")
    layout = find_layout(tmp_path, "auto")
    assert faults(layout) == [
        (FaultKind.NO_PICTURE, "one/lone.png"),
        (FaultKind.NO_MASK, "two/single.png"),
    ]
    assert sorted(pairs(layout)) == ["a", "b"]


def test_images_and_masks_are_paired_by_stem_in_equal_sub_folders(tmp_path: Path):
    write_images_masks(tmp_path, {"a": mask(".#"), "line 1/day/b.x": mask(".#")})
    write_picture(tmp_path / "images/c.bmp")
    write_mask(tmp_path / "masks/c_mask.png")
    layout = find_layout(tmp_path, "auto")
    assert pairs(layout) == {
        "a": ("images/a.jpg", "masks/a.png"),
        "c": ("images/c.bmp", "masks/c_mask.png"),
        "line_1__day__b.x": ("images/line 1/day/b.x.jpg", "masks/line 1/day/b.x.png"),
    }
    assert [record.defect_class for record in layout.records] == [None] * 3


def test_a_mask_of_the_very_name_wins_over_the_ending(tmp_path: Path):
    touch(tmp_path, "images/a.jpg", "images/a_mask.jpg", "masks/a.png", "masks/a_mask.png")
    assert pairs(find_layout(tmp_path, "auto"))["a_mask"][1] == "masks/a_mask.png"


def test_pictures_without_a_mask_and_masks_without_a_picture_are_faults(tmp_path: Path):
    touch(tmp_path, "images/a.jpg", "images/x/b.jpg", "masks/a.png", "masks/b.png")
    assert faults(find_layout(tmp_path, "auto")) == [
        (FaultKind.NO_PICTURE, "masks/b.png"),
        (FaultKind.NO_MASK, "images/x/b.jpg"),
    ]


def test_two_masks_of_one_picture_are_a_fault(tmp_path: Path):
    touch(tmp_path, "images/a.jpg", "masks/a.png", "masks/a_mask.png")
    assert faults(find_layout(tmp_path, "auto")) == [
        (FaultKind.TWO_MASKS, "images/a.jpg: masks/a.png and masks/a_mask.png")
    ]


def test_one_id_in_two_class_folders_is_a_fault_that_names_both(class_folders: Path):
    write_class_folders(class_folders, {"MT_Fray": ["c1"]})
    layout = find_layout(class_folders, "auto")
    both = "MT_Crack/Imgs/c1.jpg and MT_Fray/Imgs/c1.jpg"
    assert faults(layout) == [(FaultKind.SAME_ID, both)]
    assert "c1" not in pairs(layout)


@pytest.mark.parametrize("twin", ["images/a.bmp", "images/A.jpg"])
def test_one_id_with_two_endings_or_in_two_cases_is_a_fault(twin: str, tmp_path: Path):
    touch(tmp_path, "images/a.jpg", twin, "masks/a.png", "masks/A.png")
    expected = (FaultKind.SAME_ID, " and ".join(sorted(["images/a.jpg", twin])))
    assert expected in faults(find_layout(tmp_path, "auto"))


def test_hidden_files_and_those_of_macos_do_not_count(class_folders: Path):
    touch(class_folders, "MT_Crack/Imgs/._c1.jpg", "__MACOSX/MT_Crack/._c1.jpg", ".git/x.png")
    layout = find_layout(class_folders, "auto")
    assert (faults(layout), layout.ignored, len(layout.files)) == ([], (), 10)


def test_a_link_to_the_folder_above_does_not_go_round_for_ever(tmp_path: Path):
    touch(tmp_path, "images/a.jpg", "masks/a.png")
    (tmp_path / "images" / "again").symlink_to(tmp_path / "images")
    layout = find_layout(tmp_path, "auto")
    assert (list(pairs(layout)), faults(layout)) == (["a"], [])


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_layout_may_lie_some_folders_deeper(depth: int, tmp_path: Path):
    root = tmp_path.joinpath(*["top"] * depth)
    write_images_masks(root, {"a": mask(".#")})
    assert find_layout(tmp_path, "auto").root == root


def test_an_empty_folder_has_no_layout(tmp_path: Path):
    with pytest.raises(LayoutError, match="found no folder and 0 pictures"):
        find_layout(tmp_path, "auto")


def test_images_and_masks_without_a_file_are_an_error(tmp_path: Path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(LayoutError, match="images_masks was found, but it holds no picture"):
        find_layout(tmp_path, "auto")


def test_an_unknown_layout_is_an_error_that_says_what_was_found_and_what_is_known(tmp_path: Path):
    touch(tmp_path, "test/broken/000.png", "ground_truth/broken/000_mask.png")
    with pytest.raises(LayoutError) as caught:
        find_layout(tmp_path, "auto")
    message = str(caught.value)
    assert "no known layout: found ground_truth/, test/ and 2 pictures" in message
    assert "class_folders: <Class>/Imgs/<id>.jpg" in message
    assert "images_masks: images/<id>.jpg" in message


def test_one_class_folder_alone_is_no_layout(class_folders: Path):
    with pytest.raises(LayoutError, match="no known layout: found Imgs/"):
        find_layout(class_folders / "MT_Crack", "auto")


def test_two_places_with_a_layout_are_an_error_that_names_both(tmp_path: Path):
    write_images_masks(tmp_path / "train", {"a": mask(".#")})
    write_images_masks(tmp_path / "test", {"b": mask(".#")})
    with pytest.raises(LayoutError, match=r"layout:\n  images_masks in test/\n.* in train/"):
        find_layout(tmp_path, "auto")


def test_a_named_layout_settles_which_of_two_is_meant(class_folders: Path):
    write_images_masks(class_folders, {"a": mask(".#")})
    with pytest.raises(LayoutError, match=r"more than one layout(.|\n)*Set data_load\.layout"):
        find_layout(class_folders, "auto")
    assert list(pairs(find_layout(class_folders, "images_masks"))) == ["a"]


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("MT_Blowhole", "blowhole"), ("Oil spot (2)", "oil_spot_2"), ("no defect", CLEAN)]
    + [(name, CLEAN) for name in ("MT_Free", "good", "OK", "Clean", "normal", "no_defect")],
)
def test_the_name_of_a_folder_says_the_class(folder: str, expected: str):
    assert to_class(folder) == expected


def test_a_folder_name_without_a_letter_is_an_error():
    with pytest.raises(LayoutError, match="gives no class name"):
        to_class("裂纹")


def test_an_id_has_no_characters_that_trouble_paths():
    assert to_id("Linie 3/Stück:1.a") == "Linie_3__Stück_1.a"
