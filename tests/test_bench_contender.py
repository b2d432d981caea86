"""bench/contender: which engine runs which file of a folder of models."""

from pathlib import Path

import pytest

from defectseg.errors import ModelFileError
from defectseg.inference.bench.contender import Contender, find_contenders


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def labels(folder: Path, *engines: str, threads: tuple[int, ...] = (2,)) -> list[str]:
    found = find_contenders(folder, engines, threads)  # type: ignore[arg-type]
    return [contender.label for contender in found]


def test_each_engine_runs_its_files(tmp_path: Path):
    write(tmp_path, "unet.onnx", "unet.safetensors", "variants/unet.int8.onnx")
    assert labels(tmp_path, "openvino", "onnxruntime", "torch") == [
        "torch fp32, 2 threads",
        "onnxruntime fp32, 2 threads",
        "onnxruntime int8, 2 threads",
        "openvino fp32, 2 threads",
        "openvino int8, 2 threads",
    ]


def test_a_variant_that_is_not_offered_is_left_out(tmp_path: Path):
    write(tmp_path, "unet.onnx", "variants/unet.fp16.onnx", "variants/other.onnx")
    found = find_contenders(tmp_path, ["onnxruntime"], [1])
    assert [(each.precision, each.path) for each in found] == [
        ("fp32", tmp_path / "unet.onnx"),
        ("fp16", tmp_path / "variants/unet.fp16.onnx"),
    ]


def test_each_number_of_threads_is_a_contender_once(tmp_path: Path):
    write(tmp_path, "unet.onnx")
    assert labels(tmp_path, "onnxruntime", threads=(2, 1, 2)) == [
        "onnxruntime fp32, 1 thread",
        "onnxruntime fp32, 2 threads",
    ]


def test_engine_and_precision_decide_what_is_said():
    first, second = (Contender("openvino", "int8", Path("a"), threads) for threads in (1, 2))
    assert first.kind == second.kind == ("openvino", "int8")


def test_a_folder_without_a_model_for_these_engines_is_named(tmp_path: Path):
    write(tmp_path, "unet.onnx")
    with pytest.raises(ModelFileError, match=r"holds no model for torch; run the pipeline first"):
        labels(tmp_path, "torch")
