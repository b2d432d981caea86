"""openvino_engine: what is special about OpenVINO; tests/test_open_engine.py has the rest."""

from pathlib import Path

import numpy as np
import pytest

from dark_model import write_dark_model
from defectseg.errors import ModelFileError
from defectseg.inference.openvino_engine import OpenVinoEngine


def test_the_runtime_is_told_threads_and_precision_and_not_to_bind_cores(tmp_path: Path):
    engine = OpenVinoEngine(write_dark_model(tmp_path / "unet.onnx"), threads=2)
    told = engine._compiled.get_property
    assert told("INFERENCE_NUM_THREADS") == 2
    assert told("INFERENCE_PRECISION_HINT").to_string() == "f32"
    assert told("ENABLE_CPU_PINNING") is False


def test_a_request_is_used_again_without_changing_what_was_given_out(tmp_path: Path):
    engine = OpenVinoEngine(write_dark_model(tmp_path / "unet.onnx"))
    black = engine.run(np.zeros((1, 2, 2, 1), np.uint8))
    white = engine.run(np.full((1, 2, 2, 1), 255, np.uint8))
    assert len(engine._idle) == 1
    assert black.mask.tolist() == [[[2, 2], [2, 2]]]
    assert black.probability[:, 0].max() == 0
    assert white.mask.max() == 0


def test_pictures_need_not_lie_in_one_piece_of_memory(tmp_path: Path):
    engine = OpenVinoEngine(write_dark_model(tmp_path / "unet.onnx"))
    values = np.array([[0, 255, 255], [255, 255, 0]], np.uint8)
    turned = values.T[None, ::-1, :, None]  # a view: (1, 3, 2, 1)
    assert engine.run(turned).mask.tolist() == [[[0, 2], [0, 0], [2, 0]]]


@pytest.mark.parametrize("content", [b"", b"no graph"])
def test_a_file_that_is_no_graph_is_named(content: bytes, tmp_path: Path):
    (tmp_path / "unet.onnx").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"(?s)OpenVINO cannot load .*unet\.onnx: "):
        OpenVinoEngine(tmp_path / "unet.onnx")
