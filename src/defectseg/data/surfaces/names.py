"""What people or paths say in, the surface of a picture out: a column of pictures.csv or a regex.

pictures.csv lies in the root of a data set: a row a picture, named in the column `picture` by its
path from the root, its file name, stem or id. UTF-8; cells parted by comma, semicolon or tab.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from defectseg.data.surfaces.find import SurfaceParams
from defectseg.errors import SHOWN, DataError, OffendersError

PICTURE = "picture"
NOTES = ("labelled_by", "labelled_at", "label_tool")
SEPARATORS = (",", ";", "\t")  # Excel writes semicolons where the comma is the decimal sign
MOST_BYTES = 64_000_000  # of pictures.csv: 300 bytes for each of 200 000 pictures
LONGEST_NAME = 200  # characters of a cell
LONGEST_PATH = 1024  # characters of a picture's path


@dataclass(frozen=True)
class PictureNotes:
    """What pictures.csv says of one picture; "" where it has no such column."""

    surface: str
    labelled_by: str
    labelled_at: str
    label_tool: str


def surface_of(path: str, params: SurfaceParams) -> str | None:
    """The surface that the regex finds in a picture's path: its group `surface`, else its first.

    Without a group it is the whole match. None: the regex finds nothing that can be a name.
    """
    found = re.search(params.regex or "", path)
    if found is None:
        return None
    group = "surface" if "surface" in found.re.groupindex else min(1, found.re.groups)
    name = found[group]
    return None if not name or find_fault(name, LONGEST_NAME) else str(name)


def find_fault(text: str, longest: int) -> str:
    """Why a text can be no name, "" if it can: it is too long, or some of it cannot be printed."""
    if len(text) > longest:
        return f"{len(text)} characters, at most {longest} are allowed"
    unprintable = [c for c in text if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029"]
    return f"{unprintable[0]!r} cannot be printed" if unprintable else ""


def read_notes(path: Path, column: str | None) -> dict[str, PictureNotes]:
    """Read pictures.csv: the notes of each picture, by its cell `picture` with forward slashes.

    Args:
        column: names the surface; every picture must have one. None = surfaces are not asked for.

    Raises:
        DataError: The file cannot be read, lacks a column, or some rows are wrong; lists them all.
    """
    rows = _split_rows(path)
    header = next(rows, (0, []))[1]
    wanted = [PICTURE, *([column] if column is not None else [])]
    if missing := [name for name in wanted if header.count(name) != 1]:
        found_there = ", ".join(repr(name[:LONGEST_NAME]) for name in header[:SHOWN]) or "none"
        raise DataError(
            f"{path.name} needs one column {' and one '.join(map(repr, missing))}; "
            f"columns found: {found_there}"
        )
    notes: dict[str, PictureNotes] = {}
    faults: list[str] = []
    for line, cells in rows:
        found = [] if len(cells) == len(header) else [f"{len(cells)} cells, not {len(header)}"]
        row = dict(zip(header, cells, strict=False))
        picture = row.get(PICTURE, "").replace("\\", "/").removeprefix("./")
        found += _find_faults(row, wanted)
        if picture in notes:
            found.append(f"{picture[:LONGEST_NAME]!r} has a row already")
        faults += [f"line {line}: {fault}" for fault in found]
        surface = row.get(column, "") if column is not None else ""
        notes[picture] = PictureNotes(surface, *(row.get(name, "") for name in NOTES))
    if faults:
        raise OffendersError(f"{path.name} has wrong rows", faults, "Mend them and run again.")
    return notes


def _find_faults(row: dict[str, str], wanted: Sequence[str]) -> Iterator[str]:
    """What is wrong with the cells that we read."""
    yield from (f"{name} is empty" for name in wanted if not row.get(name))
    for name in dict.fromkeys((*wanted, *NOTES)):
        fault = find_fault(row.get(name, ""), LONGEST_PATH if name == PICTURE else LONGEST_NAME)
        if fault:
            yield f"{name}: {fault}"


def _split_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number of its last line and the cells of each row that is not blank, header first."""
    text = _read_text(path)
    first = text.lstrip("\r\n ").partition("\n")[0]
    parts = {s: [cell.strip().strip('"') for cell in first.split(s)] for s in SEPARATORS}
    naming = [s for s in SEPARATORS if PICTURE in parts[s]]
    separator = max(naming or SEPARATORS, key=lambda s: len(parts[s]))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise DataError(
            f"{path.name} line {reader.line_num} is no CSV: {error}; mend its quotes"
        ) from error


def _read_text(path: Path) -> str:
    try:
        if not path.is_file():
            raise DataError(f"there is no file {path}; write one or choose another surface source")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MOST_BYTES:
        raise DataError(
            f"{path.name} is larger than {MOST_BYTES // 10**6} MB; leave out columns and rows "
            "that say nothing about pictures"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path.name} is no UTF-8 text (byte {error.start}); save it as CSV UTF-8"
        ) from error
