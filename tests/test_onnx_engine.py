"""onnx_engine: what is special about ONNX Runtime; tests/test_open_engine.py has the rest."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from dark_model import write_dark_model
from defectseg.errors import ModelFileError, PackagesError
from defectseg.inference.onnx_engine import OnnxEngine, choose_providers, refuse_fallback

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


def test_cpu_is_the_only_provider_where_nothing_else_is_present():
    assert choose_providers("auto", ["AzureExecutionProvider", CPU]) == [CPU]


def test_auto_takes_cuda_where_it_is_present_and_tensorrt_only_when_asked():
    assert choose_providers("auto", [CPU, CUDA]) == [CUDA, CPU]
    assert choose_providers("auto", [TENSORRT, CUDA, CPU]) == [CUDA, CPU]


def test_a_provider_that_is_asked_for_comes_first_and_the_cpu_last():
    present = [TENSORRT, CUDA, CPU]
    assert choose_providers("cuda", present) == [CUDA, CPU]
    assert choose_providers("tensorrt", present) == [TENSORRT, CPU]
    assert choose_providers("cpu", present) == [CPU]


def test_a_provider_that_is_absent_is_refused_with_those_present():
    with pytest.raises(PackagesError) as caught:
        choose_providers("tensorrt", [CUDA, CPU])
    assert f"no provider tensorrt ({TENSORRT}), only {CUDA}, {CPU}; " in str(caught.value)
    assert "install onnxruntime-gpu instead of onnxruntime" in str(caught.value)


def test_a_silent_fallback_is_refused():
    refuse_fallback(CUDA, [CUDA, CPU])
    with pytest.raises(PackagesError, match=f"asked for {CUDA} but fell back to {CPU}: "):
        refuse_fallback(CUDA, [CPU])


@pytest.mark.skipif(CUDA in onnxruntime.get_available_providers(), reason="there is a GPU build")
def test_cuda_is_refused_where_this_build_has_none(tmp_path: Path):
    with pytest.raises(PackagesError, match=f"no provider cuda .*{CPU}"):
        OnnxEngine(write_dark_model(tmp_path / "unet.onnx"), provider="cuda")


def settings_of(engine: OnnxEngine) -> Any:
    return engine._session.get_session_options()


@pytest.mark.parametrize(("spin", "entry"), [(False, "0"), (True, "1")])
def test_threads_that_wait_spin_only_if_asked(spin: bool, entry: str, tmp_path: Path):
    engine = OnnxEngine(write_dark_model(tmp_path / "unet.onnx"), threads=3, spin=spin)
    options = settings_of(engine)
    assert options.intra_op_num_threads == 3
    for pool in ("intra_op", "inter_op"):
        assert options.get_session_config_entry(f"session.{pool}.allow_spinning") == entry


def test_no_plan_is_kept_for_each_picture_size(tmp_path: Path):
    engine = OnnxEngine(write_dark_model(tmp_path / "unet.onnx"))
    assert settings_of(engine).enable_mem_pattern is False


def test_a_path_without_the_usual_ending_is_read(tmp_path: Path):
    engine = OnnxEngine(write_dark_model(tmp_path / ".unet.onnx.x1.part"))
    assert engine.run(np.zeros((1, 2, 2, 1), np.uint8)).mask.shape == (1, 2, 2)


@pytest.mark.parametrize("content", [None, b"", b"no graph"])
def test_a_file_that_is_no_graph_is_named(content: bytes | None, tmp_path: Path):
    path = tmp_path / "unet.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"ONNX Runtime cannot load .*unet\.onnx"):
        OnnxEngine(path)
