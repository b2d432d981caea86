"""inputs: files, folders, globs and lists become pictures, each once."""

import io
import os
from pathlib import Path

import pytest

from defectseg.errors import DataError
from defectseg.inference.stream.inputs import list_pictures, read_list


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with pictures two levels deep, and what is no picture."""
    for name in ("in/b.png", "in/a.JPG", "in/sub/c.tif", "in/.hidden/d.png", "in/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "no_ending").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_gives_its_pictures_and_those_below_in_order():
    assert list_pictures(["in"]) == ["in/a.JPG", "in/b.png", "in/sub/c.tif"]


def test_a_file_that_is_named_itself_is_taken_whatever_its_ending():
    assert list_pictures(["no_ending", "in/notes.txt"]) == ["no_ending", "in/notes.txt"]


def test_a_glob_gives_files_that_end_like_pictures_and_goes_into_folders():
    assert list_pictures(["in/*"]) == ["in/a.JPG", "in/b.png", "in/sub/c.tif"]
    assert list_pictures(["in/**/*.tif"]) == ["in/sub/c.tif"]
    assert list_pictures(["in/[b]*"]) == ["in/b.png"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(workplace: Path):
    (workplace / "x[1].png").touch()
    (workplace / "x1.png").touch()
    assert list_pictures(["x[1].png"]) == ["x[1].png"]


def test_a_picture_that_is_named_twice_is_taken_once_at_its_first_place(workplace: Path):
    names = ["in/b.png", "./in", str(workplace / "in/b.png"), "in/sub/../b.png", "in/*.png"]
    assert list_pictures(names) == ["in/b.png", "in/a.JPG", "in/sub/c.tif"]


def test_two_links_to_one_content_are_two_pictures(workplace: Path):
    (workplace / "links").mkdir()
    for name in ("x.png", "y.png"):
        (workplace / "links" / name).symlink_to(workplace / "in/b.png")
    assert list_pictures(["links"]) == ["links/x.png", "links/y.png"]


def test_what_lies_in_the_output_folder_is_no_input_unless_it_is_named(workplace: Path):
    overlay = workplace / "in/results/overlays/b.png.jpg"
    overlay.parent.mkdir(parents=True)
    overlay.touch()
    out = Path("in/results")
    assert list_pictures(["in"], out) == ["in/a.JPG", "in/b.png", "in/sub/c.tif"]
    assert list_pictures(["in/*"], out) == ["in/a.JPG", "in/b.png", "in/sub/c.tif"]
    assert list_pictures([str(overlay)], out) == [str(overlay)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.png", "gone.png is no file and no folder; name files"),
        ("in/.hidden", None),
        ("in/*.bmp", r"no picture in in/\*.bmp; expected files that end in .bmp, .jpeg"),
        ("", "'' is no path"),
        ("a\0b", "is no path"),
        ("a\x1bb", r"a\\x1bb is no file"),
    ],
)
def test_a_name_that_leads_to_nothing_is_told(name: str, message: str | None):
    if message is None:  # a hidden folder that is named itself is meant
        assert list_pictures([name]) == ["in/.hidden/d.png"]
        return
    with pytest.raises(DataError, match=message):
        list_pictures([name])


def test_an_empty_folder_has_no_picture(workplace: Path):
    (workplace / "empty").mkdir()
    with pytest.raises(DataError, match="no picture in empty"):
        list_pictures(["empty"])


def test_a_list_has_a_path_a_line_of_either_kind_and_blank_lines_are_nothing():
    assert read_list(io.BytesIO(b"a b.png\r\n\n\xc3\xbc.png\n"), null=False) == ["a b.png", "ü.png"]


def test_a_list_with_nul_bytes_may_have_any_name_in_it():
    names = read_list(io.BytesIO(b"a\nb.png\0\xff.png\0"), null=True)
    assert names == ["a\nb.png", os.fsdecode(b"\xff.png")]


def test_a_list_with_nul_bytes_is_not_taken_for_lines():
    with pytest.raises(DataError, match="say --null"):
        read_list(io.BytesIO(b"a.png\0b.png\0"), null=False)
