"""exports/export: a folder that a labelling tool opens, whole or not at all."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import mask, save_array, write_picture
from defectseg.data.exports.export import WRITERS, Format, export_items, read_labels_of
from defectseg.data.exports.item import ExportItem
from defectseg.data.layouts.layout import Batch
from defectseg.data.tile import Tile, TileSet
from defectseg.errors import DataError

DRAWN = mask(".12. ....")


@pytest.fixture
def tiles(tmp_path: Path) -> TileSet:
    """One tile, labelled by Ann."""
    write_picture(tmp_path / "tiles/images/a.jpg", 4, 2)
    save_array(tmp_path / "tiles/masks/a.png", DRAWN)
    notes = ("Ann", "2024-05-01", "GIMP")
    row = Tile("a", "images/a.jpg", "masks/a.png", "crack", "s", 4, 2, 2, "0" * 64, *notes)
    return TileSet(tmp_path / "tiles", ("crack", "hole"), (row,))


def test_a_tile_is_exported_with_its_mask_and_who_drew_it(tiles: TileSet):
    (item,) = read_labels_of(tiles)
    assert (item.id, item.picture) == ("a", tiles.folder / "images/a.jpg")
    assert item.mask.tolist() == DRAWN.tolist()
    assert item.batch == Batch("Ann", "2024-05-01", "GIMP")
    assert item.score is None


FILES: dict[Format, list[str]] = {
    "coco": ["annotations/instances_default.json", "images/a.jpg"],
    "label-studio": ["README.md", "images/a.jpg", "label_config.xml", "tasks.json"],
    "masks": ["classes.json", "images/a.jpg", "masks/a.png"],
}


@pytest.mark.parametrize("form", WRITERS)
def test_each_format_writes_its_files_and_nothing_beside_them(
    form: Format, tiles: TileSet, tmp_path: Path
):
    export_items(tmp_path / "new/out", tiles.classes, read_labels_of(tiles), form, "masks")
    files = [path for path in (tmp_path / "new/out").rglob("*") if path.is_file()]
    assert sorted(p.relative_to(tmp_path / "new/out").as_posix() for p in files) == FILES[form]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out"]


def test_the_shapes_are_passed_on(tiles: TileSet, tmp_path: Path):
    for shapes, kind in (("masks", dict), ("polygons", list)):
        folder = tmp_path / shapes
        export_items(folder, tiles.classes, read_labels_of(tiles), "coco", shapes)  # type: ignore[arg-type]
        content = json.loads((folder / "annotations/instances_default.json").read_text())
        assert {type(each["segmentation"]) for each in content["annotations"]} == {kind}


@pytest.mark.parametrize("is_folder", [True, False])
def test_what_exists_is_not_overwritten(is_folder: bool, tiles: TileSet, tmp_path: Path):
    taken = tmp_path / "out"
    taken.mkdir() if is_folder else taken.write_text("mine")
    with pytest.raises(DataError, match="out exists already; name a folder that does not"):
        export_items(taken, tiles.classes, read_labels_of(tiles), "coco", "masks")
    assert taken.is_dir() if is_folder else taken.read_text() == "mine"


@pytest.mark.parametrize("form", WRITERS)
def test_a_failure_in_the_middle_leaves_nothing(form: Format, tiles: TileSet, tmp_path: Path):
    def failing() -> Iterator[ExportItem]:
        yield from read_labels_of(tiles)
        raise DataError("the second picture is damaged")

    with pytest.raises(DataError, match="the second picture"):
        export_items(tmp_path / "new/out", tiles.classes, failing(), form, "masks")
    assert list((tmp_path / "new").iterdir()) == []
