"""loading: labels, surfaces, notes and depths of every kind reach the tiles."""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from conftest import (
    load_params,
    mask,
    save_array,
    surface_params,
    write_class_folders,
    write_images_masks,
    write_picture,
)
from defectseg.data.exports.export import export_items, read_labels_of
from defectseg.data.faults import FaultKind
from defectseg.data.layouts.find import find_layout
from defectseg.data.loading import Loaded, load_layout
from defectseg.data.tile import CLEAN, TileSet
from defectseg.errors import DataError, OffendersError
from test_load import load

Format = Literal["coco", "label-studio", "masks"]
DRAWN = {
    "a": mask(".1122. .1122. ....3."),
    "line/b": mask("3... .... ...2"),
    "line/c": mask("..... ....."),
}


def load_alone(root: Path, folder: Path, **changes: Any) -> Loaded:
    """Load without a decision on what is wrong."""
    return load_layout(load_params(root, **changes), find_layout(root, "auto"), folder)


def masks_of(tiles: TileSet) -> dict[str, list[list[int]]]:
    return {tile.id: tiles.mask(tile).tolist() for tile in tiles.tiles}


def surfaces_of(tiles: TileSet) -> dict[str, str]:
    return {tile.id: tile.surface for tile in tiles.tiles}


def write_named(root: Path) -> Path:
    """Index masks whose values 1, 2, 3 are scratch, dent and stain."""
    write_images_masks(root, DRAWN)
    (root / "classes.json").write_text('["Scratch", "Dent", "Stain"]')
    return root


def write_deep(root: Path, values: npt.NDArray[np.uint16]) -> Path:
    """A 16-bit picture `a` with an index mask of its size."""
    write_images_masks(root, {"a": np.eye(*values.shape, dtype=np.uint8)})
    (root / "images/a.jpg").unlink()
    Image.fromarray(values).save(root / "images/a.png")
    return root


# Labels.


def test_labels_are_merged_and_ignored_pixels_are_background(tmp_path: Path):
    source = write_named(tmp_path / "in")
    changes = {"rename": {"Scratch": "mark", "Dent": "mark"}, "ignore": ["Stain"]}
    tiles = load(tmp_path, source, **changes)
    assert tiles.classes == ("mark",)
    assert masks_of(tiles) == {
        "a": mask(".1111. .1111. ......").tolist(),
        "line__b": mask(".... .... ...1").tolist(),
        "line__c": mask("..... .....").tolist(),
    }
    found = [(tile.id, tile.defect_class, tile.defect_px) for tile in tiles.tiles]
    assert found == [("a", "mark", 8), ("line__b", "mark", 1), ("line__c", CLEAN, 0)]
    assert json.loads((tmp_path / "data/tiles/classes.json").read_text()) == ["mark"]


def test_of_classes_with_as_many_pixels_the_first_counts(tmp_path: Path):
    tiles = load(tmp_path, write_named(tmp_path / "in"))
    assert [tile.defect_class for tile in tiles.tiles] == ["scratch", "dent", CLEAN]


def test_pictures_of_an_ignored_class_folder_become_clean(class_folders: Path, tmp_path: Path):
    tiles = load(tmp_path, class_folders, ignore=["blowhole"])
    found = {tile.id: (tile.defect_class, tile.defect_px) for tile in tiles.tiles}
    assert tiles.classes == ("crack",)
    assert (found["b1"], found["c1"]) == ((CLEAN, 0), ("crack", 36))


def test_folders_may_be_merged_into_one_class(class_folders: Path, tmp_path: Path):
    tiles = load(tmp_path, class_folders, rename={"MT_Blowhole": "flaw", "MT_Crack": "flaw"})
    found = [(tile.id, tile.defect_class) for tile in tiles.tiles if tile.is_defect]
    assert tiles.classes == ("flaw",)
    assert found == [("b1", "flaw"), ("c1", "flaw"), ("c2", "flaw")]


@pytest.mark.parametrize("form", ["coco", "label-studio", "masks"])
def test_exported_tiles_come_back_with_the_same_masks_and_classes(form: Format, tmp_path: Path):
    tiles = load(tmp_path / "first", write_named(tmp_path / "in"))
    export_items(tmp_path / "out", tiles.classes, read_labels_of(tiles), form, "masks")
    named = tiles.classes if form == "label-studio" else None  # its tasks give labels no order
    again = load(tmp_path / "second", tmp_path / "out", classes=named)
    assert again.classes == tiles.classes == ("scratch", "dent", "stain")
    assert masks_of(again) == masks_of(tiles)
    assert masks_of(tiles)["a"] == DRAWN["a"].tolist()
    before = [(tile.id, tile.defect_class, tile.sha256) for tile in tiles.tiles]
    assert [(tile.id, tile.defect_class, tile.sha256) for tile in again.tiles] == before


