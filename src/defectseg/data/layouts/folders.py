"""A folder in, its folders and pictures out: always in the same order, hidden ones left out."""

import os
from collections.abc import Iterable
from pathlib import Path

from defectseg.data.picture import SUFFIXES


def subfolders(folder: Path) -> list[Path]:
    """Folders in a folder, without hidden ones and what macOS adds to archives."""
    return sorted(
        each
        for each in folder.iterdir()
        if each.is_dir() and not each.name.startswith((".", "__MACOSX"))
    )


def subfolder(folder: Path, *names: str) -> Path | None:
    """The first folder in a folder that has one of the names, upper and lower case alike."""
    return next((each for each in subfolders(folder) if each.name.lower() in names), None)


def pictures_in(folder: Path) -> list[Path]:
    """Files in a folder that are named like pictures."""
    return files_in(folder, SUFFIXES)


def files_in(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    """Files in a folder with one of the endings, such as `.json`."""
    wanted = frozenset(suffixes)
    return sorted(
        each
        for each in folder.iterdir()
        if each.suffix.lower() in wanted and not each.name.startswith(".") and each.is_file()
    )


def pictures_below(folder: Path, above: frozenset[Path] = frozenset()) -> list[Path]:
    """Pictures in a folder and in every folder below it."""
    above |= {folder.resolve()}  # a link to a folder above would never end
    below = [each for each in subfolders(folder) if each.resolve() not in above]
    return pictures_in(folder) + [p for each in below for p in pictures_below(each, above)]


def sort_files(root: Path, files: Iterable[Path]) -> tuple[Path, ...]:
    """Files in the order of the bytes of their paths below the root, each once."""
    return tuple(
        sorted(set(files), key=lambda path: os.fsencode(path.relative_to(root).as_posix()))
    )


def other_pictures(root: Path, files: Iterable[Path]) -> tuple[str, ...]:
    """Pictures below the root that a layout does not use, relative to it."""
    used = set(files)
    others = (path for path in pictures_below(root) if path not in used)
    return tuple(sorted(path.relative_to(root).as_posix() for path in others))
