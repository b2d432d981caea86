"""table: lines for a terminal and for Markdown."""

from pathlib import Path

import pytest

from defectseg.commands.table import escape_markdown, format_table, write_report
from defectseg.errors import DataError

HEADER, ROWS = ("score", "mean"), [("dice", "0.5"), ("iou", "–"), ("recall_pooled", "0.25")]


def test_in_a_terminal_numbers_are_to_the_right():
    assert format_table(HEADER, ROWS) == [
        "score          mean",
        "dice            0.5",
        "iou               –",
        "recall_pooled  0.25",
    ]


def test_markdown_has_a_rule_below_the_header():
    assert format_table(HEADER, ROWS[:1], markdown=True) == [
        "| score | mean |",
        "|---|---|",
        "| dice | 0.5 |",
    ]


def test_a_table_without_rows_is_its_header():
    assert format_table(HEADER, []) == ["score  mean"]


def test_a_name_cannot_break_out_of_markdown():
    assert escape_markdown("a|b<img>\n`x`") == "a\\|b\\<img\\> \\`x\\`"
    assert escape_markdown("\\|") == "\\\\\\|"


def test_a_report_is_written_if_one_is_asked_for(tmp_path: Path):
    write_report(None, {})
    write_report(tmp_path / "r.json", {"a": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_a_report_that_cannot_be_written_is_an_error(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"r\.json cannot be written: .*; choose another"):
        write_report(tmp_path / "file/r.json", {})
