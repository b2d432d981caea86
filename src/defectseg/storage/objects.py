"""The objects of a storage in, those that are damaged or missing out; each one is read and hashed.

DVC never looks at an object that is already there: it would neither notice that one is damaged nor
push it again. It even takes the listing of a folder as proof that the folder's files are there.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from defectseg.storage.reach import open_objects

OBJECT = re.compile(r"([0-9a-f]{2})/([0-9a-f]{30}(?:\.dir)?)$")
LISTING = ".dir"  # the end of the name of a listing: JSON, the md5 and path of each file
READERS = 8  # objects that are read at once
CHUNK = 2**20  # bytes


@dataclass(frozen=True)
class ObjectCheck:
    """What was found in a storage; an object is named by its md5, a listing by md5 and `.dir`."""

    checked: int
    damaged: tuple[str, ...]  # their content is not that of their name
    missing: tuple[str, ...]  # named by a sound listing, and not there
    incomplete: tuple[str, ...]  # sound listings that name a damaged or missing object

    @property
    def is_sound(self) -> bool:
        """Whether everything is there that should be, as it should be."""
        return not self.damaged and not self.missing


def check_objects(root: Path) -> ObjectCheck:
    """Read every object of the storage of a project; as much traffic as the storage has bytes.

    Raises:
        StorageError: The storage cannot be reached.
    """
    with open_objects(root) as objects:
        paths = {"".join(found.groups()): path for path, found in _named(objects) if found}
        with ThreadPoolExecutor(READERS) as readers:
            hashes = readers.map(lambda path: _md5_of(objects, path), paths.values())
            sound = {
                name
                for name, md5 in zip(paths, hashes, strict=True)
                if md5 == name.removesuffix(LISTING)
            }
        listings = {
            name: _files_of(objects, paths[name]) for name in sound if name.endswith(LISTING)
        }
    return _judge(set(paths), sound, listings)


def remove_damaged(root: Path, found: ObjectCheck) -> int:
    """Remove what is damaged and the listings that name it, so that `dvc push` puts them back.

    Raises:
        StorageError: The storage cannot be reached.
    """
    names = [*found.damaged, *found.incomplete]
    with open_objects(root) as objects:
        for name in names:
            objects.fs.remove(objects.oid_to_path(name))
    return len(names)


def _judge(there: set[str], sound: set[str], listings: Mapping[str, set[str]]) -> ObjectCheck:
    needed = set().union(*listings.values())
    return ObjectCheck(
        len(there),
        tuple(sorted(there - sound)),
        tuple(sorted(needed - there)),
        tuple(sorted(name for name, files in listings.items() if files - sound)),
    )


def _named(objects: Any) -> list[tuple[str, re.Match[str] | None]]:
    return [(path, OBJECT.search(path)) for path in objects.fs.find(objects.path)]


def _md5_of(objects: Any, path: str) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    with objects.fs.open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            md5.update(chunk)
    return md5.hexdigest()


def _files_of(objects: Any, path: str) -> set[str]:
    with objects.fs.open(path, "rb") as file:
        return {str(entry["md5"]) for entry in json.load(file)}