@pytest.mark.parametrize("form", ["coco", "label-studio"])
def test_polygons_of_regions_come_back(form: Format, tmp_path: Path):
    tiles = load(tmp_path / "first", write_named(tmp_path / "in"))
    export_items(tmp_path / "out", tiles.classes, read_labels_of(tiles), form, "polygons")
    again = load(tmp_path / "second", tmp_path / "out", classes=tiles.classes)
    assert masks_of(again) == masks_of(tiles)


# Surfaces.


def test_surfaces_of_a_column_reach_the_manifest(tmp_path: Path):
    source = write_named(tmp_path / "in")
    rows = ["picture,plate", "images/a.jpg,P1", "b,P2", "line__c,P1"]
    (source / "pictures.csv").write_text("\n".join(rows))
    changes = surface_params(source="column", column="plate")
    found = surfaces_of(load(tmp_path, source, surfaces=changes))
    assert found == {"a": "P1", "line__b": "P2", "line__c": "P1"}


def test_surfaces_of_a_regex_reach_the_manifest(tmp_path: Path):
    source = write_named(tmp_path / "in")
    changes = surface_params(source="regex", regex=r"images/(?:line/)?(\w)")
    found = surfaces_of(load(tmp_path, source, surfaces=changes))
    assert found == {"a": "a", "line__b": "b", "line__c": "c"}


def test_without_a_source_of_surfaces_each_picture_is_one(tmp_path: Path):
    source = write_named(tmp_path / "in")
    same = (source / "images/line/b.jpg").read_bytes()
    save_array(source / "masks/d.png", DRAWN["line/b"])
    (source / "images/d.jpg").write_bytes(same)
    found = surfaces_of(load(tmp_path, source, surfaces=surface_params(source="none")))
    assert found == {key: f"surface_{key}" for key in ("a", "d", "line__b", "line__c")}


def test_a_picture_without_a_surface_stops_the_run(tmp_path: Path):
    source = write_named(tmp_path / "in")
    changes = surface_params(source="regex", regex="line")
    with pytest.raises(OffendersError, match=r"finds no surface \(1\):\n  images/a\.jpg"):
        load(tmp_path, source, surfaces=changes)


# Who, when and with what.


def test_notes_of_a_table_reach_the_manifest(tmp_path: Path):
    source = write_named(tmp_path / "in")
    rows = ["picture;labelled_by;labelled_at;label_tool", "a;Ann;2024-05-01;GIMP", "c;Bob;;"]
    (source / "pictures.csv").write_text("\n".join(rows))
    tiles = load(tmp_path, source).tiles
    assert [(tile.labelled_by, tile.labelled_at, tile.label_tool) for tile in tiles] == [
        ("Ann", "2024-05-01", "GIMP"),
        ("", "", ""),
        ("Bob", "", ""),
    ]
    assert (tmp_path / "data/tiles/manifest.csv").read_text().count("Ann,2024-05-01,GIMP") == 1


def test_a_table_of_notes_is_part_of_the_digest(tmp_path: Path):
    source = write_named(tmp_path / "in")
    load(tmp_path, source)
    report = tmp_path / "metrics/data_load.json"
    before = json.loads(report.read_text())["digest"]
    (source / "pictures.csv").write_text("picture,labelled_by\na,Ann\n")
    load(tmp_path, source)
    assert json.loads(report.read_text())["digest"] != before


@pytest.mark.parametrize("form", ["coco", "label-studio"])
def test_notes_travel_through_a_labelling_tool(form: Format, tmp_path: Path):
    source = write_named(tmp_path / "in")
    rows = ["picture,labelled_by,labelled_at,label_tool", "a,Ann,2024-05-01,GIMP"]
    (source / "pictures.csv").write_text("\n".join(rows))
    tiles = load(tmp_path / "first", source)
    export_items(tmp_path / "out", tiles.classes, read_labels_of(tiles), form, "masks")
    back = load(tmp_path / "second", tmp_path / "out").tiles[0]
    assert (back.labelled_by, back.labelled_at, back.label_tool) == ("Ann", "2024-05-01", "GIMP")


# Depths.


def test_12_bits_become_8(tmp_path: Path):
    values = np.array([[0, 16, 2047, 4095]] * 4, np.uint16)  # 255 / 4095 of them: 0, 1, 127.5, 255
    source = write_deep(tmp_path / "in", values)
    tiles = load(tmp_path, source, bit_depth=12)
    tile = tiles.tiles[0]
    assert tiles.picture(tile, channels=1)[0].ravel().tolist() == [0, 1, 127, 255]
    assert (tile.image, tile.defect_px) == ("images/a.png", 4)


def test_a_value_above_the_depth_is_an_error_that_names_the_depth(tmp_path: Path):
    source = write_deep(tmp_path / "in", np.full((4, 4), 4096, np.uint16))
    with pytest.raises(OffendersError, match=r"images/a\.png: 16-bit .* 4096, .*set it to 13"):
        load(tmp_path, source, bit_depth=12)


