"""journal: what is done stays done, whatever kills the run; nothing foreign is ever changed."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from defectseg.errors import DataError
from defectseg.inference.stream.journal import BLOCK, Journal, to_line


def record(image_id: str, fingerprint: str = "f", **more: Any) -> dict[str, Any]:
    kept = {"image_id": image_id, "path": image_id, "verdict": "accept", "fingerprint": fingerprint}
    return kept | more


def failed(image_id: str) -> dict[str, Any]:
    return {"image_id": image_id, "path": image_id, "error": {"code": "X", "message": "x"}}


def write(folder: Path, *records: dict[str, Any]) -> Path:
    """A run that adds some records."""
    with Journal(folder) as journal:
        for each in records:
            journal.add(each, to_line(each))
    return folder / "results.jsonl"


def ids(path: Path) -> list[str]:
    return [json.loads(line)["image_id"] for line in path.read_text("utf-8").splitlines()]


def test_two_runs_never_hold_one_folder(tmp_path: Path):
    with Journal(tmp_path) as first:
        with pytest.raises(DataError, match=r"another run writes to .*; end it first, or name"):
            Journal(tmp_path)
        first.add(record("a"), to_line(record("a")))
    with Journal(tmp_path) as second:
        assert second.is_done("a", "f")


def test_a_killed_run_holds_nothing(tmp_path: Path):
    code = (
        "import os, signal, sys; from pathlib import Path;"
        "from defectseg.inference.stream.journal import Journal;"
        "journal = Journal(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert ids(write(tmp_path, record("a"))) == ["a"]


def test_lines_are_there_as_soon_as_they_are_added(tmp_path: Path):
    with Journal(tmp_path / "new/out") as journal:
        journal.add(record("ü"), to_line(record("ü")))
        assert ids(tmp_path / "new/out/results.jsonl") == ["ü"]


def test_what_an_earlier_run_did_is_done_and_stands_first(tmp_path: Path):
    write(tmp_path, record("b", "1"))
    with Journal(tmp_path) as journal:
        assert journal.is_done("b", "1")
        assert not journal.is_done("b", "2")
        assert not journal.is_done("a", "1")
        journal.add(record("a"), to_line(record("a")))
    assert ids(tmp_path / "results.jsonl") == ["b", "a"]


def test_a_failure_is_never_done(tmp_path: Path):
    write(tmp_path, failed("a"))
    with Journal(tmp_path) as journal:
        assert not journal.is_done("a", "f")


def test_of_two_lines_of_one_picture_the_later_one_stays(tmp_path: Path):
    path = write(tmp_path, record("a", "old"), record("b"), record("a", "new"))
    assert ids(path) == ["b", "a"]
    assert '"new"' in path.read_text()
    assert '"old"' not in path.read_text()


def test_a_line_that_replaces_one_of_an_earlier_run_takes_it_out_at_the_end(tmp_path: Path):
    write(tmp_path, record("a", "old"), record("b"))
    with Journal(tmp_path) as journal:
        journal.add(record("a", "new"), to_line(record("a", "new")))
        assert [each["fingerprint"] for each in journal.records()] == ["f", "new"]
    assert ids(tmp_path / "results.jsonl") == ["b", "a"]


@pytest.mark.parametrize("torn", ['{"image_id":"c","pa', "\0" * 5000, "x" * (2 * BLOCK + 1)])
def test_a_torn_last_line_is_cut_off_and_the_others_stay(tmp_path: Path, torn: str):
    path = write(tmp_path, record("a"), record("b"))
    whole = path.read_bytes()
    with path.open("a") as file:
        file.write(torn)
    with Journal(tmp_path) as journal:
        assert path.read_bytes() == whole
        assert journal.is_done("b", "f")
        journal.add(record("c"), to_line(record("c")))
    assert ids(path) == ["a", "b", "c"]


def test_a_file_that_is_one_torn_line_is_empty_again(tmp_path: Path):
    (tmp_path / "results.jsonl").write_text('{"image_id":')
    assert ids(write(tmp_path, record("a"))) == ["a"]


def test_untouched_it_keeps_its_bytes(tmp_path: Path):
    path = write(tmp_path, record("a"), failed("b"))
    before = path.stat()
    with Journal(tmp_path):
        pass
    assert (path.stat().st_ino, path.stat().st_size) == (before.st_ino, before.st_size)


@pytest.mark.parametrize(
    "foreign", ["hello\n", '{"a": 1}\n', "[]\n", '{"image_id": 5, "verdict": ""}\n', "\n"]
)
def test_lines_of_somebody_else_are_refused_and_kept(tmp_path: Path, foreign: str):
    path = write(tmp_path, record("a"))
    path.write_text(path.read_text() + foreign)
    kept = path.read_bytes()
    with pytest.raises(DataError, match=r"line 2 of .*results\.jsonl is no result"):
        Journal(tmp_path)
    assert path.read_bytes() == kept
