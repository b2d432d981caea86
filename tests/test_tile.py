"""tile: the manifest, there and back, and the digest that names the data."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conftest import mask, save_array
from defectseg.data.tile import CLEAN, Tile, TileSet, count_classes, read_tiles, write_manifest
from defectseg.errors import DataError

CRACK = Tile("c1", "images/c1.png", "masks/c1.png", "crack", "surface_c1", 4, 2, 3, "a" * 64)
FREE = Tile("f1", "images/f1.png", "masks/f1.png", CLEAN, "surface_f1", 4, 2, 0, "b" * 64)


def tile_set(*tiles: Tile, classes: tuple[str, ...] = ("crack", "hole")) -> TileSet:
    return TileSet(Path("tiles"), classes, tiles)


def test_a_manifest_comes_back_as_it_was_written(tmp_path: Path):
    written = write_manifest(tmp_path, ["crack", "hole"], [CRACK, FREE])
    assert read_tiles(tmp_path) == written
    assert written == TileSet(tmp_path, ("crack", "hole"), (CRACK, FREE))


def test_a_manifest_is_sorted_by_id(tmp_path: Path):
    write_manifest(tmp_path, ["crack"], [FREE, CRACK])
    assert [tile.id for tile in read_tiles(tmp_path).tiles] == ["c1", "f1"]


def test_the_manifest_is_a_table_that_others_can_read(tmp_path: Path):
    write_manifest(tmp_path, ["crack"], [CRACK])
    assert (tmp_path / "manifest.csv").read_text().splitlines() == [
        "id,image,mask,defect_class,surface,width,height,defect_px,sha256,"
        "labelled_by,labelled_at,label_tool",
        f"c1,images/c1.png,masks/c1.png,crack,surface_c1,4,2,3,{'a' * 64},,,",
    ]


def test_who_labelled_a_tile_comes_back(tmp_path: Path):
    noted = replace(CRACK, labelled_by="Ann, Bob", labelled_at="2024-05-01", label_tool="CVAT")
    write_manifest(tmp_path, ["crack"], [noted])
    assert read_tiles(tmp_path).tiles == (noted,)


def test_a_set_without_a_tile_comes_back_empty(tmp_path: Path):
    write_manifest(tmp_path, ["crack"], [])
    assert read_tiles(tmp_path).tiles == ()


def test_only_a_clean_tile_shows_no_defect():
    assert (CRACK.is_defect, FREE.is_defect) == (True, False)


def test_pictures_and_masks_are_read_from_below_the_folder(tmp_path: Path):
    save_array(tmp_path / CRACK.image, np.full((2, 4), 90, dtype=np.uint8))
    save_array(tmp_path / CRACK.mask, mask(".##. .2.."))
    tiles = TileSet(tmp_path, ("crack", "hole"), (CRACK,))
    assert tiles.picture(CRACK, 1).tolist() == [[[90]] * 4] * 2
    assert tiles.picture(CRACK, 3).shape == (2, 4, 3)
    assert tiles.mask(CRACK).tolist() == [[0, 1, 1, 0], [0, 2, 0, 0]]


def test_some_of_the_tiles_keep_their_order():
    assert tile_set(CRACK, FREE).only(["f1", "nobody"]).tiles == (FREE,)
    assert tile_set(CRACK, FREE).only(["f1", "c1"]).tiles == (CRACK, FREE)


def test_the_same_tiles_in_another_folder_have_the_same_digest():
    elsewhere = TileSet(Path("elsewhere"), ("crack", "hole"), (CRACK, FREE))
    assert elsewhere.digest() == tile_set(CRACK, FREE).digest()


@pytest.mark.parametrize(
    "change",
    [{"sha256": "c" * 64}, {"defect_class": "hole"}, {"surface": "surface_f1"}, {"id": "c2"}],
    ids=lambda change: next(iter(change)),
)
def test_another_file_label_surface_or_id_is_another_digest(change: dict[str, str]):
    changed = replace(CRACK, **change)  # type: ignore[arg-type]
    assert tile_set(changed, FREE).digest() != tile_set(CRACK, FREE).digest()


@pytest.mark.parametrize("note", ["labelled_by", "labelled_at", "label_tool"])
def test_who_labelled_a_tile_does_not_change_the_digest(note: str):
    noted = replace(CRACK, **{note: "x"})  # type: ignore[arg-type]
    assert tile_set(noted, FREE).digest() == tile_set(CRACK, FREE).digest()


def test_more_defect_pixels_are_another_digest():
    changed = replace(CRACK, defect_px=4)
    assert tile_set(changed, FREE).digest() != tile_set(CRACK, FREE).digest()


def test_other_classes_are_another_digest():
    swapped = tile_set(CRACK, FREE, classes=("hole", "crack"))
    assert swapped.digest() != tile_set(CRACK, FREE).digest()


def test_fewer_tiles_are_another_digest():
    assert tile_set(CRACK).digest() != tile_set(CRACK, FREE).digest()


def test_pictures_surfaces_and_pixels_of_each_class_are_counted_clean_last():
    sibling = replace(CRACK, id="c2", defect_px=5)
    other = replace(CRACK, id="c3", surface="surface_c3", defect_px=7)
    counts = count_classes([FREE, CRACK, sibling, other], ["hole", "crack"])
    assert list(counts) == ["hole", "crack", CLEAN]
    assert counts == {
        "hole": {"pictures": 0, "surfaces": 0, "defect_px": 0},
        "crack": {"pictures": 3, "surfaces": 2, "defect_px": 15},
        CLEAN: {"pictures": 1, "surfaces": 1, "defect_px": 0},
    }


def test_a_folder_without_a_manifest_says_what_to_run(tmp_path: Path):
    with pytest.raises(DataError, match=r"has no good manifest: .*; run data_load first"):
        read_tiles(tmp_path)


@pytest.mark.parametrize(
    ("row", "columns"),
    [("id,image\nc1,a\n", r"\['id', 'image'\]"), ("", r"\[\]")],
    ids=["fewer", "none"],
)
def test_other_columns_are_named_beside_the_expected_ones(tmp_path: Path, row: str, columns: str):
    write_manifest(tmp_path, ["crack"], [])
    (tmp_path / "manifest.csv").write_text(row)
    with pytest.raises(DataError, match=rf"has the columns {columns}, expected \['id', 'image', "):
        read_tiles(tmp_path)


@pytest.mark.parametrize(
    "cut", ["crack,s,four,2,3,aa", "crack,s", "crack,s,4,2,3,aa,short", "crack,s,4,2,3,aa,,,,more"]
)
def test_a_damaged_row_is_an_error_of_the_data(tmp_path: Path, cut: str):
    write_manifest(tmp_path, ["crack"], [])
    with (tmp_path / "manifest.csv").open("a") as file:
        file.write(f"c1,images/c1.png,masks/c1.png,{cut}\n")
    with pytest.raises(DataError, match="has no good manifest"):
        read_tiles(tmp_path)