def test_the_largest_value_is_noted_of_16_bit_pictures_only(tmp_path: Path):
    source = write_deep(tmp_path / "in", np.full((4, 4), 1234, np.uint16))
    write_images_masks(source, {"b": mask("1.")})
    loaded = load_alone(source, tmp_path / "out")
    assert loaded.largest_16_bit == {"a": 1234}
    assert loaded.reencoded == 1


# Faults: left out, and not decided on.


def write_faults(root: Path) -> Path:
    """Class folders with one good picture and one of each fault that is found late."""
    names = {"MT_Free": ["full"], "MT_Crack": ["good", "empty", "small", "torn"]}
    imgs = write_class_folders(root, names) / "MT_Crack/Imgs"
    save_array(root / "MT_Free/Imgs/full.png", np.full((72, 80), 255, np.uint8))
    save_array(imgs / "empty.png", np.zeros((72, 80), np.uint8))
    save_array(imgs / "small.png", np.full((2, 3), 255, np.uint8))
    (imgs / "torn.jpg").write_bytes((imgs / "torn.jpg").read_bytes()[:-80])
    return root


def test_each_fault_names_its_file_and_picture_and_leaves_only_that_out(tmp_path: Path):
    loaded = load_alone(write_faults(tmp_path / "in"), tmp_path / "out")
    assert [tile.id for tile in loaded.tile_set.tiles] == ["good"]
    assert {(fault.kind, fault.file, fault.picture) for fault in loaded.faults} == {
        (FaultKind.DEFECT_ON_CLEAN, "MT_Free/Imgs/full.png", "full"),
        (FaultKind.EMPTY_MASK, "MT_Crack/Imgs/empty.png", "empty"),
        (FaultKind.SIZES, "MT_Crack/Imgs/small.jpg", "small"),
        (FaultKind.UNREADABLE, "MT_Crack/Imgs/torn.jpg", "torn"),
    }
    written = [path.name for path in sorted((tmp_path / "out").rglob("*.*g"))]
    assert written == ["good.jpg", "good.png"]
    assert loaded.measures.keys() == {"good"}


def write_drawing(root: Path, shape: object, width: int = 6, height: int = 4) -> Path:
    """A picture of 6 × 4 px with one COCO annotation; the size is what the file claims."""
    write_picture(root / "images/a.png", 6, 4)
    image = {"id": 1, "file_name": "a.png", "width": width, "height": height}
    drawn = {"id": 7, "image_id": 1, "category_id": 1, "segmentation": shape, "iscrowd": 0}
    content = {
        "images": [image],
        "categories": [{"id": 1, "name": "crack"}],
        "annotations": [drawn],
    }
    (root / "all.json").write_text(json.dumps(content))
    return root


def test_a_drawing_of_another_size_is_told_without_drawing_it(tmp_path: Path):
    shape = [[0, 0, 2, 0, 2, 2, 0, 2]]
    source = write_drawing(tmp_path / "in", shape, width=100_000, height=99_999)
    with pytest.raises(OffendersError, match=r"a\.png: picture 6×4, mask 100000×99999"):
        load(tmp_path, source)


def test_a_drawing_of_no_pixel_is_an_empty_mask(tmp_path: Path):
    source = write_drawing(tmp_path / "in", {"counts": [24], "size": [4, 6]})
    with pytest.raises(DataError, match=r"empty mask \(1\):\n  images/a\.png"):
        load(tmp_path, source)
    tile = load(tmp_path, source, keep_empty=True).tiles[0]
    assert (tile.defect_class, tile.defect_px) == (CLEAN, 0)


def test_a_drawing_that_cannot_be_drawn_is_a_fault(tmp_path: Path):
    source = write_drawing(tmp_path / "in", {"counts": [20], "size": [4, 6]})
    with pytest.raises(DataError, match=r"labels that cannot be drawn \(1\):\n  images/a\.png"):
        load(tmp_path, source)


# Many.


@pytest.mark.slow
def test_400_pictures_in_nested_folders_load_with_nothing_but_a_source(tmp_path: Path):
    square = mask("1.. .23 ...", 8)
    for number in range(400):
        key = f"line_{number % 7}/shift_{number % 3}/p{number:03}"
        write_picture(tmp_path / "in/images" / f"{key}.png", 24, 24)
        save_array(tmp_path / "in/masks" / f"{key}.png", square)
    loaded = load_alone(tmp_path / "in", tmp_path / "out")
    tiles = loaded.tile_set
    assert (len(tiles.tiles), loaded.faults) == (400, ())
    assert tiles.classes == ("class_1", "class_2", "class_3")
    assert tiles.tiles[0].id == "line_0__shift_0__p000"
    assert tiles.mask(tiles.tiles[-1]).tolist() == square.tolist()
