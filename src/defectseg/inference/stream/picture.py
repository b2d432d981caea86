"""The path of a picture in, the name that its results have out: one a file, never outside a folder.

A picture below the working folder is named by its path from there, any other by its whole path:
`data/a.jpg`, `_root/mnt/camera/a.jpg`. The same file has the same name whatever else is predicted.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

OUTSIDE = "_root"  # the first part of the name of a picture outside of the working folder
LONGEST = 180  # bytes of one part of a name: file systems take 255, endings need some


@dataclass(frozen=True, slots=True)
class Picture:
    """A file to predict."""

    path: str  # as it was named, or found below a folder that was
    image_id: str  # unique; a relative path with `/` that leads nowhere else


def name_picture(path: str, base: Path) -> Picture:
    """Name a file; `base` is the working folder, resolved."""
    place = locate(path)
    inside = place.is_relative_to(base)
    parts = (place.relative_to(base) if inside else place).parts
    kept = [part for part in parts if part != place.anchor]
    if not inside:
        kept.insert(0, OUTSIDE)
    elif kept and kept[0].startswith(OUTSIDE):
        kept[0] = f"{OUTSIDE}{kept[0]}"  # a folder of that name here is another one
    return Picture(path, "/".join(shorten(part) for part in kept))


def locate(path: str) -> Path:
    """Where a file lies, whatever way leads there; a link to a file stays a file of its own.

    Two links may lead to one content, as in a cache of DVC, and still be two pictures.
    """
    folder, name = os.path.split(path)
    return Path(os.path.realpath(folder), name)


def shorten(part: str) -> str:
    """A part of a path that every file system and JSON can hold; the same if it is one already."""
    raw = os.fsencode(part)
    text = raw.decode("utf-8", errors="replace")
    if len(raw) <= LONGEST and text == part:
        return part
    kept = text.encode()[:LONGEST].decode("utf-8", errors="ignore")
    return f"{kept}~{hashlib.sha256(raw).hexdigest()[:12]}"


def printable(text: str) -> str:
    """A path or message that cannot steer a terminal, and that UTF-8 can hold."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
