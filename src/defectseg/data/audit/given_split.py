"""A split that somebody made, as a CSV or as folders, and pictures in; the part of each out.

Names in a split are written in many ways: a path, its last parts, a name, a name without its
ending. A row means the picture whose path agrees with most of it. What is not certain is an error
that lists every offender: a leak that is missed for a wrong match would be worse.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from defectseg.data.audit.picture_index import PictureIndex
from defectseg.errors import OffendersError, SplitError

# A table may have several of them: the first of the list that it has counts.
PICTURE_COLUMNS = ("path", "file", "filename", "image", "picture", "id", "name")
PART_COLUMNS = ("part", "split", "subset", "set", "fold")
PART_NAMES = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "dev"), "valid"),
    **dict.fromkeys(("test", "testing", "holdout"), "test"),
}
SEPARATORS = (",", ";", "\t")
LONGEST = 1000  # characters of a cell; longer ones are no names


@dataclass(frozen=True)
class GivenSplit:
    """The pictures that a split knows."""

    parts: dict[str, str]  # picture → train | valid | test, in the order of the pictures
    without_part: tuple[str, ...]  # pictures that the split does not know


def to_part(name: str) -> str | None:
    """The part that a word means, upper and lower case alike; a year may follow: `val2017`."""
    return PART_NAMES.get(re.sub(r"\d{4}$", "", name.strip().casefold()))


def read_given_split(path: Path) -> dict[str, str]:
    """Read a table of pictures and their parts: name as written → train, valid or test.

    The columns are one of `PICTURE_COLUMNS` and one of `PART_COLUMNS`, in any case and order,
    among others; they are separated by a comma, a semicolon or a tab.

    Raises:
        SplitError: The file cannot be read or has no such columns.
        OffendersError: A row has no name or another part than `PART_NAMES`, or a picture two parts.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            separator = max(SEPARATORS, key=first.count)
            reader = csv.DictReader(file, delimiter=separator, restval="", strict=True)
            name_column, part_column = _find_columns(path, reader.fieldnames or ())
            rows = [(row[name_column].strip(), row[part_column].strip()) for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise SplitError(f"{path} is no table of a split: {error}") from error
    if not rows:
        raise SplitError(f"{path} has no row; expected one for each picture")
    return _check_rows(path, rows)


def _find_columns(path: Path, columns: Sequence[str]) -> tuple[str, str]:
    written = {re.sub(r"[\s_-]", "", column).casefold(): column for column in columns}
    found = [
        next((written[name] for name in names if name in written), None)
        for names in (PICTURE_COLUMNS, PART_COLUMNS)
    ]
    if found[0] is None or found[1] is None:
        raise SplitError(
            f"{path} has the columns {_shorten(', '.join(columns))}; expected one of "
            f"{', '.join(PICTURE_COLUMNS)} for the picture and one of {', '.join(PART_COLUMNS)} "
            "for its part"
        )
    return found[0], found[1]


def _check_rows(path: Path, rows: Sequence[tuple[str, str]]) -> dict[str, str]:
    bad, twice, parts = [], [], dict[str, str]()
    for number, (name, word) in enumerate(rows, start=2):
        part = to_part(word)
        if not name or len(name) > LONGEST:
            bad.append(f"row {number}: {_shorten(name)!r} is no name of a picture")
        elif part is None:
            bad.append(f"row {number}: {_shorten(name)} is in {_shorten(word)!r}")
        elif parts.setdefault(name, part) != part:
            twice.append(f"row {number}: {name} is in {part}, and in {parts[name]} before")
    if bad:
        raise OffendersError(
            f"{path}: rows that name no picture or no part", bad, f"Parts: {', '.join(PART_NAMES)}."
        )
    if twice:
        advice = "Give each picture one part: the same picture in two parts is a leak."
        raise OffendersError(f"{path}: pictures in two parts", twice, advice)
    return parts


def match_split(rows: Mapping[str, str], pictures: Mapping[str, str], partial: bool) -> GivenSplit:
    """Find the picture that each row of a split means.

    Args:
        rows: Name as written → part.
        pictures: Picture → its path, relative and with `/`.
        partial: Whether the split may leave pictures out.

    Raises:
        OffendersError: A row means no picture or several, two rows mean one picture, or a picture
            has no row though the split is not `partial`.
    """
    index = PictureIndex(pictures)
    faults, row_of = [], dict[str, str]()
    for name in rows:
        found = index.find(name)
        if not found:
            faults.append(f"{name}: no such picture")
        elif len(found) > 1:
            faults.append(f"{name}: may be {' or '.join(pictures[one] for one in found)}")
        elif found[0] in row_of:
            faults.append(f"{name}: means {pictures[found[0]]}, as {row_of[found[0]]} does")
        else:
            row_of[found[0]] = name
    if faults:
        advice = "Write each picture's path as it is below the folder of the pictures, once."
        raise OffendersError("rows of the split that mean no one picture", faults, advice)
    return _gather({picture: rows[name] for picture, name in row_of.items()}, pictures, partial)


def split_by_folders(pictures: Mapping[str, str], partial: bool) -> GivenSplit:
    """Take the part of each picture from the folder of its path that is named so, such as `test/`.

    Raises:
        OffendersError: A path names several parts, or none though the split is not `partial`.
    """
    parts, faults = {}, []
    for picture, path in pictures.items():
        named = {part for folder in PurePosixPath(path).parts[:-1] if (part := to_part(folder))}
        if len(named) > 1:
            faults.append(f"{path}: {' and '.join(sorted(named))}")
        elif named:
            parts[picture] = named.pop()
    if faults:
        raise OffendersError("pictures below the folders of several parts", faults, "Move them.")
    return _gather(parts, pictures, partial)


def _gather(parts: Mapping[str, str], pictures: Mapping[str, str], partial: bool) -> GivenSplit:
    without = tuple(sorted(picture for picture in pictures if picture not in parts))
    if without and not partial:
        advice = "Give them a part, or use --partial: then they do not count."
        raise OffendersError(
            "pictures without a part", [pictures[picture] for picture in without], advice
        )
    if not parts:
        raise SplitError("the split gives no picture a part")
    return GivenSplit({id_: parts[id_] for id_ in pictures if id_ in parts}, without)


def _shorten(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:100]}…"
