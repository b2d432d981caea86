"""Content in, a whole file out or none: a killed run leaves the earlier file as it was."""

import csv
import glob
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

PART = ".part"  # the end of the name of a file that is being written


@contextmanager
def replace_atomically(path: Path) -> Iterator[Path]:
    """Give a new path in the same folder; what is written there takes the name at the end.

    A failure leaves the earlier file and nothing else. A kill leaves the earlier file and perhaps
    `.<name>.<random>.part` beside it: see `remove_leftovers`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
    os.close(descriptor)
    staging = Path(name)
    try:
        yield staging
        with staging.open("rb") as file:
            os.fsync(file.fileno())
        staging.chmod(0o644)  # mkstemp's 0o600 would hide the file from other users
        staging.replace(path)
    except BaseException:
        staging.unlink(missing_ok=True)
        raise


def remove_leftovers(path: Path) -> None:
    """Remove what runs left beside a file that were killed while they wrote it."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*{PART}"):
        leftover.unlink(missing_ok=True)


@contextmanager
def write_atomically(path: Path) -> Iterator[IO[str]]:
    """Open a text file that takes its name only when everything has been written."""
    with (
        replace_atomically(path) as staging,
        staging.open("w", encoding="utf-8", newline="") as file,
    ):
        yield file


def write_json(path: Path, content: Any) -> None:
    """Write JSON as a person reads it: indented, keys in the order given, NaN refused."""
    with write_atomically(path) as file:
        json.dump(content, file, indent=2, allow_nan=False, ensure_ascii=False)
        file.write("\n")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV with one header line."""
    with write_atomically(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
