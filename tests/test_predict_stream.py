"""predict_stream: each picture gets a result or a reason, in order, whatever the others are."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from conftest import save_array
from defectseg.inference.engine import Output
from defectseg.inference.onnx_engine import OnnxEngine
from defectseg.inference.stream.in_order import PAUSE, Pause
from defectseg.inference.stream.picture import Picture, name_picture
from defectseg.inference.stream.predict_stream import Job, fingerprint, predict_stream
from defectseg.inference.writers.mask_file import MASK_FILE
from drawn_model import NOT_A_NUMBER, paint, write_model, write_painted

Run = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> OnnxEngine:
    return OnnxEngine(write_model(tmp_path_factory.mktemp("model") / "unet.onnx"), threads=1)


def job(engine: Any, facts_of: OnnxEngine, **changes: Any) -> Job:
    settings: dict[str, Any] = {
        "engine": engine,
        "facts": facts_of.facts,
        "model": {"version": "0.1.0", "sha256": "5" * 64},
        "workers": 3,
    }
    return Job(**settings | changes)


def predict(folder: Path, paths: Iterable[Path], wished: Job) -> list[dict[str, Any]]:
    """The records, each the same as its line."""
    records = []
    for outcome in predict_stream([name_picture(str(path), folder) for path in paths], wished):
        assert not isinstance(outcome, Pause)
        assert json.loads(outcome.line) == outcome.record
        assert "\n" not in outcome.line
        records.append(outcome.record)
    return records


def test_results_come_in_the_order_of_the_pictures(tmp_path: Path, engine: OnnxEngine):
    drawings = {"c.png": "1.", "a.png": "..", "b.png": ".2", "d.png": "1.2"}
    paths = [write_painted(tmp_path / name, drawing) for name, drawing in drawings.items()]
    told = predict(tmp_path, paths * 5, job(engine, engine))
    found = [
        (each["image_id"], "".join(defect["defect_class"][0] for defect in each["defects"]))
        for each in told
    ]
    assert found == [("c.png", "c"), ("a.png", ""), ("b.png", "b"), ("d.png", "cb")] * 5


def test_a_result_tells_path_verdict_and_every_step(tmp_path: Path, engine: OnnxEngine):
    path = write_painted(tmp_path / "a.png", "2..", level=178)  # 0.698: between review and reject
    (told,) = predict(tmp_path, [path], job(engine, engine, mm_per_pixel=2.0))
    assert (told["image_id"], told["path"]) == ("a.png", str(path))
    assert (told["verdict"], told["width"], told["height"]) == ("review", 3, 1)
    assert told["defects"][0]["score"] == pytest.approx(178 / 255, abs=1e-6)
    assert told["defects"][0]["area_mm2"] == 4.0
    assert set(told["timings_ms"]) == {"read", "decode", "infer", "encode"}
    assert "fingerprint" not in told


def test_pictures_that_fail_are_told_and_the_rest_goes_on(tmp_path: Path, engine: OnnxEngine):
    broken = paint("1")
    broken[0, 0, 2] = NOT_A_NUMBER
    paths = [
        tmp_path / "gone.png",
        write_painted(tmp_path / "fine.png", "1"),
        save_array(tmp_path / "nan.png", broken),
        tmp_path / "empty.png",
        tmp_path / "text.png",
        tmp_path,
        write_painted(tmp_path / "last.png", "."),
    ]
    paths[3].touch()
    paths[4].write_text("hello")
    told = predict(tmp_path, paths, job(engine, engine))
    assert [each.get("error", {}).get("code", each.get("verdict")) for each in told] == [
        "UNREADABLE_FILE",
        "reject",
        "MODEL_OUTPUT_INVALID",
        "EMPTY_FILE",
        "UNSUPPORTED_IMAGE",
        "UNREADABLE_FILE",
        "accept",
    ]


class BrokenEngine:
    """An engine that has run out of something."""

    def run(self, pictures: npt.NDArray[np.uint8]) -> Output:
        raise RuntimeError("no memory on the device")


def test_an_engine_that_fails_is_told_for_each_picture(tmp_path: Path, engine: OnnxEngine):
    path = write_painted(tmp_path / "a.png", "1")
    (told,) = predict(tmp_path, [path], job(BrokenEngine(), engine))
    message = "the engine failed: no memory on the device"
    assert told["error"] == {"code": "INFERENCE_FAILED", "message": message}


def test_files_are_written_for_each_result_and_none_for_a_failure(
    tmp_path: Path, engine: OnnxEngine
):
    paths = [write_painted(tmp_path / "a.png", "1"), tmp_path / "gone.png"]
    predict(tmp_path, paths, job(engine, engine, folder=tmp_path / "out", files=(MASK_FILE,)))
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert files == [tmp_path / "out/masks/a.png.png"]


def test_what_cannot_be_written_stops_everything(tmp_path: Path, engine: OnnxEngine):
    path = write_painted(tmp_path / "a.png", "1")
    (tmp_path / "out").write_text("a file, not a folder")
    with pytest.raises(OSError, match="out"):
        predict(tmp_path, [path], job(engine, engine, folder=tmp_path / "out", files=(MASK_FILE,)))


def test_the_fingerprint_is_that_of_the_file_that_was_read(tmp_path: Path, engine: OnnxEngine):
    path = write_painted(tmp_path / "a.png", "1")
    (told,) = predict(tmp_path, [path], job(engine, engine, settings="s"))
    facts = path.stat()
    assert told["fingerprint"] == fingerprint("s", facts.st_size, facts.st_mtime_ns)
    others = {
        fingerprint("t", facts.st_size, facts.st_mtime_ns),
        fingerprint("s", facts.st_size + 1, facts.st_mtime_ns),
        fingerprint("s", facts.st_size, facts.st_mtime_ns + 1),
    }
    assert len(others) == 3
    assert told["fingerprint"] not in others


def test_a_pause_passes_through_after_what_came_before(tmp_path: Path, engine: OnnxEngine):
    path = write_painted(tmp_path / "a.png", "1")
    given = [Picture(str(path), "a.png"), PAUSE]
    first, second = predict_stream(given, job(engine, engine))
    assert not isinstance(first, Pause)
    assert second is PAUSE


def test_one_picture_never_depends_on_the_others(tmp_path: Path, engine: OnnxEngine):
    draw = np.random.default_rng(0)
    paths = [
        save_array(tmp_path / f"{n}.png", draw.integers(0, 120, (9, 7 + n, 3), dtype=np.uint8))
        for n in range(12)
    ]

    def told(given: list[Path], workers: int) -> list[dict[str, Any]]:
        records = predict(tmp_path, given, job(engine, engine, workers=workers))
        return [{**record, "timings_ms": {}} for record in records]

    alone = [told([path], 1)[0] for path in paths]
    assert told(paths, 4) == alone
