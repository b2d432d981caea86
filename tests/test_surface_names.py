"""names: what a regex or pictures.csv says of the surface of a picture."""

from pathlib import Path

import pytest

from defectseg.data.surfaces.find import SurfaceParams
from defectseg.data.surfaces.names import PictureNotes, find_fault, read_notes, surface_of
from defectseg.errors import DataError, OffendersError


def surfaces(path: Path, content: str | bytes) -> dict[str, str]:
    """The surface of each picture in a pictures.csv of this content."""
    file = path / "pictures.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return {picture: note.surface for picture, note in read_notes(file, "surface").items()}


@pytest.mark.parametrize(
    ("regex", "path", "surface"),
    [
        (r"num_\d+", "Imgs/exp1_num_23.jpg", "num_23"),
        (r"exp(\d)_num_(\d+)", "Imgs/exp1_num_23.jpg", "1"),
        (r"exp(\d)_num_(?P<surface>\d+)", "Imgs/exp1_num_23.jpg", "23"),
        (r"other(\d)?", "Imgs/other.jpg", None),
        (r"num_(\d+)", "Imgs/other.jpg", None),
        (r"\d*", "Imgs/other.jpg", None),
        (r"a(.*)b", "a\x07b", None),
        (r"(.*)/", "x" * 200 + "/a.jpg", "x" * 200),
        (r"(.*)/", "x" * 201 + "/a.jpg", None),
    ],
)
def test_a_regex_finds_the_surface_in_a_path(regex: str, path: str, surface: str | None):
    params = {"source": "regex", "column": "", "similarity": 0.5, "neighbours": 8}
    assert surface_of(path, SurfaceParams.model_validate(params | {"regex": regex})) == surface


@pytest.mark.parametrize("character", ["\x00", "\n", "\x1b", "\x7f", "\u200b", "\u202e", "\u2028"])
def test_a_character_that_cannot_be_printed_is_a_fault(character: str):
    assert find_fault(f"a{character}b", 10) == f"{character!r} cannot be printed"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("form", ["{}\n{}\n{}\n", "\ufeff{}\r\n{}\r\n{}"])
def test_every_common_way_to_save_a_table_is_read(tmp_path: Path, separator: str, form: str):
    rows = [["surface", "picture"], ["s1", "a.jpg"], ["s2", "b.jpg"]]
    content = form.format(*map(separator.join, rows))
    assert surfaces(tmp_path, content) == {"a.jpg": "s1", "b.jpg": "s2"}


def test_quotes_and_blanks_around_cells_and_blank_rows_say_nothing(tmp_path: Path):
    content = '"picture";"size, px, mm"; surface \n\n a.jpg ;;"s;1"\n ; ; \n\nb.jpg;4,5;s2\n\n'
    assert surfaces(tmp_path, content) == {"a.jpg": "s;1", "b.jpg": "s2"}


def test_paths_have_forward_slashes_and_begin_in_the_root(tmp_path: Path):
    content = "picture,surface\nImgs\\ä №.jpg,s1\n./Imgs/b.jpg,s2\n.\\c.jpg,s3\n"
    assert surfaces(tmp_path, content) == {"Imgs/ä №.jpg": "s1", "Imgs/b.jpg": "s2", "c.jpg": "s3"}


def test_notes_on_the_labels_are_read_and_other_columns_left_alone(tmp_path: Path):
    header = "labelled_at,picture,size,label_tool,labelled_by\n"
    path = tmp_path / "pictures.csv"
    path.write_text(f"{header}2024-01-02,a,\x07,brush,Ada\n,b,,,\n")
    noted, bare = PictureNotes("", "Ada", "2024-01-02", "brush"), PictureNotes("", "", "", "")
    assert read_notes(path, None) == {"a": noted, "b": bare}


@pytest.mark.parametrize(
    ("header", "needed"),
    [
        ("picture,tile", "'surface'; columns found: 'picture', 'tile'"),
        ("picture,surface,surface", "'surface'; columns found"),
        ("", "'picture' and one 'surface'; columns found: none"),
    ],
)
def test_a_missing_or_double_column_is_named(tmp_path: Path, header: str, needed: str):
    with pytest.raises(DataError, match=f"needs one column {needed}"):
        surfaces(tmp_path, header)


def test_all_wrong_rows_are_listed_in_one_message(tmp_path: Path):
    long, too_long = "x" * 201, "201 characters, at most 200 are allowed"
    rows = ["picture,surface,labelled_by", "x/a,s1,", ".\\x\\a,s2,", "b,,", "c,s,3,4", "d"]
    rows += [",s4,", f"{'e' * 1025},s5,", "f,s\x006,", f"g,{long},{long}", 'h,"s\n1",']
    rows += [f"{'i' * 1024},{'x' * 200},{'x' * 200}"]  # as long as may be
    with pytest.raises(OffendersError, match=r"pictures\.csv has wrong rows \(11\)") as caught:
        surfaces(tmp_path, "\n".join(rows))
    assert caught.value.offenders == (
        "line 3: 'x/a' has a row already",
        "line 4: surface is empty",
        "line 5: 4 cells, not 3",
        "line 6: 1 cells, not 3",
        "line 6: surface is empty",
        "line 7: picture is empty",
        "line 8: picture: 1025 characters, at most 1024 are allowed",
        "line 9: surface: '\\x00' cannot be printed",
        f"line 10: surface: {too_long}",
        f"line 10: labelled_by: {too_long}",
        "line 12: surface: '\\n' cannot be printed",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"picture,surface\na,s\xe4\n", r"no UTF-8 text \(byte 19\); save it as CSV UTF-8"),
        ("picture\na\n".encode("utf-16"), r"no UTF-8 text \(byte 0\)"),
        ('picture,surface\na,"s1\n', r"line 2 is no CSV: .*; mend its quotes"),
        ("picture,surface\na," + "x" * 140_000, r"line 2 is no CSV: field larger"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: str | bytes, message: str):
    with pytest.raises(DataError, match=message):
        surfaces(tmp_path, content)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path):
    path = tmp_path / "pictures.csv"
    with path.open("wb") as file:
        file.truncate(64_000_001)  # a hole: takes no space
    with pytest.raises(DataError, match="larger than 64 MB"):
        read_notes(path, None)


@pytest.mark.parametrize("name", ["missing.csv", ".", "x" * 300])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str):
    with pytest.raises(DataError, match=r"there is no file|cannot be read"):
        read_notes(tmp_path / name, None)
