"""files: a whole file or none."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from defectseg.files import (
    remove_leftovers,
    replace_atomically,
    write_atomically,
    write_csv,
    write_json,
)


def contents(folder: Path) -> dict[str, str]:
    """The text of every file of a folder, hidden ones too, by name."""
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_what_is_written_beside_a_file_takes_its_name_at_the_end(tmp_path: Path):
    path = tmp_path / "models/unet.onnx"
    with replace_atomically(path) as staging:
        staging.write_text("whole")
        assert staging.parent == path.parent
        assert not path.exists()
    assert contents(path.parent) == {"unet.onnx": "whole"}
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_file_that_a_library_puts_there_itself_takes_the_name_too(tmp_path: Path):
    path, own = tmp_path / "unet.safetensors", tmp_path / "own"
    own.write_text("whole")
    own.chmod(0o600)
    with replace_atomically(path) as staging:
        own.replace(staging)
    assert contents(tmp_path) == {"unet.safetensors": "whole"}
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_a_failure_beside_a_file_leaves_it_and_nothing_else(
    error: type[BaseException], tmp_path: Path
):
    path = tmp_path / "unet.onnx"
    path.write_text("old")
    with pytest.raises(error), replace_atomically(path) as staging:
        staging.write_text("half")
        raise error
    assert contents(tmp_path) == {"unet.onnx": "old"}


def test_a_name_that_cannot_be_taken_leaves_nothing_beside_it(tmp_path: Path):
    (tmp_path / "unet.onnx/inside").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"), replace_atomically(tmp_path / "unet.onnx"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["unet.onnx"]


def test_a_content_that_is_gone_at_the_end_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "unet.onnx"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replace_atomically(path) as staging:
        staging.unlink()
    assert contents(tmp_path) == {"unet.onnx": "old"}


KILLED = """
import os, signal, sys
from pathlib import Path

from defectseg.files import write_atomically

with write_atomically(Path(sys.argv[1])) as file:
    file.write("half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_in_the_middle_leaves_the_old_file_and_the_next_run_succeeds(tmp_path: Path):
    path = tmp_path / "scores.json"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    (left,) = tmp_path.glob(".scores.json.*")
    assert left.read_text() == "half"
    write_json(path, [])
    remove_leftovers(path)
    assert contents(tmp_path) == {"scores.json": "[]\n"}


def test_only_what_was_being_written_for_a_file_is_left_over(tmp_path: Path):
    names = {"a[1].json", ".a[1].json.swp", ".a[1].json.part", ".a1.json.x.part", ".b.json.x.part"}
    for name in names | {".a[1].json.x1y2.part", ".a[1].json.z_.part"}:
        (tmp_path / name).write_text("")
    remove_leftovers(tmp_path / "a[1].json")
    assert contents(tmp_path).keys() == names
    remove_leftovers(tmp_path / "not there/a.json")


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
