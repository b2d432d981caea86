"""bench/worker: what it answers, here in our own process; and what a process of its own does."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import mask, save_array
from dark_model import write_dark_model
from defectseg.data.tile import Tile, write_manifest
from defectseg.errors import ModelFileError
from defectseg.inference.bench.child import Child
from defectseg.inference.bench.contender import Contender
from defectseg.inference.bench.measure import Part, examine, measure_speed
from defectseg.inference.bench.worker import serve


def ask(path: Path, *questions: dict[str, Any], engine: str = "onnxruntime") -> list[Any]:
    """The replies to an engine's opening and to some questions."""
    first = {"engine": engine, "path": str(path), "threads": 1}
    lines = "".join(json.dumps(question) + "\n" for question in (first, *questions))
    replies = io.StringIO()
    serve(io.StringIO(lines), replies)
    return [json.loads(line) for line in replies.getvalue().splitlines()]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_dark_model(tmp_path / "models/unet.onnx")


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """Two tiles; what is dark is called a blowhole: 2 pixels right, 1 missed, 1 too many."""
    rows = []
    for name, seen, truth in [("a", "22..", "222."), ("b", "2...", "....")]:
        values = np.where(mask(seen) > 0, 0, 255).astype(np.uint8)
        save_array(tmp_path / f"tiles/{name}.png", values)
        save_array(tmp_path / f"tiles/{name}_mask.png", mask(truth))
        rows.append(Tile(name, f"{name}.png", f"{name}_mask.png", "blowhole", name, 4, 1, 3, "0"))
    write_manifest(tmp_path / "tiles", ["crack", "blowhole"], rows)
    return tmp_path / "tiles"


def contender(path: Path) -> Contender:
    return Contender("onnxruntime", "fp32", path, 1)


def test_the_first_answer_is_the_name_of_the_engine(model: Path):
    (reply,) = ask(model)
    assert reply["answer"].startswith("ONNX Runtime ")


def test_each_picture_is_timed(model: Path):
    _, reply = ask(model, {"ask": "time", "width": 5, "height": 4, "count": 3})
    assert len(reply["answer"]) == 3
    assert all(milliseconds > 0 for milliseconds in reply["answer"])


def test_tiles_are_scored_in_pixels(model: Path, tiles: Path):
    question = {"ask": "score", "folder": str(tiles)}
    _, both, one = ask(model, question | {"ids": ["a", "b"]}, question | {"ids": ["a"]})
    assert both["answer"] == [[4, 0, 1], [0, 0, 0], [1, 0, 2]]  # truth by prediction
    assert one["answer"] == [[1, 0, 0], [0, 0, 0], [1, 0, 2]]


def test_tiles_of_other_classes_are_refused(model: Path, tiles: Path):
    write_manifest(tiles, ["crack", "fray"], [])
    _, reply = ask(model, {"ask": "score", "folder": str(tiles), "ids": []})
    assert "has the classes crack, fray, but the model knows crack, blowhole" in reply["error"]


def test_an_engine_that_cannot_be_opened_says_why(tmp_path: Path):
    (reply,) = ask(tmp_path / "none.onnx")
    assert "none.onnx: no such file" in reply["error"]


def test_an_error_does_not_end_it(model: Path):
    wrong = {"ask": "score", "folder": "nowhere", "ids": []}
    _, failed, fine = ask(model, wrong, {"ask": "peak"})
    assert "run data_load first" in failed["error"]
    assert fine["answer"] > 10


def test_the_peak_grows_with_what_is_held(model: Path):
    time = {"ask": "time", "width": 3000, "height": 3000, "count": 1}
    with Child(contender(model)) as child:  # our own process may have held more before
        before = child.ask("peak")
        child.ask("time", **{key: value for key, value in time.items() if key != "ask"})
        after = child.ask("peak")
    assert 10 < before < 300  # MiB: Python, NumPy and ONNX Runtime, not the tests' torch
    assert after - before > 3000 * 3000 * 4 * 3 / 2**20  # probabilities of three classes


def test_contenders_are_timed_in_turn_and_in_processes_of_their_own(model: Path):
    told: list[str] = []
    pair = [contender(model), Contender("onnxruntime", "fp32", model, 2)]
    speeds = measure_speed(pair, (8, 6), 7, told.append)
    assert [(speed.contender, speed.size, len(speed.milliseconds)) for speed in speeds] == [
        (each, (8, 6), 7) for each in pair
    ]
    assert told == [each.label for each in pair] * 2  # 5 pictures each, then 2
    assert all(0 < speed.p50 <= speed.p95 and speed.peak_mib > 10 for speed in speeds)


def test_dice_is_pooled_over_the_tiles_once_for_all_threads(model: Path, tiles: Path):
    told: list[str] = []
    pair = [contender(model), Contender("onnxruntime", "fp32", model, 2)]
    found = examine(pair, Part(tiles, ["a", "b"]), told.append)
    assert found.runnable == pair
    assert found.dice == {("onnxruntime", "fp32"): pytest.approx(2 * 2 / (2 * 2 + 1 + 1))}
    assert told == ["onnxruntime fp32, 2 threads"]
    assert found.notes == []


def test_a_contender_that_cannot_run_is_left_out_with_the_reason(model: Path, tmp_path: Path):
    (tmp_path / "bad.onnx").write_text("no graph")
    bad = [Contender("onnxruntime", "int8", tmp_path / "bad.onnx", threads) for threads in (1, 2)]
    found = examine([contender(model), *bad], None, print)
    assert (found.runnable, found.dice) == ([contender(model)], {})
    assert len(found.notes) == 1
    assert found.notes[0].startswith("onnxruntime int8, 2 threads: ONNX Runtime cannot load ")


def test_a_process_that_dies_is_told(model: Path):
    with Child(contender(model)) as child:
        child.name()
        child.close()
        with pytest.raises(ModelFileError, match="1 thread: its process died with status -9"):
            child.ask("peak")


def test_a_process_ends_with_its_block(model: Path):
    with Child(contender(model)) as child:
        process = child._process
    assert process.poll() == -9
