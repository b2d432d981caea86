"""commands/bench: `defectseg bench`, from the folder of models to the recommendation."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from conftest import mask, save_array
from dark_model import write_dark_model
from defectseg.cli import app
from defectseg.commands.bench import parse_engines, parse_sizes, parse_threads
from defectseg.data.tile import Tile, write_manifest
from defectseg.errors import DataError
from defectseg.inference.operating_point import ClassPoint, OperatingPoint
from defectseg.inference.threads import count_threads

FAST = ("--pictures", "2", "--sizes", "6x4", "--threads", "1", "--engines", "onnxruntime")


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a drawn model, and one tile in its test part."""
    write_dark_model(tmp_path / "models/unet.onnx")
    save_array(tmp_path / "data/tiles/a.png", np.array([[0, 0, 255, 255]], np.uint8))
    save_array(tmp_path / "data/tiles/m.png", mask("222."))
    tile = Tile("a", "a.png", "m.png", "blowhole", "a", 4, 1, 3, "0")
    write_manifest(tmp_path / "data/tiles", ["crack", "blowhole"], [tile])
    (tmp_path / "data/split.csv").write_text("id,part\na,test\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def variant(workplace: Path) -> Path:
    """The same model as an INT8 variant."""
    path = workplace / "models/variants/unet.int8.onnx"
    return write_dark_model(path, precision="int8")


def run(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["bench", *FAST, *arguments])
    assert result.exit_code == status, result.output
    return result.stderr if status else result.stdout


def test_every_contender_has_a_row_and_one_is_recommended(variant: Path):
    said = run().splitlines()
    assert said[0].split("  ")[0] == "engine"
    cells = [line.split() for line in said[1:3]]
    assert [row[:4] for row in cells] == [
        ["onnxruntime", "fp32", "1", "6×4"],
        ["onnxruntime", "int8", "1", "6×4"],
    ]
    assert [row[-1] for row in cells] == ["0.8000", "0.8000"]  # 2 of 3 pixels: 4 / 5
    assert cells[0][-3] == "1.00"  # of itself
    assert said[-1].startswith("recommended: onnxruntime ")
    assert "Dice 0.8000" in said[-1]


def test_the_file_holds_every_number(workplace: Path):
    run("--json", "bench.json", "--sizes", "6x4,8x8")
    content = json.loads((workplace / "bench.json").read_text())
    assert [(row["width"], row["height"]) for row in content["rows"]] == [(6, 4), (8, 8)]
    row = content["rows"][0]
    assert (row["engine"], row["precision"], row["threads"]) == ("onnxruntime", "fp32", 1)
    assert (row["pictures"], row["times_baseline"], row["dice"]) == (2, 1.0, 0.8)
    assert 0 < row["p50_ms"] <= row["p95_ms"]
    assert row["peak_mib"] > 10
    assert row["pictures_per_second"] > 0
    assert content["recommended"]["file"].startswith("models/")
    assert content["machine"]["cores"] == count_threads()
    assert content["notes"] == []


def test_without_tiles_the_dice_is_a_dash_and_int8_is_not_recommended(
    workplace: Path, variant: Path
):
    shutil.rmtree(workplace / "data")
    said = run().splitlines()
    assert [line.split()[-1] for line in said[1:3]] == ["–", "–"]
    assert any(line.startswith("note: no Dice: ") and "data_" in line for line in said)
    assert said[-1].startswith("recommended: onnxruntime fp32, 1 thread: ")


def test_tiles_of_other_classes_cost_the_dice_and_not_the_speed(workplace: Path):
    manifest = workplace / "data/tiles/classes.json"
    manifest.write_text('["fray", "blowhole"]')
    said = run()
    assert "note: onnxruntime fp32, 1 thread: data/tiles has the classes fray, blowhole" in said
    assert "\nrecommended: onnxruntime fp32" in said


def test_an_engine_that_cannot_run_is_noted_and_the_others_are_measured(variant: Path):
    variant.write_text("no graph")
    said = run()
    assert "note: onnxruntime int8, 1 thread: ONNX Runtime cannot load" in said
    assert said.count("\nonnxruntime") == 1


def test_only_broken_models_are_an_error(workplace: Path):
    (workplace / "models/unet.onnx").write_text("no graph")
    assert "error: no engine can run here:\n  onnxruntime fp32, 1 thread: " in run(status=1)


def test_another_folder_of_models_may_be_named(workplace: Path):
    (workplace / "models").rename(workplace / "mine")
    run("--model", "mine")
    assert "error: models holds no model for onnxruntime" in run(status=1)


def test_a_variant_that_loses_too_much_is_not_recommended(variant: Path):
    strict = OperatingPoint(
        classes=tuple(
            ClassPoint(defect_class=name, threshold=0.5, min_area=9)
            for name in ("crack", "blowhole")
        ),
        temperature=1.0,
        review=0.5,
        reject=0.5,
        rule="finds nothing here",
    )
    write_dark_model(variant, precision="int8", operating_point=strict.model_dump_json())
    said = run()
    assert said.splitlines()[2].split()[-1] == "0.0000"
    assert "\nrecommended: onnxruntime fp32" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--engines", "tflite"), "--engines: there is no engine 'tflite'; choose some of onnx"),
        (("--threads", "two"), "--threads: 'two' is no list of numbers such as 1,2"),
        (("--sizes", "640"), "--sizes: '640' is no list of sizes such as 320x240,1280x960"),
    ],
)
def test_wrong_options_end_with_a_message_and_status_1(arguments: tuple[str, ...], message: str):
    assert f"error: {message}" in run(*arguments, status=1)


def test_engines_are_read_in_one_order():
    assert parse_engines("torch, onnxruntime,torch") == ["onnxruntime", "torch"]


def test_no_threads_are_all_threads():
    assert parse_threads("1,0,3") == [1, count_threads(), 3]


@pytest.mark.parametrize("text", ["", "-1", "1,", "1;2", "1.5", "²", "1000"])
def test_what_is_no_list_of_threads_is_refused(text: str):
    with pytest.raises(DataError, match="--threads"):
        parse_threads(text)


def test_sizes_are_width_and_height_each_once():
    assert parse_sizes("320x240,20000×1,320x240") == [(320, 240), (20000, 1)]


@pytest.mark.parametrize("text", ["", "0x5", "5x0", "20001x5", "5x", "axb", "5x5,", "-5x5"])
def test_what_is_no_list_of_sizes_is_refused(text: str):
    with pytest.raises(DataError, match="--sizes"):
        parse_sizes(text)


def test_dice_may_be_left_out(workplace: Path):
    said = run("--tiles", "0")
    assert "note: no Dice asked for" in said
