"""notes: the surface of each picture and who labelled it, from a table or a path."""

from pathlib import Path
from typing import Any

import pytest

from conftest import surface_params
from defectseg.data.labels.label import NoDefect
from defectseg.data.layouts.layout import Batch, Layout, Record
from defectseg.data.notes import read_picture_notes
from defectseg.data.surfaces.find import SurfaceParams
from defectseg.data.surfaces.names import PictureNotes
from defectseg.errors import DataError, OffendersError

NOBODY = Batch()
ANN = Batch("Ann", "2024-05-01", "CVAT")


def params(**changes: Any) -> SurfaceParams:
    return SurfaceParams.model_validate(surface_params(**changes))


def layout(root: Path, *pictures: str, batch: Batch = NOBODY) -> Layout:
    """A layout of pictures without defects; the id is the path with `__` for `/`."""
    records = [
        Record(name.rpartition(".")[0].replace("/", "__"), root / name, NoDefect(), None, batch)
        for name in pictures
    ]
    return Layout("coco", root, tuple(records), ("crack",), (), (), ())


def write_table(root: Path, *rows: str) -> None:
    (root / "pictures.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def surfaces(notes: dict[str, PictureNotes]) -> dict[str, str]:
    return {key: each.surface for key, each in notes.items()}


@pytest.mark.parametrize("source", ["pixels", "none"])
def test_without_a_table_nothing_is_known(tmp_path: Path, source: str):
    found = read_picture_notes(layout(tmp_path, "a.png"), params(source=source))
    assert found == {"a": PictureNotes("", "", "", "")}


@pytest.mark.parametrize("name", ["line/a.png", "a.png", "a", "line__a"])
def test_a_picture_may_be_named_by_path_file_stem_or_id(tmp_path: Path, name: str):
    write_table(tmp_path, "picture,surface", f"{name},plate 7")
    found = read_picture_notes(layout(tmp_path, "line/a.png"), params(source="column"))
    assert surfaces(found) == {"line__a": "plate 7"}


def test_a_path_says_more_than_a_name(tmp_path: Path):
    write_table(tmp_path, "picture,surface", "a.png,one", "y/a.png,two", "y__a,three", "a,four")
    found = read_picture_notes(layout(tmp_path, "x/a.png", "y/a.png"), params(source="column"))
    assert surfaces(found) == {"x__a": "one", "y__a": "two"}


def test_the_column_may_have_another_name(tmp_path: Path):
    write_table(tmp_path, "picture,surface,plate", "a,no,p1")
    found = read_picture_notes(layout(tmp_path, "a.png"), params(source="column", column="plate"))
    assert surfaces(found) == {"a": "p1"}


def test_a_column_that_is_not_asked_for_names_no_surface(tmp_path: Path):
    write_table(tmp_path, "picture,surface,labelled_by", "a,plate,Bob")
    found = read_picture_notes(layout(tmp_path, "a.png"), params(source="pixels"))
    assert found == {"a": PictureNotes("", "Bob", "", "")}


def test_every_picture_without_a_row_is_named(tmp_path: Path):
    write_table(tmp_path, "picture,surface", "b,plate")
    with pytest.raises(OffendersError, match=r"without a row in pictures\.csv \(2\)") as caught:
        read_picture_notes(layout(tmp_path, "x/a.png", "b.png", "c.png"), params(source="column"))
    assert caught.value.offenders == ("x/a.png", "c.png")
    assert "Name the surface of each." in str(caught.value)


def test_a_table_that_is_asked_for_must_be_there(tmp_path: Path):
    with pytest.raises(DataError, match=r"there is no file .*pictures\.csv"):
        read_picture_notes(layout(tmp_path, "a.png"), params(source="column"))


def test_a_wrong_table_is_refused_even_where_only_its_notes_are_read(tmp_path: Path):
    write_table(tmp_path, "name,surface", "a,plate")
    with pytest.raises(DataError, match="needs one column 'picture'"):
        read_picture_notes(layout(tmp_path, "a.png"), params(source="none"))


def test_a_table_wins_over_what_a_label_says_cell_by_cell(tmp_path: Path):
    write_table(tmp_path, "picture,labelled_by,labelled_at", "a,Bob,", "x,Eve,")
    found = read_picture_notes(layout(tmp_path, "a.png", "b.png", batch=ANN), params())
    assert found == {
        "a": PictureNotes("", "Bob", "2024-05-01", "CVAT"),
        "b": PictureNotes("", "Ann", "2024-05-01", "CVAT"),
    }


def test_a_regex_reads_the_surface_from_the_path(tmp_path: Path):
    write_table(tmp_path, "picture,surface,label_tool", "a_1,no,GIMP")
    chosen = params(source="regex", regex=r"^(\w+)/\w+_(?P<surface>\d+)\.png$")
    found = read_picture_notes(layout(tmp_path, "x/a_1.png", "x/b_22.png"), chosen)
    assert found == {
        "x__a_1": PictureNotes("1", "", "", "GIMP"),
        "x__b_22": PictureNotes("22", "", "", ""),
    }


def test_every_path_in_which_a_regex_finds_nothing_is_named(tmp_path: Path):
    chosen = params(source="regex", regex=r"_(\d*)\.")
    with pytest.raises(OffendersError, match=r"finds no surface \(2\)") as caught:
        read_picture_notes(layout(tmp_path, "a_1.png", "b.png", "x/c_.png"), chosen)
    assert caught.value.offenders == ("b.png", "x/c_.png")
    assert "Change data_load.surfaces.regex" in str(caught.value)
