"""layouts/label_map: labelmap.txt, and what colours and grey values mean by it."""

from pathlib import Path

import numpy as np
import pytest

from conftest import mask
from defectseg.data.layouts import label_map as module
from defectseg.data.layouts.label_map import LabelMap, pack, read_label_map, show_colours
from defectseg.errors import DataError
from voc_drawings import LABEL_MAP, VOC_COLOURS, VOID


def parse(folder: Path, content: str) -> LabelMap:
    (folder / "labelmap.txt").write_bytes(content.encode())
    return read_label_map(folder / "labelmap.txt")


def numbers(label_map: LabelMap, *colours: tuple[int, int, int]) -> list[int]:
    return label_map.number_colours(np.array([colours], dtype=np.uint8))[0].tolist()


def greys(label_map: LabelMap, *values: int) -> list[int]:
    return label_map.number_greys(np.array([values], dtype=np.uint8))[0].tolist()


def test_labels_are_numbered_in_the_order_of_the_file(tmp_path: Path):
    label_map = parse(tmp_path, LABEL_MAP)
    assert label_map.labels == ("crack", "dark_spot")
    assert numbers(label_map, *VOC_COLOURS[:3], VOID) == [0, 1, 2, 0]


def test_comments_blank_lines_marks_and_spaces_do_not_matter(tmp_path: Path):
    content = "\ufeff# label\r\n\r\n  crack: 1 , 2,3 : head,body : act\r\nbackground:0,0,0\r\n"
    assert numbers(parse(tmp_path, content), (1, 2, 3), (0, 0, 0)) == [1, 0]


def test_two_names_that_say_the_same_are_one_label(tmp_path: Path):
    label_map = parse(tmp_path, "Dark spot:1,1,1::\ndark-spot:2,2,2::\ncrack:3,3,3::\n")
    assert label_map.labels == ("dark_spot", "crack")
    assert numbers(label_map, (1, 1, 1), (2, 2, 2), (3, 3, 3)) == [1, 1, 2]


def test_a_line_may_be_there_twice(tmp_path: Path):
    assert parse(tmp_path, "crack:1,2,3::\ncrack:1,2,3::\n").labels == ("crack",)


def test_what_has_the_colour_of_void_is_no_label(tmp_path: Path):
    label_map = parse(tmp_path, LABEL_MAP + "ignored:224,224,192::\n")
    assert label_map.labels == ("crack", "dark_spot")


def test_any_name_of_a_clean_surface_is_background(tmp_path: Path):
    assert numbers(parse(tmp_path, "good:9,9,9::\ncrack:1,2,3::\n"), (9, 9, 9), (0, 0, 0)) == [0, 0]


def test_black_may_be_a_label(tmp_path: Path):
    assert numbers(parse(tmp_path, "background:9,9,9::\ncrack:0,0,0::\n"), (0, 0, 0)) == [1]


def test_grey_values_are_positions_and_else_colours(tmp_path: Path):
    label_map = parse(tmp_path, LABEL_MAP + "dent:128,128,128::\nchip:::\n")
    assert greys(label_map, 0, 1, 2, 3, 4, 128) == [0, 1, 2, 3, 4, 3]


def test_255_is_void_only_beside_a_label(tmp_path: Path):
    label_map = parse(tmp_path, LABEL_MAP)
    assert greys(label_map, 0, 1, 255) == [0, 1, 0]
    with pytest.raises(DataError, match="grey values 255 are no positions"):
        greys(label_map, 0, 255)


def test_255_is_a_label_that_is_white(tmp_path: Path):
    label_map = parse(tmp_path, LABEL_MAP + "dent:255,255,255::\n")
    assert greys(label_map, 0, 1, 255) == [0, 1, 3]
    assert greys(label_map, 0, 255) == [0, 3]


def test_positions_are_unclear_where_the_background_does_not_come_first(tmp_path: Path):
    label_map = parse(tmp_path, "crack:128,0,0::\nbackground:0,0,0::\n")
    assert greys(label_map, 0, 0) == [0, 0]
    white = parse(tmp_path, "crack:255,255,255::\ndent:2,2,2::\nchip:4,4,4::\n")
    assert greys(white, 0, 4, 255) == [0, 3, 1]  # too large to be positions
    with pytest.raises(DataError, match="grey values 2 are no positions"):
        greys(white, 0, 2)
    with pytest.raises(DataError, match=r"grey values 1 are no positions .* first label is backgr"):
        greys(label_map, 0, 1)


def test_all_256_positions_count(tmp_path: Path):
    lines = [f"d{k}:{k},1,1::" for k in range(254)]
    label_map = parse(tmp_path, "\n".join(["background:0,0,0::", *lines]))
    assert greys(label_map, 1, 254) == [1, 254]


def test_unknown_colours_are_listed_six_at_most(tmp_path: Path):
    colours = [(5, 0, k) for k in range(8)]
    expected = (
        r"colours \(5, 0, 0\), .*\(5, 0, 5\), … \(8 of them\) are in no line of labelmap\.txt"
    )
    with pytest.raises(DataError, match=expected):
        numbers(parse(tmp_path, LABEL_MAP), *colours, *colours)


def test_a_colour_brighter_than_all_labels_is_unknown_too(tmp_path: Path):
    with pytest.raises(DataError, match=r"colours \(255, 255, 255\) are in no line"):
        numbers(parse(tmp_path, LABEL_MAP), (255, 255, 255))


def test_every_wrong_line_is_named(tmp_path: Path):
    content = "crack:1,2,3::\n!:1,1,1::\ndent:-1,2,3::\nchip:1,2,3,4::\nspot:x::\n"
    with pytest.raises(DataError) as caught:
        parse(tmp_path, content)
    assert [line[:8] for line in str(caught.value).splitlines()[1:]] == [
        "  line 2", "  line 3", "  line 4", "  line 5"
    ]  # fmt: skip


def test_a_label_map_that_is_a_folder_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"labelmap\.txt cannot be read"):
        read_label_map(tmp_path)


def test_blocks_of_rows_give_what_one_block_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    label_map = parse(tmp_path, LABEL_MAP)
    drawn = mask("0120 1122 0000 2.2.")
    colours = np.array(VOC_COLOURS, dtype=np.uint8)[drawn]
    monkeypatch.setattr(module, "BLOCK", 6)  # one row, two would be 8
    assert label_map.number_colours(colours).tolist() == drawn.tolist()


def test_colours_are_packed_red_first_and_shown_in_that_order():
    assert pack(np.array([[1, 2, 3]], dtype=np.uint8)).tolist() == [0x010203]
    assert show_colours(np.array([[9, 0, 1], [0, 255, 0], [9, 0, 1]], np.uint8)) == (
        "(0, 255, 0), (9, 0, 1)"
    )
