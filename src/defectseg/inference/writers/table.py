"""The records of pictures in, rows of a CSV out: one a defect, one for a picture without."""

import csv
from collections.abc import Iterator
from typing import IO, Any

HEADER = (
    "path",
    "verdict",  # empty where the picture failed
    "width",
    "height",
    "defect",  # 1, 2, …, the surest first; empty: none
    "defect_class",
    "score",
    "x1",
    "y1",
    "x2",
    "y2",
    "centroid_x",
    "centroid_y",
    "area_px",
    "area_fraction",
    "area_mm2",  # empty without --mm-per-pixel
    "error",  # a code; see `stream.failure`
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that begins so


class Table:
    """Writes rows to a text file that is open."""

    def __init__(self, file: IO[str]) -> None:
        self._writer = csv.DictWriter(file, HEADER, restval="", lineterminator="\n")
        self._writer.writeheader()

    def add(self, record: dict[str, Any]) -> None:
        """Write the rows of one picture."""
        self._writer.writerows(to_rows(record))


def to_rows(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The cells of a picture's rows by their column; those that are empty are left out."""
    path = record["path"]
    shared = {"path": f"./{path}" if path.startswith(FORMULA) else path}
    if "error" in record:
        yield shared | {"error": record["error"]["code"]}
        return
    shared |= {key: record[key] for key in ("verdict", "width", "height")}
    if not record["defects"]:
        yield shared
    for number, defect in enumerate(record["defects"], start=1):
        cells = {key: value for key, value in defect.items() if key in HEADER}
        x1, y1, x2, y2 = defect["box"]
        x, y = defect["centroid"]
        place = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "centroid_x": x, "centroid_y": y}
        yield shared | {"defect": number} | cells | place
