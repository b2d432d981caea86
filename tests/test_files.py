"""files: a whole file or none."""

import json
from pathlib import Path

import pytest

from defectseg.files import write_atomically, write_csv, write_json


def test_a_file_has_its_name_only_once_it_is_whole(tmp_path: Path):
    path = tmp_path / "scores.json"
    with write_atomically(path) as file:
        file.write("half")
        file.flush()
        assert not path.exists()
    assert path.read_text() == "half"


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "scores.json"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), write_atomically(path) as file:
        file.write("new")
        raise ZeroDivisionError
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("scores.json", "old")]


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "scores.json"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), write_atomically(path):
        raise KeyboardInterrupt
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("scores.json", "old")]


def test_others_may_read_what_was_written(tmp_path: Path):
    write_json(tmp_path / "scores.json", {})
    assert (tmp_path / "scores.json").stat().st_mode & 0o777 == 0o644


def test_folders_on_the_way_are_made(tmp_path: Path):
    write_json(tmp_path / "metrics/of/today.json", {})
    assert (tmp_path / "metrics/of/today.json").exists()


def test_json_keeps_the_order_of_keys_and_the_letters_of_names(tmp_path: Path):
    path = tmp_path / "scores.json"
    write_json(path, {"über": 1, "auc": None})
    assert path.read_text(encoding="utf-8") == '{\n  "über": 1,\n  "auc": null\n}\n'


def test_a_number_that_json_does_not_have_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "scores.json"
    write_json(path, {"dice": 0.5})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"dice": float("nan")})
    assert json.loads(path.read_text()) == {"dice": 0.5}
    assert list(tmp_path.iterdir()) == [path]


def test_a_csv_has_one_header_and_the_line_ends_of_unix(tmp_path: Path):
    path = tmp_path / "split.csv"
    write_csv(path, ["id", "part"], [["a", "train"], ["b,c", 'say "d"']])
    assert path.read_bytes() == b'id,part\na,train\n"b,c","say ""d"""\n'
