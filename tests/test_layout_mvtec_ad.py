"""layouts/mvtec_ad: pictures sorted by defect, masks in ground_truth/."""

from pathlib import Path

import numpy as np
import pytest

from broken_folders import BROKEN_MVTEC_AD, BROKEN_MVTEC_FAULTS, Break, write_mvtec
from conftest import mask, save_array, write_picture
from defectseg.data.faults import raise_faults
from defectseg.data.labels.label import MaskFile, NoDefect
from defectseg.data.layouts.mvtec_ad import MaskFolder, fits, read
from defectseg.data.tile import CLEAN
from defectseg.errors import DataError, LayoutError
from records import faults, pairs


def test_a_category_of_mvtec_ad_is_read(tmp_path: Path):
    write_mvtec(tmp_path, "test/good/0.png", "test/broken large/0.png", "test/cut/0.png")
    write_mvtec(tmp_path, "ground_truth/broken large/0_mask.png", "ground_truth/cut/0_mask.png")
    layout = read(tmp_path)
    assert (fits(tmp_path), layout.name, faults(layout)) == (True, "mvtec_ad", [])
    assert layout.labels == ("broken_large", "cut")
    assert pairs(layout) == {
        "test__broken_large__0": (
            "test/broken large/0.png",
            "ground_truth/broken large/0_mask.png",
        ),
        "test__cut__0": ("test/cut/0.png", "ground_truth/cut/0_mask.png"),
        "test__good__0": ("test/good/0.png", ""),
        "train__good__0": ("train/good/0.png", ""),
    }
    classes = [record.defect_class for record in layout.records]
    assert classes == ["broken_large", "cut", CLEAN, CLEAN]
    assert [type(record.label) for record in layout.records[2:]] == [NoDefect, NoDefect]
    assert (len(layout.files), layout.ignored) == (6, ())


def test_masks_may_have_the_name_of_the_picture(tmp_path: Path):
    write_mvtec(tmp_path, "test/bad/0.jpg", "ground_truth/bad/0.png")  # as VisA has them
    assert pairs(read(tmp_path))["test__bad__0"][1] == "ground_truth/bad/0.png"


def test_a_mask_of_a_good_picture_is_kept_to_be_checked(tmp_path: Path):
    write_mvtec(tmp_path, "test/good/0.png", "ground_truth/good/0_mask.png")
    label = {record.id: record.label for record in read(tmp_path).records}["test__good__0"]
    assert label == MaskFile(tmp_path / "ground_truth/good/0_mask.png")


def test_masks_are_of_test_pictures_and_not_of_those_of_train(tmp_path: Path):
    write_mvtec(tmp_path, "train/cut/0.png", "test/cut/0.png", "ground_truth/cut/0_mask.png")
    assert [fault.offender for fault in read(tmp_path).faults] == ["train/cut/0.png"]


def test_validation_pictures_are_read_and_others_are_ignored(tmp_path: Path):
    write_mvtec(tmp_path, "validation/good/0.png", "test/loose.png", "extra/cut/0.png")
    layout = read(tmp_path)
    assert list(pairs(layout)) == ["train__good__0", "validation__good__0"]
    assert layout.ignored == ("extra/cut/0.png", "test/loose.png")


def test_a_folder_of_masks_is_one_label_what_any_of_them_shows(tmp_path: Path):
    write_picture(tmp_path / "test/logical/7.png", 3, 2)
    write_picture(tmp_path / "test/good/7.png", 3, 2)
    save_array(tmp_path / "ground_truth/logical/7/000.png", mask("#.. ...") * np.uint8(250))
    save_array(tmp_path / "ground_truth/logical/7/001.png", mask("... .##") * np.uint8(40))
    layout = read(tmp_path)
    assert (faults(layout), layout.labels, len(layout.files)) == ([], ("logical",), 4)
    assert layout.ignored == ()
    record = layout.records[1]
    assert (record.id, record.defect_class) == ("test__logical__7", "logical")
    assert isinstance(record.label, MaskFolder)
    assert (record.label.names, record.label.size) == ({"logical"}, None)
    drawn = record.label.draw((3, 2), {"logical": 2})
    assert drawn.tolist() == [[2, 0, 0], [0, 2, 2]]
    with pytest.raises(DataError, match=r"7/000\.png is 3×2, the picture 2×3"):
        record.label.draw((2, 3), {"logical": 2})


def test_a_folder_of_masks_of_a_good_picture_is_kept_to_be_checked(tmp_path: Path):
    write_mvtec(tmp_path, "test/good/0.png", "ground_truth/good/0/000.png")
    label = {record.id: record.label for record in read(tmp_path).records}["test__good__0"]
    assert label == MaskFile(tmp_path / "ground_truth/good/0/000.png")


def test_a_folder_of_masks_without_a_picture_is_a_fault(tmp_path: Path):
    write_mvtec(tmp_path, "test/cut/0.png", "ground_truth/cut/0.png", "ground_truth/cut/1/000.png")
    assert [fault.offender for fault in read(tmp_path).faults] == ["ground_truth/cut/1/000.png"]


@pytest.mark.parametrize("folders", [["train/good"], ["test/good"], ["test", "masks"]])
def test_other_folders_are_no_mvtec_ad(folders: list[str], tmp_path: Path):
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    assert not fits(tmp_path)


@pytest.mark.parametrize("broken", BROKEN_MVTEC_AD, ids=lambda each: each[0])
def test_a_broken_category_is_refused(broken: Break, tmp_path: Path):
    _, write, message = broken
    write(tmp_path)
    with pytest.raises(LayoutError, match=message):
        read(tmp_path)


@pytest.mark.parametrize("broken", BROKEN_MVTEC_FAULTS, ids=lambda each: each[0])
def test_a_broken_pair_is_a_fault_and_leaves_its_picture_out(broken: Break, tmp_path: Path):
    _, write, message = broken
    write(tmp_path)
    layout = read(tmp_path)
    with pytest.raises(DataError, match=message):
        raise_faults(layout.faults)
    assert not {fault.picture for fault in layout.faults} & set(pairs(layout))
