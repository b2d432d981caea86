"""Rows of text in, a table for a terminal or for Markdown out; and the JSON files asked for."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from defectseg.errors import DataError
from defectseg.files import write_json


def format_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], markdown: bool = False
) -> list[str]:
    """The lines of a table; in a terminal the first column is to the left, the others right."""
    table = [header, *rows]
    if markdown:
        lines = ["| " + " | ".join(map(escape_markdown, row)) + " |" for row in table]
        return [lines[0], "|" + "---|" * len(header), *lines[1:]]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    return [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]


def escape_markdown(text: str) -> str:
    """Text that stays text: in a table, outside of code."""
    for special in "\\|`*_<>[]":
        text = text.replace(special, f"\\{special}")
    return text.replace("\n", " ")


def write_report(path: Path | None, content: Any) -> None:
    """Write a JSON file if one is asked for.

    Raises:
        DataError: It cannot be written.
    """
    if path is None:
        return
    try:
        write_json(path, content)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}; choose another") from error
