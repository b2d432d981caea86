"""A folder that a camera fills in, its pictures out, each as soon as it is complete.

The folder is listed again and again, which works on network drives too. A file is complete when
neither its size nor its time changed between two looks and it can be decoded.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from defectseg.data.picture import SUFFIXES
from defectseg.inference.stream.in_order import PAUSE, Pause
from defectseg.inference.stream.picture import locate
from defectseg.inference.stream.stop import Stop

PATIENCE = 5  # looks at a file that cannot be decoded before it is told


@dataclass(slots=True)
class Seen:
    """What is known of a file."""

    stamp: tuple[int, int]  # bytes, time of the last change in ns
    failures: int = 0
    is_taken: bool = False  # predicted, or being so; a change makes it new


class Watch:
    """Gives the paths of pictures, and a pause after each look."""

    def __init__(
        self, folder: Path, seconds: float, stop: Stop, output: Path | None = None
    ) -> None:
        """Args: seconds: between two looks. output: a folder whose pictures are our own."""
        self._folder = folder
        self._seconds = seconds
        self._stop = stop
        self._output = output and Path(os.path.realpath(output))
        self._seen: dict[str, Seen] = {}

    def paths(self) -> Iterator[str | Pause]:
        """Look until told to stop. A folder that is gone for a while is empty for that while."""
        while not self._stop.asked:
            found = dict(self._look())
            complete = [path for path, stamp in found.items() if self._is_complete(path, stamp)]
            self._seen = {path: self._seen[path] for path in found}
            for path in complete:
                self._seen[path].is_taken = True
                yield path
            yield PAUSE
            self._stop.wait(self._seconds)

    def retry(self, path: str) -> bool:
        """Take a picture back that could not be decoded; False when its time is over."""
        seen = self._seen.get(path)
        if seen is None:
            return False  # it is gone: told as it is
        seen.failures += 1
        if seen.failures >= PATIENCE:
            return False
        seen.is_taken = False
        return True

    def _is_complete(self, path: str, stamp: tuple[int, int]) -> bool:
        seen = self._seen.get(path)
        if seen is None or seen.stamp != stamp:
            self._seen[path] = Seen(stamp)
            return False
        return not seen.is_taken

    def _look(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Paths, oldest first, with their stamps."""
        stamps = {}
        for path in walk(str(self._folder), self._is_own):
            try:
                facts = Path(path).stat()
            except OSError:
                continue  # moved away since it was listed
            stamps[path] = (facts.st_size, facts.st_mtime_ns)
        yield from sorted(stamps.items(), key=lambda item: (item[1][1], item[0]))

    def _is_own(self, folder: str) -> bool:
        return self._output is not None and locate(folder) == self._output


def walk(folder: str, leave_out: Callable[[str], bool]) -> Iterator[str]:
    """Files below a folder that are named like pictures; hidden and linked folders are left out."""
    try:
        with os.scandir(folder) as listed:
            entries = list(listed)
    except OSError:
        return  # a network drive that is away comes back
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            if not leave_out(entry.path):
                yield from walk(entry.path, leave_out)
        elif Path(entry.name).suffix.lower() in SUFFIXES:
            yield entry.path
