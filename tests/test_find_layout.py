"""layouts/find: which layout a folder has, where it lies, and what is said if there is none."""

from pathlib import Path

import pytest

from conftest import mask, save_array, write_images_masks
from defectseg.data.layouts.find import find_layout
from defectseg.errors import LayoutError
from records import pairs, touch


def test_the_layout_of_the_magnetic_tiles_is_recognised(class_folders: Path):
    assert find_layout(class_folders, "auto").name == "class_folders"


def test_images_and_masks_are_recognised(tmp_path: Path):
    write_images_masks(tmp_path, {"a": mask(".#")})
    assert find_layout(tmp_path, "auto").name == "images_masks"


def test_pascal_voc_is_recognised(tmp_path: Path):
    save_array(tmp_path / "VOC2012/SegmentationClass/a.png", mask(".#"))
    save_array(tmp_path / "VOC2012/JPEGImages/a.jpg", mask(".#"))
    layout = find_layout(tmp_path, "auto")
    assert (layout.name, layout.root) == ("voc", tmp_path / "VOC2012")


def test_mvtec_ad_is_recognised(tmp_path: Path):
    touch(tmp_path, "bottle/train/good/000.png", "bottle/test/broken/000.png")
    touch(tmp_path, "bottle/ground_truth/broken/000_mask.png")
    layout = find_layout(tmp_path, "auto")
    assert (layout.name, layout.root) == ("mvtec_ad", tmp_path / "bottle")


def test_several_categories_of_mvtec_ad_are_an_error_that_says_to_choose_one(tmp_path: Path):
    for category in ("bottle", "cable"):
        touch(tmp_path, f"{category}/test/good/0.png", f"{category}/ground_truth/cut/0_mask.png")
    with pytest.raises(LayoutError) as caught:
        find_layout(tmp_path, "auto")
    assert str(caught.value) == (
        "more than one layout:\n  mvtec_ad in bottle/\n  mvtec_ad in cable/\n"
        "Set data_load.layout, or point data_load.source at one of these folders."
    )


def test_several_pairs_of_images_and_masks_are_one_data_set(tmp_path: Path):
    write_images_masks(tmp_path / "train", {"a": mask(".#")})
    write_images_masks(tmp_path / "test", {"a": mask(".#")})
    layout = find_layout(tmp_path, "auto")
    assert (layout.root, sorted(pairs(layout))) == (tmp_path, ["test__a", "train__a"])


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_layout_may_lie_some_folders_deeper(depth: int, tmp_path: Path):
    root = tmp_path.joinpath(*["top"] * depth)
    write_images_masks(root, {"a": mask(".#")})
    assert find_layout(tmp_path, "auto").root == root


def test_a_layout_may_not_lie_four_folders_deeper(tmp_path: Path):
    write_images_masks(tmp_path / "a/b/c/d", {"a": mask(".#")})
    with pytest.raises(LayoutError, match="looked up to 3 folders deep"):
        find_layout(tmp_path, "auto")


def test_an_empty_folder_has_no_layout(tmp_path: Path):
    with pytest.raises(LayoutError, match="found no folder and 0 pictures"):
        find_layout(tmp_path, "auto")


def test_images_and_masks_without_a_file_are_an_error(tmp_path: Path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(LayoutError, match="images_masks was found, but it holds no picture"):
        find_layout(tmp_path, "auto")


def test_an_unknown_layout_is_an_error_that_says_what_was_found_and_what_is_known(tmp_path: Path):
    touch(tmp_path, "pictures/000.png", "annotations/000.png")
    with pytest.raises(LayoutError) as caught:
        find_layout(tmp_path, "auto")
    message = str(caught.value)
    assert "no known layout: found annotations/, pictures/ and 2 pictures" in message
    assert "class_folders: <Class>/Imgs/<id>.jpg" in message
    assert "images_masks: images/<id>.jpg" in message
    assert "voc: SegmentationClass/<id>.png" in message
    assert "mvtec_ad: train/good/" in message


def test_one_class_folder_alone_is_no_layout(class_folders: Path):
    with pytest.raises(LayoutError, match="no known layout: found Imgs/"):
        find_layout(class_folders / "MT_Crack", "auto")


def test_a_named_layout_settles_which_of_two_is_meant(class_folders: Path):
    write_images_masks(class_folders, {"a": mask(".#")})
    with pytest.raises(LayoutError, match=r"more than one layout(.|\n)*Set data_load\.layout"):
        find_layout(class_folders, "auto")
    assert list(pairs(find_layout(class_folders, "images_masks"))) == ["a"]


def test_the_digest_of_a_layout_does_not_depend_on_the_order_of_the_disk(tmp_path: Path):
    for name, keys in (("one", "abcd"), ("two", "dcba")):
        for key in keys:
            write_images_masks(tmp_path / name, {key: mask(".#")})
    one, two = (find_layout(tmp_path / name, "auto") for name in ("one", "two"))
    assert [one.relative(path) for path in one.files] == [two.relative(path) for path in two.files]
    assert list(pairs(one).items()) == list(pairs(two).items())
