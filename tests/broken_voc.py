"""Broken data sets in the layout of Pascal VOC and CVAT's segmentation masks."""

from collections.abc import Callable
from pathlib import Path

from conftest import save_array, write_picture
from voc_drawings import LABEL_MAP, grey, list_pictures, rgb, to_values, write_voc

Break = tuple[str, Callable[[Path], object], str]  # name, what writes it, the message (regex)


def write_listed(root: Path, content: str) -> None:
    """One picture, and a list of this content."""
    write_voc(root, {"a": rgb("01")})
    list_pictures(root, "train.txt", content)


def write_damaged(root: Path) -> None:
    """A good pair and one whose mask ends in the middle."""
    write_voc(root, {"a": rgb("01"), "b": rgb("12 21")})
    path = root / "SegmentationClass/b.png"
    path.write_bytes(path.read_bytes()[:45])


def write_list_of_bytes(root: Path) -> None:
    """A list in Latin-1."""
    write_listed(root, "")
    (root / "ImageSets/Segmentation/train.txt").write_bytes(b"St\xfcck")


def with_line(line: str | bytes) -> Callable[[Path], object]:
    """One picture, and labelmap.txt with one more line."""
    more = line if isinstance(line, bytes) else line.encode()
    return lambda root: write_voc(root, {"a": rgb("01")}, LABEL_MAP.encode() + more)


BROKEN_FILES: list[Break] = [  # nothing can be read
    (
        "masks of CVAT without the pictures",
        lambda root: save_array(root / "SegmentationClass/a.png", to_values("01")),
        "SegmentationClass/ has no pictures beside it: expected JPEGImages/",
    ),
    (
        "a label map with a colour of two numbers",
        with_line("dent:1,2::"),
        r"labelmap\.txt: expected lines label:r,g,b::\n  line 5: 'dent:1,2::' has the colour '1,2'",
    ),
    (
        "a label map with a colour above 255",
        with_line("dent:1,2,256::"),
        "has the colour '1,2,256'; expected three numbers 0..255",
    ),
    (
        "a label map with two labels of one colour",
        with_line("dent:128,0,0::\nscratch:128,0,0::"),
        r"line 5: 'dent:128,0,0::' has the colour of crack\n  line 6: .* has the colour of crack",
    ),
    (
        "a label map with a name without a letter",
        with_line("裂纹:1,2,3::"),
        "line 5: '裂纹:1,2,3::' '裂纹' gives no class name",
    ),
    (
        "a label map of the background alone",
        lambda root: write_voc(root, {"a": rgb("00")}, "background:0,0,0::\n"),
        r"labelmap\.txt has 0 labels; expected 1 to 254",
    ),
    (
        "an empty label map",
        lambda root: write_voc(root, {"a": rgb("00")}, ""),
        r"labelmap\.txt has 0 labels; expected 1 to 254",
    ),
    (
        "a label map of too many labels",
        with_line("".join(f"d{k}:{k % 200},7,{k // 200}::\n" for k in range(400))),
        r"labelmap\.txt has 402 labels; expected 1 to 254",
    ),
    (
        "a label map of a megabyte",
        with_line("#" * 1_000_000),
        r"labelmap\.txt has more than 1000000 bytes",
    ),
    (
        "a label map that is no UTF-8",
        with_line(b"St\xfcck:1,2,3::"),
        r"labelmap\.txt is no UTF-8 text: .*save it as UTF-8",
    ),
    (
        "lists that name nothing",
        lambda root: write_listed(root, "\n \n"),
        "the lists in ImageSets/Segmentation/ name no picture; remove them",
    ),
    (
        "lists of other pictures",
        lambda root: write_listed(root, "../../etc/passwd\nb\n"),
        r"no picture has a name of the lists .* such as '\.\./\.\./etc/passwd'",
    ),
    (
        "a list that is no UTF-8",
        write_list_of_bytes,
        r"ImageSets/Segmentation/train\.txt is no readable UTF-8 text",
    ),
]
BROKEN_LABELS: list[Break] = [  # faults of single masks
    (
        "a colour that has no label",
        lambda root: write_voc(root, {"a": rgb("01"), "b": rgb("13")}),
        r"labels that cannot be drawn \(1\):\n  SegmentationClass/b\.png: colours "
        r"\(128, 128, 0\) are in no line of labelmap\.txt",
    ),
    (
        "a grey value that has no label",
        lambda root: write_voc(root, {"a": grey("01"), "b": grey("57")}),
        r"SegmentationClass/b\.png: grey values 5, 7 are no positions in labelmap\.txt",
    ),
    (
        "binary masks beside a label map",
        lambda root: write_voc(root, {"a": grey("0v")}),
        r"SegmentationClass/a\.png: grey values 255 are no positions in labelmap\.txt",
    ),
    (
        "colours without a label map",
        lambda root: write_voc(root, {"a": rgb("01")}, None),
        r"a\.png: mask of the colours \(0, 0, 0\), \(128, 0, 0\), and no labelmap\.txt",
    ),
    (
        "a mask that ends in the middle",
        write_damaged,
        r"unreadable pictures or masks \(1\):\n  SegmentationClass/b\.png: damaged picture",
    ),
    (
        "a picture without a mask",
        lambda root: write_picture(
            write_voc(root, {"a": rgb("01")}) / "JPEGImages/b.jpg", width=2, height=1
        ),
        r"pictures without a mask \(1\):\n  JPEGImages/b\.jpg",
    ),
    (
        "a mask without a picture",
        lambda root: save_array(
            write_voc(root, {"a": rgb("01")}) / "SegmentationClass/b.png", to_values("01")
        ),
        r"masks without a picture \(1\):\n  SegmentationClass/b\.png",
    ),
    (
        "a listed name without a picture",
        lambda root: write_listed(root, "a\nb\n"),
        r"without a picture \(1\):\n  ImageSets/Segmentation/train\.txt, line 2: 'b'",
    ),
]
BROKEN: list[Break] = [*BROKEN_FILES, *BROKEN_LABELS]
