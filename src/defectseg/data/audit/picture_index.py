"""Paths of pictures in; whatever a table calls one of them in, the picture that it means out.

A row of a table may be a path, the end of one, a name, or a name without its ending. Linear in the
pictures and in the rows, however many pictures have one name.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import PurePosixPath

from defectseg.data.picture import SUFFIXES

FEW = 3  # pictures that one row may mean, as far as a message needs them
Folders = tuple[str, ...]  # of a path, the innermost first
Called = tuple[str, str]  # ("name", a.jpg) or ("stem", a)


class PictureIndex:
    """Finds pictures by whatever a row calls them."""

    def __init__(self, pictures: Mapping[str, str]) -> None:
        """Args: pictures: picture → its path, relative and with `/`."""
        self._by_path: dict[str, str] = {}
        self._folders: dict[str, Folders] = {}
        self._groups: dict[Called, list[str]] = defaultdict(list)
        self._namesakes: dict[Called, _Namesakes] = {}
        for picture, text in pictures.items():
            path = PurePosixPath(text)
            self._by_path[text] = picture
            self._folders[picture] = path.parts[-2::-1]
            self._groups["name", path.name].append(picture)
            self._groups["stem", path.stem].append(picture)

    def find(self, row: str) -> list[str]:
        """The pictures that a row may mean: one, if it is certain; else the first few, or none."""
        path = PurePosixPath(row.replace("\\", "/"))
        exact = self._by_path.get(str(path))
        if exact is not None:
            return [exact]
        ways: list[Called] = [("name", path.name), ("stem", path.name)]
        if path.suffix.lower() in SUFFIXES:
            ways.append(("stem", path.stem))
        called = next((way for way in ways if way in self._groups), None)
        if called is None:
            return []
        group = self._groups[called]
        if len(group) == 1:
            return group
        if called not in self._namesakes:
            self._namesakes[called] = _Namesakes({one: self._folders[one] for one in group})
        return (self._namesakes[called].find(path.parts[-2::-1]) or group)[:FEW]


class _Namesakes:
    """Pictures of one name, by their folders."""

    def __init__(self, folders: Mapping[str, Folders]) -> None:
        self._whole: dict[Folders, list[str]] = defaultdict(list)  # pictures by all their folders
        self._inner: dict[Folders, list[str]] = defaultdict(list)  # … and by the innermost ones
        for picture, known in folders.items():
            self._whole[known].append(picture)
            for depth in range(len(known) + 1):
                self._inner[known[:depth]].append(picture)

    def find(self, folders: Folders) -> list[str]:
        """Those whose path ends as the row's does; else those whose path is the row's end."""
        if folders in self._inner:
            return self._inner[folders]
        ends = (folders[:depth] for depth in range(len(folders) - 1, -1, -1))  # the longest first
        return next((self._whole[end] for end in ends if end in self._whole), [])
