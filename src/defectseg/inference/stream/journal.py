"""results.jsonl: the results of every picture so far in, what a later run need not repeat out.

A line is written as a whole and at once. A killed run leaves at most one torn line, at the end;
that is cut off when the file is opened again. Of two lines of one picture the later counts.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self

from defectseg.errors import DataError
from defectseg.files import remove_leftovers, write_atomically

NAME = "results.jsonl"
LOCK = ".lock"
SYNC_SECONDS = 1.0  # a line outlives its process at once, a power cut after this time
BLOCK = 65536  # bytes


def lock(folder: Path) -> IO[bytes]:
    """Hold a folder for one run; the system lets go of it when the process ends, however it ends.

    Raises:
        DataError: Another run holds it.
    """
    held = (folder / LOCK).open("ab")
    try:
        import fcntl  # Windows has none

        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        held.close()
        raise DataError(
            f"another run writes to {folder}; end it first, or name another --out"
        ) from error
    except (ImportError, OSError):
        pass  # a system or a file system that knows no locks
    return held


class Journal:
    """Opened on a folder; lines are added at its end."""

    def __init__(self, folder: Path) -> None:
        """Create the folder and the file, or go on with those that are there.

        Raises:
            DataError: The file has lines that are no results, or another run writes there.
            OSError: The folder cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = lock(folder)
        try:
            self._open(folder)
        except BaseException:
            self._lock.close()
            raise

    def _open(self, folder: Path) -> None:
        self.path = folder / NAME
        self.path.touch()
        if not self.path.is_file():
            raise DataError(f"{self.path} is no file; name another folder")
        remove_leftovers(self.path)
        cut_torn_line(self.path)
        self._done: dict[str, str] = {}  # image_id → fingerprint
        self._has_old_lines = False
        for image_id, record in self._records():
            self._note(image_id, record)
        self.compact()
        self._file: IO[str] = self.path.open("a", encoding="utf-8", newline="")
        self._synced = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close it; lines that a later one replaced are taken out."""
        with self._lock:
            try:
                self._sync()
            finally:
                self._file.close()
            self.compact()

    def is_done(self, image_id: str, fingerprint: str) -> bool:
        """Whether there is a result of this very file, made in this very way."""
        return self._done.get(image_id) == fingerprint

    def add(self, record: dict[str, Any], line: str) -> None:
        """Write the line of a picture; after this it outlives the process."""
        self._file.write(line + "\n")
        self._file.flush()
        self._note(record["image_id"], record)
        if time.monotonic() - self._synced > SYNC_SECONDS:
            self._sync()

    def records(self) -> Iterator[dict[str, Any]]:
        """Every picture's last record, in the order of the file."""
        last = {image_id: number for number, (image_id, _) in enumerate(self._records())}
        for number, (image_id, record) in enumerate(self._records()):
            if last[image_id] == number:
                yield record

    def compact(self) -> None:
        """Take out the lines that a later one replaced."""
        if not self._has_old_lines:
            return
        with write_atomically(self.path) as file:
            for record in self.records():
                file.write(to_line(record) + "\n")
        self._has_old_lines = False

    def _note(self, image_id: str, record: dict[str, Any]) -> None:
        self._has_old_lines |= image_id in self._done
        self._done[image_id] = str(record.get("fingerprint", ""))

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def _records(self) -> Iterator[tuple[str, dict[str, Any]]]:
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                record = read_record(line)
                if record is None:
                    raise DataError(
                        f"line {number} of {self.path} is no result of a picture; remove the line, "
                        "or name another folder"
                    )
                yield record["image_id"], record


def read_record(line: bytes) -> dict[str, Any] | None:
    """The record of a line; None if it is something else."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    is_ours = isinstance(record, dict) and isinstance(record.get("image_id"), str)
    return record if is_ours and ("verdict" in record or "error" in record) else None


def to_line(record: dict[str, Any]) -> str:
    """A record as one line of JSON, without its end."""
    return json.dumps(record, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def cut_torn_line(path: Path) -> None:
    """Cut off what follows the last end of a line: a run was killed while it wrote that."""
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        start = end
        while start > 0:
            start = max(0, start - BLOCK)
            file.seek(start)
            newline = file.read(min(BLOCK, end - start)).rfind(b"\n")
            if newline >= 0:
                start += newline + 1
                break
        if start < end:
            file.truncate(start)
