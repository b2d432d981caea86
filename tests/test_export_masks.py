"""exports/masks: what is written comes back pixel for pixel, and a person can look at it."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from conftest import mask, write_picture
from defectseg.data.exports.item import ExportItem
from defectseg.data.exports.masks import to_palette, write_masks
from defectseg.data.labels.class_map import map_classes
from defectseg.data.labels.label import MaskFile
from defectseg.data.labels.masks import MaskParams, choose_rule, summarise_mask
from defectseg.data.layouts.images_masks import fits, read
from defectseg.data.layouts.layout import Batch
from defectseg.data.picture import decode_colours, decode_mask
from defectseg.errors import DataError

PARAMS = MaskParams.model_validate(
    {"mask_kind": "auto", "mask_threshold": 127, "classes": None, "rename": {}, "ignore": []}
)
CLASSES = ("crack", "dark_spot", "dent", "chip", "stain")


def item(folder: Path, drawn: npt.NDArray[np.uint8], name: str = "a") -> ExportItem:
    """A picture of the size of a mask, with the mask."""
    picture = write_picture(folder / f"{name}.jpg", drawn.shape[1], drawn.shape[0])
    return ExportItem(name, picture, drawn, Batch())


def write(folder: Path, classes: Sequence[str], *items: ExportItem) -> Path:
    folder.mkdir()
    write_masks(folder, classes, iter(items), "masks")
    return folder


def read_back(folder: Path) -> tuple[tuple[str, ...], dict[str, npt.NDArray[np.uint8]]]:
    """Classes and masks as data_load finds them with nothing but the folder."""
    layout = read(folder)
    stored = {
        record.id: decode_mask(record.label.path.read_bytes())
        for record in layout.records
        if isinstance(record.label, MaskFile)
    }
    summaries = {name: summarise_mask(values) for name, values in stored.items()}
    rule, faults = choose_rule(summaries, layout.labels, PARAMS)
    assert (faults, layout.faults, layout.ignored) == ([], (), ())
    class_map = map_classes(rule.labels, PARAMS)
    drawn = {k: rule.to_index(values, None, class_map.index) for k, values in stored.items()}
    return class_map.classes, drawn


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_masks_come_back_pixel_for_pixel(data: st.DataObject):
    count = data.draw(st.integers(1, 5))
    side = st.integers(1, 40)
    shapes = st.tuples(side, side)
    values = arrays(np.uint8, shapes, elements=st.integers(0, count))
    masks = data.draw(st.lists(values, min_size=1, max_size=3))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        items = [item(folder, drawn, f"p{k}") for k, drawn in enumerate(masks)]
        classes, found = read_back(write(folder / "new", CLASSES[:count], *items))
    assert classes == CLASSES[:count]
    assert all(np.array_equal(found[f"p{k}"], drawn) for k, drawn in enumerate(masks))


def test_31_classes_come_back(tmp_path: Path):
    names = tuple(f"class_{k}" for k in range(1, 32))
    drawn = np.arange(32, dtype=np.uint8).reshape(4, 8)
    classes, found = read_back(write(tmp_path / "new", names, item(tmp_path, drawn)))
    assert classes == names
    assert found["a"].tolist() == drawn.tolist()


def test_empty_masks_come_back_with_all_classes(tmp_path: Path):
    classes, found = read_back(write(tmp_path / "new", CLASSES, item(tmp_path, mask("... ..."))))
    assert classes == CLASSES
    assert not found["a"].any()


def test_the_files_lie_where_the_layout_expects_them(tmp_path: Path):
    first = item(tmp_path, mask(".#"), "line_1__a.b")
    folder = write(tmp_path / "new", ["crack"], first)
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert files == ["classes.json", "images/line_1__a.b.jpg", "masks/line_1__a.b.png"]
    assert fits(folder)
    assert (folder / "images/line_1__a.b.jpg").read_bytes() == first.picture.read_bytes()
    assert json.loads((folder / "classes.json").read_text()) == ["crack"]


def test_a_mask_is_an_8_bit_palette_whose_colours_a_person_can_tell_apart(tmp_path: Path):
    folder = write(tmp_path / "new", CLASSES[:2], item(tmp_path, mask("012")))
    content = (folder / "masks/a.png").read_bytes()
    assert content[24:26] == bytes([8, 3])  # bits a channel; 3 is a palette
    assert decode_colours(content).tolist() == [[[0, 0, 0], [230, 159, 0], [86, 180, 233]]]


def test_a_palette_has_a_colour_for_each_class():
    colours = np.reshape(to_palette(7), (256, 3)).tolist()
    assert colours[0] == colours[8] == [0, 0, 0]
    assert colours[1] == colours[7] == [230, 159, 0]  # an overlay has six
    assert len({tuple(colour) for colour in colours[:7]}) == 7


def test_the_same_items_give_the_same_bytes(tmp_path: Path):
    same = item(tmp_path, mask("0120 2211", 9))
    one, two = (write(tmp_path / name, CLASSES, same) for name in ("one", "two"))
    for name in ("classes.json", "images/a.jpg", "masks/a.png"):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_a_mask_that_is_a_view_of_another_array_is_written_as_it_looks(tmp_path: Path):
    turned = mask("012 210").T
    _, found = read_back(write(tmp_path / "new", CLASSES, item(tmp_path, turned)))
    assert found["a"].tolist() == [[0, 2], [1, 1], [2, 0]]


def test_an_ending_in_capitals_becomes_small(tmp_path: Path):
    good = item(tmp_path, mask(".#"))
    loud = good.picture.rename(tmp_path / "a.JPG")
    folder = write(tmp_path / "new", CLASSES, ExportItem("a", loud, good.mask, Batch()))
    assert (folder / "images/a.jpg").is_file()


def test_polygons_are_refused(tmp_path: Path):
    with pytest.raises(DataError, match="the format masks holds pixels, not polygons"):
        write_masks(tmp_path, CLASSES, [], "polygons")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (["crack", "good"], r"classes \['good'\] could not be told apart"),
        (["clean"], r"classes \['clean'\] could not be told apart"),
        (["mt_crack"], r"classes \['mt_crack'\] could not be told apart"),
        (["Crack", "a__b", "?"], r"classes \['Crack', 'a__b', '\?'\] could not"),
        (["crack", "crack"], r"classes \['crack', 'crack'\] could not be told apart"),
        ([], "0 classes; masks can hold 1 to 31"),
        ([f"c{k}" for k in range(32)], "32 classes; masks can hold 1 to 31"),
    ],
)
def test_classes_that_would_not_come_back_are_refused(
    classes: list[str], message: str, tmp_path: Path
):
    with pytest.raises(DataError, match=message):
        write(tmp_path / "new", classes)


@pytest.mark.parametrize("name", ["../a", "a/b", ".a", "", "a\0b", "a b"])
def test_an_id_that_leads_elsewhere_or_is_hidden_is_refused(name: str, tmp_path: Path):
    good = item(tmp_path, mask(".#"))
    with pytest.raises(DataError, match="is no id of a picture"):
        write(tmp_path / "new", CLASSES, ExportItem(name, good.picture, good.mask, Batch()))


def test_two_ids_that_differ_in_case_alone_are_refused(tmp_path: Path):
    items = [item(tmp_path, mask(".#"), name) for name in ("a", "A")]
    with pytest.raises(DataError, match="two pictures have the id A"):
        write(tmp_path / "new", CLASSES, *items)


def test_a_file_that_is_named_like_no_picture_is_refused(tmp_path: Path):
    text = tmp_path / "a.txt"
    text.touch()
    with pytest.raises(DataError, match=r"a\.txt is no picture: expected \.bmp, "):
        write(tmp_path / "new", CLASSES, ExportItem("a", text, mask(".#"), Batch()))


@pytest.mark.parametrize(
    ("drawn", "message"),
    [
        (
            mask("03"),
            r"the mask of a is \(1, 2\) uint8 with values up to 3; expected \(H, W\) uint8",
        ),
        (mask("01")[None], r"is \(1, 1, 2\) uint8 with"),
        (np.zeros((0, 4), np.uint8), r"is \(0, 4\) uint8 with values up to 0"),
        (np.zeros((1, 2), np.float32), r"is \(1, 2\) float32 with"),
    ],
)
def test_a_mask_of_other_values_or_shape_is_refused(
    drawn: npt.NDArray[np.uint8], message: str, tmp_path: Path
):
    picture = write_picture(tmp_path / "a.jpg", 2, 1)
    with pytest.raises(DataError, match=message):
        write(tmp_path / "new", CLASSES[:2], ExportItem("a", picture, drawn, Batch()))


def test_items_are_taken_one_at_a_time(tmp_path: Path):
    folder = tmp_path / "new"
    folder.mkdir()
    seen: list[int] = []

    def items() -> Iterator[ExportItem]:
        for k in range(3):
            seen.append(len(list((folder / "masks").glob("*.png"))))
            yield item(tmp_path, mask(".#"), f"p{k}")

    write_masks(folder, CLASSES, items(), "masks")
    assert seen == [0, 1, 2]
