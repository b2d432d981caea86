"""Names in label files: each leads to one picture below the folder, or to a message."""

import unicodedata
from pathlib import Path

import pytest

from defectseg.data.layouts.named_pictures import NamedPictures
from defectseg.errors import DataError


def place(root: Path, *names: str) -> Path:
    """Empty files: nothing is opened to find them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.png", "a.png"),
        ("sub/b.png", "sub/b.png"),
        ("c.png", "images/c.png"),
        ("day1/d.png", "images/day1/d.png"),
        ("images/c.png", "images/c.png"),
        ("e.jpg", "images/default/e.jpg"),
        ("f.png", "data/f.png"),
        ("day1\\d.png", "images/day1/d.png"),
        ("./a.png", "a.png"),
        ("d.png", "images/day1/d.png"),
        ("far/away/g.PNG", "deep/down/here/g.PNG"),
        ("12:30 h.png", "images/12:30 h.png"),
    ],
)
def test_a_picture_is_found_by_its_path_or_else_by_its_name(tmp_path: Path, name: str, file: str):
    place(
        tmp_path,
        *("a.png", "sub/b.png", "images/c.png", "images/day1/d.png", "images/default/e.jpg"),
        *("data/f.png", "deep/down/here/g.PNG", "images/12:30 h.png"),
    )
    assert NamedPictures(tmp_path).find(name) == tmp_path / file


def test_a_path_wins_over_the_same_name_elsewhere(tmp_path: Path):
    place(tmp_path, "images/a.png", "images/day1/a.png")
    assert NamedPictures(tmp_path).find("day1/a.png") == tmp_path / "images/day1/a.png"
    assert NamedPictures(tmp_path).find("a.png") == tmp_path / "images/a.png"


def test_folders_that_are_named_come_first(tmp_path: Path):
    place(tmp_path, "images/a.png", "images/train/a.png")
    train = NamedPictures(tmp_path, [tmp_path / "images/none", tmp_path / "images/train"])
    assert train.find("a.png") == tmp_path / "images/train/a.png"


def test_letters_with_accents_are_alike_in_both_forms(tmp_path: Path):
    place(tmp_path, unicodedata.normalize("NFD", "sub/Stück.png"))
    found = NamedPictures(tmp_path).find(unicodedata.normalize("NFC", "Stück.png"))
    assert found.parent == tmp_path / "sub"


def test_two_pictures_of_one_name_are_refused_and_both_are_shown(tmp_path: Path):
    place(tmp_path, "one/a.png", "two/a.png")
    with pytest.raises(DataError, match=r"several pictures may be 'a.png': one/a.png, two/a.png;"):
        NamedPictures(tmp_path).find("a.png")


def test_two_folders_with_the_path_are_refused(tmp_path: Path):
    place(tmp_path, "a.png", "images/a.png")
    with pytest.raises(DataError, match=r"several pictures may be 'a.png': a.png, images/a.png;"):
        NamedPictures(tmp_path).find("a.png")


def test_of_many_pictures_some_are_shown(tmp_path: Path):
    place(tmp_path, *(f"{number}/a.png" for number in range(7)))
    with pytest.raises(DataError, match=r"4/a.png, … \(7 of them\)"):
        NamedPictures(tmp_path).find("a.png")


@pytest.mark.parametrize("name", ["b.png", "images/b.png", "A.PNG", "images", "a.png/b.png"])
def test_a_picture_that_is_not_there_is_named(tmp_path: Path, name: str):
    place(tmp_path, "images/a.png")
    with pytest.raises(DataError, match=r"no picture '|is no picture; expected"):
        NamedPictures(tmp_path).find(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../outside.png", "leads out of the folder"),
        ("images/../../outside.png", "leads out of the folder"),
        ("..\\outside.png", "leads out of the folder"),
        ("images/..", "leads out of the folder"),
        ("/etc/outside.png", "leads out of the folder"),
        ("\\\\server\\outside.png", "leads out of the folder"),
        ("C:\\pictures\\outside.png", "leads out of the folder"),
        ("https://example.org/outside.png", "leads out of the folder"),
        ("a\x00.png", "is no path"),
        ("a\n.png", "is no path"),
        ("\ud800.png", "is no path"),
        ("a/" * 70 + "b.png", "is no path"),
        ("ä" * 126 + ".png", "longer than a file's name can be"),
        ("", "is no picture; expected .*jpg"),
        (".", "is no picture"),
        ("labels.json", "is no picture"),
    ],
)
def test_an_unsafe_name_is_refused_though_there_is_such_a_file(
    tmp_path: Path, name: str, message: str
):
    place(tmp_path, "outside.png", "data set/labels.json", "data set/images/a.png")
    with pytest.raises(DataError, match=message) as error:
        NamedPictures(tmp_path / "data set").find(name)
    assert len(str(error.value)) < 400
    assert str(error.value).isprintable()


def test_a_link_inside_the_folder_is_followed(tmp_path: Path):
    place(tmp_path, "elsewhere/a.png", "set/images/b.png")
    (tmp_path / "set/images/a.png").symlink_to(tmp_path / "elsewhere/a.png")
    assert NamedPictures(tmp_path / "set").find("a.png") == tmp_path / "set/images/a.png"


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("a.b.png", "a.b"),
        ("images/a.png", "a"),
        ("images/day1/a.png", "day1/a"),
        ("images/default/day1/a.png", "day1/a"),
        ("train/a.png", "train/a"),
    ],
)
def test_the_key_of_a_picture_is_its_path_below_the_folder_of_pictures(
    tmp_path: Path, file: str, key: str
):
    place(tmp_path, file)
    named = NamedPictures(tmp_path, [tmp_path / "train"])
    assert named.key(tmp_path / file) == key
