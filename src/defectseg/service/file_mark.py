"""A path in, what tells one state of that file from another out; nothing is opened."""

from pathlib import Path
from typing import NamedTuple


class FileMark(NamedTuple):
    """Differs when another file took the name, or the same one was written to."""

    device: int
    inode: int
    size: int  # bytes
    changed_ns: tuple[int, int]  # mtime and ctime: a copy may keep the first, never the second


def mark_file(path: Path) -> FileMark | None:
    """The mark of whatever is there, links followed; None where nothing can be seen."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    changed_ns = (found.st_mtime_ns, found.st_ctime_ns)
    return FileMark(found.st_dev, found.st_ino, found.st_size, changed_ns)
