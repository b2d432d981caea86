"""Sources and params that do not fit each other: each with the message that it must get."""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from conftest import (
    mask,
    surface_params,
    write_class_folders,
    write_images_masks,
    write_mask,
    write_picture,
)

IMGS = "MT_Crack/Imgs"


def write_two_classes(root: Path) -> None:
    write_class_folders(root, {"MT_Free": ["f"], "MT_Crack": ["a", "b"], "MT_Blowhole": ["c"]})


def write_notes(root: Path, text: str) -> None:
    write_two_classes(root)
    (root / "pictures.csv").write_text(text)


def write_binary_notes(root: Path) -> None:
    write_two_classes(root)
    (root / "pictures.csv").write_bytes(b"\xff\xfe\0")


def write_same_id(root: Path) -> None:
    write_two_classes(root)
    write_picture(root / IMGS / "C.jpg")
    write_mask(root / IMGS / "C.png")


def write_deep(root: Path) -> None:
    write_mask(root / "masks/a.png")
    (root / "images").mkdir(parents=True)
    Image.fromarray(np.full((72, 80), 5000, np.uint16)).save(root / "images/a.png")


def write_frames(root: Path) -> None:
    write_two_classes(root)
    (root / IMGS / "a.jpg").unlink()
    frames = [Image.new("L", (80, 72), grey) for grey in (10, 20)]
    frames[0].save(root / IMGS / "a.tif", save_all=True, append_images=frames[1:])


def write_float(root: Path) -> None:
    write_two_classes(root)
    (root / IMGS / "a.jpg").unlink()
    Image.fromarray(np.full((72, 80), 0.5, np.float32)).save(root / IMGS / "a.tif")


def write_bomb(root: Path) -> None:
    """A PNG whose header claims 60000 × 60000 pixels."""
    write_two_classes(root)
    whole = (root / IMGS / "a.png").read_bytes()
    header = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + whole[24:29]
    check = zlib.crc32(header).to_bytes(4, "big")
    (root / IMGS / "a.png").write_bytes(whole[:12] + header + check + whole[33:])


def write_two_layouts(root: Path) -> None:
    write_class_folders(root / "one", {"MT_Crack": ["a"]})
    write_images_masks(root / "two", {"b": mask("#.", 40)})


def write_nested_archive(root: Path) -> None:
    root.mkdir()
    with zipfile.ZipFile(root / "set.zip", "w") as archive:
        archive.writestr("a.txt", "no picture")


# name, what writes the source, the changed params, the message
BROKEN: list[tuple[str, Callable[[Path], object], dict[str, Any], str]] = [
    ("nothing at all", lambda root: root.mkdir(), {}, "no known layout: found no folder"),
    (
        "an archive in a folder",
        write_nested_archive,
        {},
        "no known layout: found no folder and 0 pictures",
    ),
    ("two layouts", write_two_layouts, {}, r"more than one layout:\n  class_folders in one/"),
    (
        "another layout than asked for",
        write_two_classes,
        {"layout": "coco"},
        r"no known layout.*looked up to 3 folders deep for\n  coco: ",
    ),
    (
        "a class that params do not have",
        write_two_classes,
        {"classes": ("crack",)},
        r"labels \['blowhole'\] are in no class: data_load.classes is \['crack'\]",
    ),
    (
        "several classes that params do not have",
        write_two_classes,
        {"classes": ("dent",), "rename": {"crack": "chip"}},
        r"labels \['blowhole', 'crack'\] are in no class",
    ),
    (
        "every label ignored",
        write_two_classes,
        {"ignore": ("crack", "MT_Blowhole")},
        "no label that is drawn",
    ),
    (
        "a surface column without a file",
        write_two_classes,
        {"surfaces": surface_params(source="column")},
        r"there is no file .*pictures\.csv",
    ),
    (
        "a surface column that the file lacks",
        lambda root: write_notes(root, "picture,part\na.jpg,1\n"),
        {"surfaces": surface_params(source="column")},
        r"pictures\.csv needs one column 'surface'; columns found: 'picture', 'part'",
    ),
    (
        "pictures without a surface",
        lambda root: write_notes(root, "picture,surface\na.jpg,1\nf.jpg,2\n"),
        {"surfaces": surface_params(source="column")},
        rf"without a row in pictures\.csv \(2\):\n  {IMGS}/b\.jpg\n  MT_Blowhole/Imgs/c\.jpg",
    ),
    (
        "a picture listed twice",
        lambda root: write_notes(root, "picture,surface\na.jpg,1\na.jpg,2\n"),
        {},
        r"pictures\.csv has wrong rows \(1\):\n  line 3: 'a\.jpg' has a row already",
    ),
    (
        "a pictures.csv that is no text",
        write_binary_notes,
        {},
        r"pictures\.csv is no UTF-8 text",
    ),
    (
        "a regex that finds nothing in some paths",
        write_two_classes,
        {"surfaces": surface_params(source="regex", regex="part_([0-9]+)")},
        r"finds no surface \(4\)",
    ),
    (
        "more than bit_depth says",
        write_deep,
        {"bit_depth": 12},
        r"images/a\.png: .*5000",
    ),
    ("several frames", write_frames, {}, rf"{IMGS}/a\.tif: several frames"),
    ("32 bits a pixel", write_float, {}, rf"{IMGS}/a\.tif: 32-bit or signed picture"),
    ("a decompression bomb", write_bomb, {}, rf"{IMGS}/a\.png: more than 100000000 pixels"),
    (
        "two pictures whose names differ in case",
        write_same_id,
        {},
        r"two pictures with one id \(1\)",
    ),
    (
        "a mask value beyond the classes",
        lambda root: write_images_masks(root, {"a": mask("12", 40), "b": mask("4.", 40)}),
        {"classes": ("crack", "dent")},
        r"unknown mask values \(1\):\n  masks/b\.png: values 0, 4; expected 0\.\.2",
    ),
    (
        "binary masks for two classes",
        lambda root: write_images_masks(root, {"a": mask("#.", 40) * 255}),
        {"classes": ("crack", "dent")},
        "the masks are binary, but 2 labels are named: crack, dent",
    ),
]
