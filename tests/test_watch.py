"""watch: a file is given once, when it is complete; the test is the clock."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from defectseg.inference.stream.in_order import PAUSE, Pause
from defectseg.inference.stream.stop import Stop
from defectseg.inference.stream.watch import PATIENCE, Watch


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def watch(folder: Path, output: Path | None = None) -> tuple[Watch, Iterator[str | Pause]]:
    watched = Watch(folder, 0.0, Stop(), output)
    return watched, watched.paths()


def look(paths: Iterator[str | Pause]) -> list[str]:
    """The names of what one look gives."""
    given = []
    for path in paths:
        if isinstance(path, Pause):
            return given
        given.append(Path(path).name)
    raise AssertionError("the watch ended")


def write(path: Path, content: str = "x", second: int = 1) -> None:
    """Write a file that was changed in that second."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    os.utime(path, (second, second))


def test_a_file_is_given_once_at_the_second_look_at_it(folder: Path):
    write(folder / "there.png")
    _, paths = watch(folder)
    assert look(paths) == []
    write(folder / "new.jpg")
    assert look(paths) == ["there.png"]
    assert look(paths) == ["new.jpg"]
    assert look(paths) == look(paths) == []


def test_a_file_that_grows_waits_until_it_does_not(folder: Path):
    write(folder / "a.png", "x")
    _, paths = watch(folder)
    assert look(paths) == []
    write(folder / "a.png", "xx")
    assert look(paths) == []
    write(folder / "a.png", "xx", second=2)  # of the same size, but written again
    assert look(paths) == []
    assert look(paths) == ["a.png"]


def test_a_file_that_is_written_anew_later_is_a_new_picture(folder: Path):
    write(folder / "latest.png", "one")
    _, paths = watch(folder)
    assert [look(paths), look(paths), look(paths)] == [[], ["latest.png"], []]
    write(folder / "latest.png", "two", second=5)
    assert [look(paths), look(paths), look(paths)] == [[], ["latest.png"], []]


def test_the_oldest_comes_first(folder: Path):
    for second, name in ((3, "a.png"), (1, "c.png"), (2, "b.png")):
        write(folder / name, second=second)
    _, paths = watch(folder)
    look(paths)
    assert look(paths) == ["c.png", "b.png", "a.png"]


def test_one_that_cannot_be_decoded_is_tried_again_and_told_once(folder: Path):
    write(folder / "a.png")
    watched, paths = watch(folder)
    look(paths)
    for _ in range(PATIENCE - 1):
        assert look(paths) == ["a.png"]
        assert watched.retry(str(folder / "a.png"))
    assert look(paths) == ["a.png"]
    assert not watched.retry(str(folder / "a.png"))
    assert look(paths) == look(paths) == []


def test_one_that_is_mended_has_its_patience_anew(folder: Path):
    write(folder / "a.png")
    watched, paths = watch(folder)
    look(paths)
    for _ in range(PATIENCE):
        look(paths)
        watched.retry(str(folder / "a.png"))
    write(folder / "a.png", "whole", second=9)
    assert [look(paths), look(paths)] == [[], ["a.png"]]
    assert watched.retry(str(folder / "a.png"))


def test_one_that_is_gone_again_is_forgotten(folder: Path):
    write(folder / "a.png")
    watched, paths = watch(folder)
    look(paths)
    (folder / "a.png").unlink()
    assert look(paths) == []
    assert not watched.retry(str(folder / "a.png"))


def test_folders_below_are_watched_hidden_ones_and_our_own_output_are_not(folder: Path):
    for name in ("sub/a.png", ".b.png", ".sub/c.png", "out/d.png", "notes.txt"):
        write(folder / name)
    _, paths = watch(folder, output=folder / "out")
    look(paths)
    assert look(paths) == ["a.png"]


def test_a_folder_that_is_away_is_empty_until_it_comes_back(folder: Path):
    write(folder / "a.png")
    _, paths = watch(folder)
    assert look(paths) == []
    folder.rename(folder.with_name("away"))
    assert look(paths) == []
    folder.with_name("away").rename(folder)
    assert [look(paths), look(paths)] == [[], ["a.png"]]


def test_it_ends_when_it_is_told_to(folder: Path):
    stop = Stop()
    paths = Watch(folder, 60.0, stop).paths()
    assert next(paths) is PAUSE
    stop.asked = True
    assert list(paths) == []
