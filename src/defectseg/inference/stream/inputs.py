"""What a person names in, the paths of pictures out: files, folders, globs and a list on stdin."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from defectseg.data.layouts.folders import pictures_below
from defectseg.data.picture import SUFFIXES
from defectseg.errors import DataError
from defectseg.inference.stream.picture import locate, printable

STDIN = "-"


def list_pictures(names: Sequence[str], output: Path | None = None) -> list[str]:
    """List every picture once, in the order of the names, those of a folder by path.

    A file that is named itself is taken whatever its ending; of folders and globs only what ends
    like a picture, and nothing below the output folder, which may lie among the pictures.

    Raises:
        DataError: A name leads to nothing, or there is no picture at all.
    """
    own = None if output is None else Path(os.path.realpath(output))
    found: dict[Path, str] = {}
    for name in names:
        for path in _expand(name, own):
            found.setdefault(locate(path), path)
    if not found:
        raise DataError(
            f"no picture in {', '.join(map(printable, names))}; expected files that end in "
            f"{', '.join(sorted(SUFFIXES))}"
        )
    return list(found.values())


def read_list(stream: BinaryIO, null: bool) -> list[str]:
    """The paths of a list, one a line, or each ended by a NUL as `find -print0` writes them.

    Raises:
        DataError: A path has a NUL in it: the list is of the other kind.
    """
    content = stream.read()
    if null:
        names = content.split(b"\0")
    else:
        if b"\0" in content:
            raise DataError("the list on stdin has NUL bytes; say --null for such a list")
        names = [line.removesuffix(b"\r") for line in content.split(b"\n")]
    return [os.fsdecode(name) for name in names if name]


def _expand(name: str, output: Path | None) -> Iterator[str]:
    if "\0" in name or not name:
        raise DataError(f"{printable(name)!r} is no path")
    if Path(name).is_file():
        yield name
    elif Path(name).is_dir():
        yield from _outside(pictures_below(Path(name)), output)
    elif glob.has_magic(name):
        for match in _outside(map(Path, _matches(name)), output):
            if Path(match).is_dir():
                yield from _outside(pictures_below(Path(match)), output)
            elif Path(match).suffix.lower() in SUFFIXES:
                yield match
    else:
        raise DataError(
            f"{printable(name)} is no file and no folder; name files, folders or a quoted glob"
        )


def _matches(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (Path.glob takes no absolute)


def _outside(paths: Iterable[Path], output: Path | None) -> Iterator[str]:
    for path in paths:
        if output is None or not locate(str(path)).is_relative_to(output):
            yield str(path)
