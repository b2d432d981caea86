"""docs/predict.md: its example and its codes are those of the command."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from defectseg.cli import app
from defectseg.commands.predict import Format
from defectseg.data import picture
from defectseg.inference.stream import failure
from drawn_model import read_lines, write_model, write_painted

PAGE = (Path(__file__).parents[1] / "docs/predict.md").read_text("utf-8")
CODES = {
    *(failure.UNREADABLE_FILE, failure.EMPTY_FILE),
    *(failure.INFERENCE_FAILED, failure.MODEL_OUTPUT_INVALID, failure.OUTPUT_FAILED),
    *(picture.UNSUPPORTED, picture.CORRUPT, picture.DEPTH, picture.TOO_LARGE, picture.FRAMES),
}


def test_the_example_has_the_keys_of_a_real_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "models/unet.onnx")
    write_painted(tmp_path / "a.png", "1")
    wished = ["predict", "a.png", "--out", "out", "--mm-per-pixel", "0.05"]
    assert CliRunner().invoke(app, wished).exit_code == 0
    (real,) = read_lines((tmp_path / "out/results.jsonl").read_text("utf-8"))
    found = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    told = json.loads(found[1])
    assert list(told) == list(real)
    assert list(told["defects"][0]) == list(real["defects"][0])
    assert list(told["timings_ms"]) == list(real["timings_ms"])
    assert set(told["model"]) == set(real["model"])


def test_every_code_is_explained():
    assert {code for code in CODES if f"`{code}`" not in PAGE} == set()


def test_every_format_is_explained():
    assert {form for form in Format if f"| `{form.value}`" not in PAGE} == set()
