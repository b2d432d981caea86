"""Broken data sets in folders: class folders, images/ and masks/, MVTec AD."""

from collections.abc import Callable
from pathlib import Path

from conftest import mask, save_array, write_images_masks, write_mask, write_picture
from records import touch

Break = tuple[str, Callable[[Path], object], str]  # name, what writes it, the message (regex)


def write_classes(root: Path, content: bytes) -> None:
    """images/, masks/ and a classes.json of this content."""
    write_images_masks(root, {"a": mask(".#")})
    (root / "classes.json").write_bytes(content)


def write_mvtec(root: Path, *names: str) -> Path:
    """A good picture, and pictures and masks of these names."""
    for name in ("train/good/0.png", *names):
        write = write_mask if name.startswith("ground_truth") else write_picture
        write(root / name)
    return root


BROKEN_CLASS_FOLDERS: list[Break] = [
    (
        "a class folder whose name has no letter",
        lambda root: touch(root, "裂纹/a.jpg", "裂纹/a.png"),
        "'裂纹' gives no class name; use letters a-z and digits",
    ),
    (
        "a class folder of punctuation beside a good one",
        lambda root: touch(root, "dent/a.jpg", "dent/a.png", "---/b.jpg", "---/b.png"),
        "'---' gives no class name",
    ),
]
BROKEN_IMAGES_MASKS: list[Break] = [
    (
        "classes.json is no JSON",
        lambda root: write_classes(root, b"crack, dent"),
        r"classes\.json cannot be read: .*expected a list",
    ),
    (
        "classes.json is no UTF-8",
        lambda root: write_classes(root, b'["cr\xe4ck"]'),
        r"classes\.json cannot be read: .*expected a list",
    ),
    (
        "classes.json is nested without end",
        lambda root: write_classes(root, b"[" * 100_000),
        r"classes\.json cannot be read",
    ),
    (
        "classes.json is a table",
        lambda root: write_classes(root, b'{"1": "crack"}'),
        r"classes\.json is no list of names; expected the labels of values 1\.\.K",
    ),
    (
        "classes.json holds numbers",
        lambda root: write_classes(root, b"[1, 2]"),
        r"classes\.json is no list of names",
    ),
    (
        "classes.json names the background",
        lambda root: write_classes(root, b'["background", "crack"]'),
        r"classes\.json names \['clean', 'crack'\]: each once, and without background",
    ),
    (
        "classes.json names a class twice",
        lambda root: write_classes(root, b'["Dark spot", "dark-spot"]'),
        r"classes\.json names \['dark_spot', 'dark_spot'\]: each once",
    ),
    (
        "classes.json has a name without a letter",
        lambda root: write_classes(root, b'["?"]'),
        r"'\?' gives no class name",
    ),
]
BROKEN_MVTEC_AD: list[Break] = [
    (
        "a defect folder whose name has no letter",
        lambda root: write_mvtec(root, "test/!/0.png", "ground_truth/!/0_mask.png"),
        "'!' gives no class name",
    ),
]
BROKEN_MVTEC_FAULTS: list[Break] = [  # of the layout: they are found together
    (
        "a defect picture without its mask",
        lambda root: write_mvtec(
            root, "test/cut/0.png", "test/cut/1.png", "ground_truth/cut/0.png"
        ),
        r"pictures without a mask \(1\):\n  test/cut/1\.png",
    ),
    (
        "a mask without its picture",
        lambda root: write_mvtec(root, "test/cut/0.png", "ground_truth/cut/1_mask.png"),
        r"masks without a picture \(1\):\n  ground_truth/cut/1_mask\.png",
    ),
    (
        "a folder of masks without a folder of pictures",
        lambda root: write_mvtec(root, "test/cut/0.png", "ground_truth/Cut/0_mask.png"),
        r"masks without a picture \(1\):\n  ground_truth/Cut/0_mask\.png",
    ),
    (
        "two masks of one picture",
        lambda root: write_mvtec(
            root, "test/cut/0.png", "ground_truth/cut/0.png", "ground_truth/cut/0_mask.png"
        ),
        r"pictures with two masks \(1\):\n  test/cut/0\.png",
    ),
    (
        "a picture in two formats",
        lambda root: write_mvtec(
            root, "test/cut/0.png", "test/cut/0.bmp", "ground_truth/cut/0_mask.png"
        ),
        r"two pictures with one id \(1\):\n  test/cut/0\.bmp and test/cut/0\.png",
    ),
]
BROKEN_MASKS: list[Break] = [  # found when the masks are read
    (
        "a mask of colours in images/ and masks/",
        lambda root: save_array(
            write_images_masks(root, {"a": mask(".#"), "b": mask(".#")}) / "masks/b.png",
            mask(".#")[..., None].repeat(3, axis=2),
        ),
        r"unreadable pictures or masks \(1\):\n  masks/b\.png: mask of mode RGB; expected 8-bit",
    ),
]
BROKEN: list[Break] = [
    *BROKEN_CLASS_FOLDERS,
    *BROKEN_IMAGES_MASKS,
    *BROKEN_MVTEC_AD,
    *BROKEN_MVTEC_FAULTS,
    *BROKEN_MASKS,
]
