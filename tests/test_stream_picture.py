"""stream/picture: names of results that cannot collide and cannot lead elsewhere."""

import os
from pathlib import Path

import pytest

from defectseg.inference.stream.picture import LONGEST, locate, name_picture, printable, shorten


def name(path: str | Path, base: Path) -> str:
    return name_picture(str(path), base).image_id


def test_below_the_working_folder_it_is_the_path_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    for way in ("a/x.png", "./a/x.png", f"{tmp_path}/a/x.png", "b/../a/x.png"):
        assert name(way, tmp_path) == "a/x.png"


def test_elsewhere_it_is_the_whole_path_which_leads_nowhere_from_an_output_folder(tmp_path: Path):
    (tmp_path / "base").mkdir()
    told = name(tmp_path / "base/../../x.png", tmp_path / "base")
    assert told == f"_root{tmp_path.parent}/x.png"
    assert not told.startswith("/")
    assert ".." not in told.split("/")


def test_a_folder_here_is_never_taken_for_one_elsewhere(tmp_path: Path):
    base = tmp_path / "base"
    outside = name("/mnt/x.png", base)
    assert outside == "_root/mnt/x.png"
    for inside in ("mnt/x.png", "_root/mnt/x.png", "_root_root/mnt/x.png"):
        assert name(base / inside, base) != outside
    assert name(base / "_root/x.png", base) != name(base / "_root_root/x.png", base)


def test_pictures_of_one_name_and_different_endings_or_folders_stay_apart(tmp_path: Path):
    ways = ("a/x.png", "b/x.png", "a/x.jpg", "a/x.jpg.png", "a_x.png")
    assert len({name(tmp_path / way, tmp_path) for way in ways}) == len(ways)


def test_a_linked_folder_is_the_folder_but_a_linked_file_is_a_file_of_its_own(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/x.png").touch()
    (tmp_path / "way").symlink_to(tmp_path / "real")
    (tmp_path / "real/y.png").symlink_to("x.png")
    assert name(tmp_path / "way/x.png", tmp_path) == "real/x.png"
    assert locate(str(tmp_path / "real/y.png")) == tmp_path / "real/y.png"


@pytest.mark.parametrize("part", ["x" * 300, "é" * 200, os.fsdecode(b"\xff.png")])
def test_a_part_that_is_too_long_or_no_text_is_cut_and_keeps_apart_from_others(part: str):
    told = shorten(part)
    assert len(told.encode("utf-8")) <= LONGEST + 13
    assert told != shorten(part + "x")
    assert told == shorten(part)


def test_a_part_that_fits_is_kept():
    assert shorten("ü" * (LONGEST // 2)) == "ü" * (LONGEST // 2)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a b.png", "a b.png"),
        ("ü.png", "ü.png"),
        ("a\x1b[2J.png", "a\\x1b[2J.png"),
        ("a\nb", "a\\nb"),
        ("a\u202eb", "a\\u202eb"),
        (os.fsdecode(b"\xff"), "\\udcff"),
    ],
)
def test_what_is_shown_cannot_steer_a_terminal(text: str, told: str):
    assert printable(text) == told
