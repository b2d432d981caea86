"""writers/table: one row a defect, one for a picture without, one for a failure."""

import csv
import io
from typing import Any

import pytest

from defectseg.inference.writers.table import HEADER, Table

SIZE = {"verdict": "reject", "width": 5, "height": 3}
CRACK = {
    "defect_class": "crack",
    "score": 0.75,
    "box": [0, 1, 2, 3],
    "centroid": [1.5, 2.0],
    "area_px": 4,
    "area_fraction": 0.266667,
}


def write(*records: dict[str, Any]) -> list[dict[str, str]]:
    """The rows as a CSV reader sees them."""
    file = io.StringIO()
    table = Table(file)
    for record in records:
        table.add(record)
    return list(csv.DictReader(io.StringIO(file.getvalue())))


def test_each_defect_is_a_row():
    second = CRACK | {"defect_class": "dent", "area_mm2": 0.5}
    rows = write({"path": "a.png", **SIZE, "defects": [CRACK, second]})
    assert [(row["defect"], row["defect_class"], row["area_mm2"]) for row in rows] == [
        ("1", "crack", ""),
        ("2", "dent", "0.5"),
    ]
    assert list(rows[0].values()) == [
        *("a.png", "reject", "5", "3", "1", "crack", "0.75"),
        *("0", "1", "2", "3", "1.5", "2.0", "4", "0.266667", "", ""),
    ]
    assert list(rows[0]) == list(HEADER)


def test_a_picture_without_a_defect_is_a_row_with_empty_cells():
    (row,) = write({"path": "a.png", **SIZE, "verdict": "accept", "defects": []})
    told = {key: value for key, value in row.items() if value}
    assert told == {"path": "a.png", "verdict": "accept", "width": "5", "height": "3"}


def test_a_failure_is_a_row_with_its_code():
    (row,) = write({"path": "a.png", "error": {"code": "EMPTY_FILE", "message": "…"}})
    assert {key: value for key, value in row.items() if value} == {
        "path": "a.png",
        "error": "EMPTY_FILE",
    }


def test_a_name_with_commas_and_quotes_comes_back_as_it_was():
    (row,) = write({"path": 'a,"b".png', **SIZE, "defects": []})
    assert row["path"] == 'a,"b".png'


@pytest.mark.parametrize("name", ["=1+1.png", "+a.png", "-a.png", "@a.png"])
def test_a_name_that_a_spreadsheet_would_run_is_told_as_a_path(name: str):
    (row,) = write({"path": name, **SIZE, "defects": []})
    assert row["path"] == f"./{name}"
