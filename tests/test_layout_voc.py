"""layouts/voc: masks of Pascal VOC and of CVAT, with and without labelmap.txt."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import VOCSegmentation

from broken_voc import BROKEN_FILES, BROKEN_LABELS, Break
from conftest import save_array, write_picture
from defectseg.data.faults import FaultKind, raise_faults
from defectseg.data.labels.label import MaskFile
from defectseg.data.layouts.layout import Layout
from defectseg.data.layouts.voc import fits, read
from defectseg.data.picture import decode_mask
from defectseg.errors import DataError, LayoutError
from records import draw, faults, pairs
from voc_drawings import grey, list_pictures, palette, rgb, to_values, write_voc

INDEX = {"crack": 1, "dark_spot": 2}


def voids(layout: Layout) -> set[int | None]:
    return {record.label.void for record in layout.records if isinstance(record.label, MaskFile)}


def ids(layout: Layout) -> list[str]:
    return [record.id for record in layout.records]


def names(layout: Layout) -> dict[str, set[str]]:
    return {
        record.id: set(record.label.names)
        for record in layout.records
        if not isinstance(record.label, MaskFile)
    }


@pytest.mark.parametrize("image", [rgb("012v 2..1"), palette("012v 2..1"), grey("012v 2..1")])
def test_colours_palettes_and_grey_positions_say_the_same(image: Image.Image, tmp_path: Path):
    layout = read(write_voc(tmp_path, {"a": image, "b": grey("..")}))
    assert (fits(tmp_path), layout.name, faults(layout)) == (True, "voc", [])
    assert layout.labels == ("crack", "dark_spot")
    assert names(layout) == {"a": {"crack", "dark_spot"}, "b": set()}
    assert draw(layout, "a", INDEX) == [[0, 1, 2, 0], [2, 0, 0, 1]]
    assert draw(layout, "b", INDEX) == [[0, 0]]


def test_the_alpha_channel_of_a_mask_says_nothing(tmp_path: Path):
    clear = rgb("012").convert("RGBA")
    clear.putalpha(0)
    assert draw(read(write_voc(tmp_path, {"a": clear})), "a", INDEX) == [[0, 1, 2]]


def test_labels_that_are_ignored_or_merged_are_drawn_as_the_class_map_says(tmp_path: Path):
    layout = read(write_voc(tmp_path, {"a": rgb("012")}))
    assert draw(layout, "a", {"crack": 0, "dark_spot": 1}) == [[0, 0, 1]]


def test_a_mask_is_drawn_at_the_size_of_its_picture_only(tmp_path: Path):
    label = read(write_voc(tmp_path, {"a": rgb("012")})).records[0].label
    assert not isinstance(label, MaskFile)
    with pytest.raises(DataError, match="the mask is 3×1, the picture 4×1"):
        label.draw((4, 1), INDEX)


def test_a_mask_that_changes_after_it_was_read_is_refused_when_drawn(tmp_path: Path):
    layout = read(write_voc(tmp_path, {"a": rgb("012")}))
    rgb("013").save(tmp_path / "SegmentationClass/a.png")
    with pytest.raises(DataError, match=r"colours \(128, 128, 0\) are in no line"):
        draw(layout, "a", INDEX)


def test_without_a_label_map_indexes_are_bare_values_and_255_is_void(tmp_path: Path):
    layout = read(write_voc(tmp_path, {"a": palette("012v"), "b": grey("01")}, label_map=None))
    assert (layout.labels, voids(layout), faults(layout)) == (None, {255}, [])
    assert pairs(layout)["a"] == ("JPEGImages/a.jpg", "SegmentationClass/a.png")


@pytest.mark.parametrize(
    ("drawn", "reason"),
    [("0v", "binary"), ("00", "empty"), ("012", "indexes alone")],
)
def test_255_beside_no_class_index_is_not_void(drawn: str, reason: str, tmp_path: Path):
    assert voids(read(write_voc(tmp_path, {"a": grey(drawn)}, label_map=None))) == {None}


def test_255_among_the_greys_of_smooth_masks_is_not_void(tmp_path: Path):
    smooth = to_values("01v")
    smooth[0, 1] = 90
    image = Image.fromarray(smooth)
    assert voids(read(write_voc(tmp_path, {"a": image, "b": grey("01")}, None))) == {None}


def test_only_listed_pictures_are_used_whichever_list_names_them(tmp_path: Path):
    write_voc(tmp_path, {name: rgb("01") for name in ("a", "b", "c d", "e")})
    list_pictures(tmp_path, "train.txt", "a\n\n")
    list_pictures(tmp_path, "val.txt", '\ufeff"c d"\na\n')
    layout = read(tmp_path)
    assert (ids(layout), faults(layout)) == (["a", "c_d"], [])
    assert layout.ignored == (
        "JPEGImages/b.jpg",
        "JPEGImages/e.jpg",
        "SegmentationClass/b.png",
        "SegmentationClass/e.png",
    )
    assert [layout.relative(path) for path in layout.files] == [
        "ImageSets/Segmentation/train.txt",
        "ImageSets/Segmentation/val.txt",
        "JPEGImages/a.jpg",
        "JPEGImages/c d.jpg",
        "SegmentationClass/a.png",
        "SegmentationClass/c d.png",
        "labelmap.txt",
    ]


def test_a_listed_picture_without_a_mask_is_a_fault(tmp_path: Path):
    write_voc(tmp_path, {"a": rgb("01")})
    write_picture(tmp_path / "JPEGImages/b.jpg")
    list_pictures(tmp_path, "default.txt", "a\nb\nc\n")
    layout = read(tmp_path)
    assert faults(layout) == [
        (FaultKind.NO_MASK, "JPEGImages/b.jpg"),
        (FaultKind.NO_PICTURE, "ImageSets/Segmentation/default.txt, line 3: 'c'"),
    ]
    assert ids(layout) == ["a"]


def test_a_mask_named_mask_belongs_to_its_listed_picture(tmp_path: Path):
    write_picture(tmp_path / "JPEGImages/a.jpg", 2, 1)
    save_array(tmp_path / "SegmentationClass/a_mask.png", to_values("01"))
    list_pictures(tmp_path, "default.txt", "a\n")
    assert pairs(read(tmp_path)) == {"a": ("JPEGImages/a.jpg", "SegmentationClass/a_mask.png")}


@pytest.mark.parametrize("folder", ["images", "pictures", "jpegimages"])
def test_pictures_may_lie_in_other_folders_and_below_them(folder: str, tmp_path: Path):
    write_picture(tmp_path / folder / "day 1/a.png", 2, 1)
    save_array(tmp_path / "segmentationclass/day 1/a.png", to_values("01"))
    layout = read(tmp_path)
    assert ids(layout) == ["day_1__a"]


def test_masks_of_single_objects_are_not_read_nor_counted(tmp_path: Path):
    write_voc(tmp_path, {"a": rgb("01")})
    save_array(tmp_path / "SegmentationObject/a.png", to_values("01"))
    save_array(tmp_path / "cover.png", to_values("01"))
    layout = read(tmp_path)
    assert (layout.ignored, len(layout.files)) == (("cover.png",), 3)


def test_a_folder_without_class_masks_is_another_layout(tmp_path: Path):
    write_picture(tmp_path / "JPEGImages/a.jpg")
    save_array(tmp_path / "SegmentationObject/a.png", to_values("01"))
    assert not fits(tmp_path)


def test_torchvision_reads_the_same_pictures_and_masks(tmp_path: Path):
    root = tmp_path / "VOCdevkit" / "VOC2012"
    write_voc(root, {name: palette("012v 2..1") for name in ("a", "b", "c")}, label_map=None)
    list_pictures(root, "train.txt", "a\nc\n")
    theirs = VOCSegmentation(tmp_path, year="2012", image_set="train")
    ours = read(root)
    assert [str(record.picture) for record in ours.records] == theirs.images
    assert [str(record.label.path) for record in ours.records] == theirs.masks
    target = np.asarray(theirs[0][1])
    stored = decode_mask(ours.records[0].label.path.read_bytes())
    assert np.array_equal(stored, target)  # both keep the indexes, 255 being void
    assert voids(ours) == {255}


@pytest.mark.parametrize("broken", BROKEN_FILES, ids=lambda each: each[0])
def test_a_broken_data_set_is_refused(broken: Break, tmp_path: Path):
    _, write, message = broken
    write(tmp_path)
    with pytest.raises(LayoutError, match=message):
        read(tmp_path)


@pytest.mark.parametrize("broken", BROKEN_LABELS, ids=lambda each: each[0])
def test_a_broken_label_is_a_fault_and_leaves_its_picture_out(broken: Break, tmp_path: Path):
    _, write, message = broken
    write(tmp_path)
    layout = read(tmp_path)
    with pytest.raises(DataError, match=message):
        raise_faults(layout.faults)
    assert not {fault.picture for fault in layout.faults} & set(ids(layout))
