"""The name that a label file gives a picture in, the file of that picture below a folder out."""

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from defectseg.data.layouts.folders import pictures_below
from defectseg.data.picture import SUFFIXES
from defectseg.errors import DataError

USUAL_FOLDERS = ("images/default", "images", "data", "imgs", "JPEGImages")  # deepest first
MAX_NAME = 255  # bytes of one part of a path, as file systems have it
MAX_PARTS = 64
SHOWN = 5


class NamedPictures:
    """The pictures below a folder; a name from outside never leads out of it."""

    def __init__(self, root: Path, folders: Sequence[Path] = ()) -> None:
        """Nothing is read yet.

        Args:
            folders: Folders below the root that come first, if they exist.
        """
        self.root = root
        self.first = [folder for folder in folders if folder.is_dir()]
        usual = [root / name for name in USUAL_FOLDERS]
        self.usual = [root, *(folder for folder in usual if folder.is_dir())]

    def find(self, name: str) -> Path:
        """The file of a picture: by its path below one of the folders, else by its name anywhere.

        Raises:
            DataError: There is none, there are several, or the name leads out of the root.
        """
        path = check_name(name)
        for folders in (self.first, self.usual):
            found = list(dict.fromkeys(each / path for each in folders if (each / path).is_file()))
            if found:
                return self._only(name, found)
        found = self._by_name.get(_normalise(path.name), [])
        if not found:
            raise DataError(
                f"no picture {_shown(name)} below the folder; add it, or its label goes"
            )
        return self._only(name, found)

    def key(self, picture: Path) -> str:
        """The path of a picture below the folder of pictures, without its ending."""
        above = [each for each in self.usual if picture.is_relative_to(each)]
        folder = max(above, key=lambda each: len(each.parts))
        return picture.relative_to(folder).with_suffix("").as_posix()

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        """Pictures by the last part of their path."""
        found = defaultdict(list)
        for path in pictures_below(self.root):
            found[_normalise(path.name)].append(path)
        return dict(found)

    def _only(self, name: str, found: Sequence[Path]) -> Path:
        if len(found) == 1:
            return found[0]
        places = ", ".join(path.relative_to(self.root).as_posix() for path in found[:SHOWN])
        rest = f", … ({len(found)} of them)" if len(found) > SHOWN else ""
        raise DataError(
            f"several pictures may be {_shown(name)}: {places}{rest}; give its path from the root"
        )


def check_name(name: str) -> PurePosixPath:
    """The relative path that a name from outside says; `\\` parts folders as `/` does.

    Raises:
        DataError: It is no path to a picture, or leads out of its folder.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":")):
        raise DataError(f"{_shown(name)} leads out of the folder; expected a path below it")
    is_text = not any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in name)
    if not is_text or len(path.parts) > MAX_PARTS:
        raise DataError(f"{_shown(name)} is no path; expected that of a picture below the folder")
    if any(len(part.encode()) > MAX_NAME for part in path.parts):
        raise DataError(f"{_shown(name)} is longer than a file's name can be")
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{_shown(name)} is no picture; expected {', '.join(sorted(SUFFIXES))}")
    return path


def _normalise(name: str) -> str:
    """One form of letters with accents: file systems differ in theirs."""
    return unicodedata.normalize("NFC", name)


def _shown(name: str) -> str:
    return repr(name) if len(name) <= 80 else f"{name[:77]!r}…"
