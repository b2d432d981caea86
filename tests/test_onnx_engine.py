"""onnx_engine: what is special about ONNX Runtime; tests/test_open_engine.py has the rest."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from dark_model import write_dark_model
from defectseg.errors import ModelFileError, PackagesError
from defectseg.inference.onnx_engine import (
    OnnxEngine,
    choose_providers,
    read_plain,
    refuse_fallback,
)
from defectseg.inference.operating_point import neutral_point
from edited_model import edited, loop_for_ever, write_content

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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "No graph was found"),
        (b"no graph", "protobuf parsing failed"),
        (b"<html><body>404 Not Found</body></html>", "protobuf parsing failed"),
        (bytes(1000), "protobuf parsing failed"),
    ],
)
def test_a_file_that_is_no_graph_is_named(content: bytes, message: str, tmp_path: Path):
    path = write_content(tmp_path / "unet.onnx", content)
    with pytest.raises(ModelFileError, match=rf"Runtime cannot load .*unet\.onnx: .*{message}"):
        OnnxEngine(path)


def write_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def write_giant(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**31)  # a hole: takes no room


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "No such file"),
        (Path.mkdir, "Is a directory"),
        (os.mkfifo, "it is no plain file"),
        (write_socket, "No such device"),
        (lambda path: path.symlink_to("/dev/zero"), "it is no plain file"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
        (write_giant, "it has 2147483648 bytes, more than any ONNX file can have"),
    ],
    ids=["nothing", "folder", "pipe", "socket", "device", "loop", "giant"],
)
@pytest.mark.timeout(20)
def test_what_is_no_plain_file_is_refused_without_waiting(
    make: Callable[[Path], Any], message: str, tmp_path: Path
):
    make(tmp_path / "m")
    with pytest.raises(ModelFileError, match=rf"cannot read .*/m: .*{message}.*; expected a whole"):
        OnnxEngine(tmp_path / "m")


class WrittenMeanwhile(FileIO):
    """A file that another process appends to, or cuts, while we read it."""

    def __init__(self, path: Path, size: int) -> None:
        super().__init__(path)
        self.path, self.size = path, size

    def read(self, count: int | None = -1) -> bytes:  # type: ignore[override]
        content = super().read(count) or b""
        os.truncate(self.path, self.size)
        return content


@pytest.mark.parametrize("size", [3, 5])
def test_a_file_that_changes_while_it_is_read_is_refused(size: int, tmp_path: Path):
    path = write_content(tmp_path / "m", b"1234")
    with (
        WrittenMeanwhile(path, size) as file,
        pytest.raises(ValueError, match="it changed while it was read"),
    ):
        read_plain(file)  # type: ignore[arg-type]


def test_bytes_that_were_read_already_are_run_and_not_kept(tmp_path: Path):
    path = write_dark_model(tmp_path / "unet.onnx")
    content = path.read_bytes()
    path.unlink()
    held = sys.getrefcount(content)
    engine = OnnxEngine(path, content=content)
    assert sys.getrefcount(content) == held
    assert engine.run(np.zeros((1, 2, 2, 1), np.uint8)).mask.tolist() == [[[2, 2], [2, 2]]]


def put_outside(model: onnx.ModelProto, location: str, offset: int = 0) -> None:
    """Take the value 255 out of the file, into another one."""
    white = next(v for v in model.graph.initializer if v.name == "white")
    white.ClearField("raw_data")
    white.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": str(offset), "length": "4"}.items():
        white.external_data.add(key=key, value=value)


@pytest.mark.parametrize(
    "location", ["w.bin", "./w.bin", "../w.bin", "link.bin", "{folder}/w.bin", "/dev/zero", "none"]
)
def test_weights_outside_of_the_file_are_refused_wherever_they_are(
    location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "models"
    where = location.format(folder=folder)
    path = edited(folder / "unet.onnx", lambda model: put_outside(model, where))
    for place in (tmp_path, folder):
        write_content(place / "w.bin", np.float32(255).tobytes())
    (folder / "link.bin").symlink_to(tmp_path / "w.bin")
    monkeypatch.chdir(folder)
    with pytest.raises(ModelFileError, match="External data path validation failed"):
        OnnxEngine(path)


def test_weights_at_an_address_of_our_memory_are_refused(tmp_path: Path):
    value = np.array([255], np.float32)
    tag = "*/_ORT_MEM_ADDR_/*"
    path = edited(tmp_path / "m", lambda model: put_outside(model, tag, value.ctypes.data))
    with pytest.raises(ModelFileError, match=r"cannot load .*in-memory"):
        OnnxEngine(path)


def test_a_model_in_the_format_of_the_runtime_itself_is_refused(tmp_path: Path):
    path, other = write_dark_model(tmp_path / "unet.onnx"), tmp_path / "unet.ort"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(other)
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(path, options)
    onnxruntime.InferenceSession(other.read_bytes())  # it could be loaded
    with pytest.raises(ModelFileError, match="protobuf parsing failed"):
        OnnxEngine(other)


def side(value: onnx.ValueInfoProto, axis: int, size: int) -> None:
    value.type.tensor_type.shape.dim[axis].dim_value = size


def element(value: onnx.ValueInfoProto, kind: int) -> None:
    value.type.tensor_type.elem_type = kind


def rename_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = model.graph.node[0].input[0] = "images"


def one_more_output(model: onnx.ModelProto) -> None:
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info("flat"))


def one_more_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(onnx.helper.make_tensor_value_info("gain", 1, [1]))


def convert_mask(model: onnx.ModelProto) -> None:
    model.graph.node[-2].attribute[0].i = onnx.TensorProto.INT64
    index = next(v for v in model.graph.initializer if v.name == "blowhole_index")
    index.CopyFrom(onnx.numpy_helper.from_array(np.array([2]), "blowhole_index"))
    element(model.graph.output[1], onnx.TensorProto.INT64)


def keep_axis(model: onnx.ModelProto) -> None:
    """A mask (N, 1, H, W)."""
    squeeze = next(node for node in model.graph.node if node.op_type == "Squeeze")
    squeeze.CopyFrom(onnx.helper.make_node("Identity", ["defect"], ["flat"]))
    model.graph.output[1].type.tensor_type.shape.dim.add(dim_param="one")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (rename_input, "has input images; expected pictures; "),
        (one_more_input, "has input pictures, gain; expected pictures; "),
        (one_more_output, "has output probability, mask, flat; expected probability, mask; "),
        (lambda m: m.graph.output.pop(), "has output probability; expected probability, mask; "),
        (
            lambda m: element(m.graph.input[0], onnx.TensorProto.FLOAT),
            r"input pictures is tensor\(float\) .* expected tensor\(uint8\) free×free×free×1; ",
        ),
        (lambda m: side(m.graph.input[0], 0, 1), r"input pictures is .* \[1, 'h', 'w', 'c'\]; "),
        (lambda m: side(m.graph.input[0], 1, 64), r"pictures is .* \['n', 64, 'w', 'c'\]; "),
        (lambda m: side(m.graph.input[0], 2, 64), r"pictures is .* \['n', 'h', 64, 'c'\]; "),
        (lambda m: side(m.graph.input[0], 3, 3), r"pictures is .* 'w', 3\]; expected .*free×1; "),
        (convert_mask, r"mask is tensor\(int64\) .* expected tensor\(uint8\) free×free×free; "),
        (keep_axis, r"mask is tensor\(uint8\) \[.*, .*, .*, .*\]; expected .* free×free×free; "),
    ],
)
def test_a_graph_of_another_shape_is_refused_with_what_it_has(
    edit: Callable[[onnx.ModelProto], Any], message: str, tmp_path: Path
):
    path = edited(tmp_path / "unet.onnx", edit)
    with pytest.raises(ModelFileError, match=rf"unet\.onnx: the graph('s|) .*{message}.*by the"):
        OnnxEngine(path)


def test_a_graph_with_fewer_classes_than_its_metadata_is_refused(tmp_path: Path):
    names = ["crack", "blowhole", "fray"]
    metadata = {
        "classes": json.dumps(names),
        "operating_point": neutral_point(names).model_dump_json(),
    }
    path = edited(tmp_path / "m", lambda m: side(m.graph.output[0], 1, 3), **metadata)
    with pytest.raises(ModelFileError, match=r"probability is .* 3, .* expected .* free×4×free×"):
        OnnxEngine(path)


def test_metadata_that_is_no_text_is_refused(tmp_path: Path):
    content = write_dark_model(tmp_path / "m").read_bytes()
    with pytest.raises(ModelFileError, match="/m: 'utf-8' codec can't decode byte 0xff"):
        OnnxEngine(write_content(tmp_path / "m", content.replace(b"0123456789", b"\xff" * 10)))


DAMAGE = """
import random, sys
from pathlib import Path
from defectseg.errors import ModelFileError
from defectseg.inference.onnx_engine import OnnxEngine

content, chance, refused = Path(sys.argv[1]).read_bytes(), random.Random(5), 0
damaged = [content[:length] for length in range(0, len(content), 3)]
for _ in range(1000):
    flipped = bytearray(content)
    for _ in range(chance.choice([1, 2, 8])):
        flipped[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    damaged.append(bytes(flipped))
for bad in damaged:
    try:
        OnnxEngine(Path("unet.onnx"), threads=1, content=bad)
    except ModelFileError:
        refused += 1
print(len(damaged) - refused, len(content) // 3 + 1)
"""


def test_no_damage_ends_the_process_or_raises_anything_else(tmp_path: Path):
    path = write_dark_model(tmp_path / "unet.onnx")
    result = subprocess.run(
        [sys.executable, "-c", DAMAGE, path], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    opened, truncated = map(int, result.stdout.split())
    assert truncated > 300
    assert opened < 500  # of 1000 with flipped bits and all that are cut off


@pytest.mark.timeout(60)
def test_another_thread_ends_a_run(tmp_path: Path):
    engine = OnnxEngine(edited(tmp_path / "unet.onnx", loop_for_ever), threads=1)
    stop = onnxruntime.RunOptions()
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(engine.run, np.zeros((1, 2, 2, 1), np.uint8), stop)
        with pytest.raises(TimeoutError):
            run.result(timeout=0.2)
        stop.terminate = True
        with pytest.raises(Exception, match="Exiting due to terminate flag"):
            run.result(timeout=30)


def test_a_run_that_was_not_stopped_goes_on_as_ever(tmp_path: Path):
    engine = OnnxEngine(write_dark_model(tmp_path / "unet.onnx"))
    dark = np.zeros((1, 1, 1, 1), np.uint8)
    stop = onnxruntime.RunOptions()
    stop.terminate = True
    with pytest.raises(Exception, match="Exiting due to terminate flag"):
        engine.run(dark, stop)
    assert engine.run(dark, onnxruntime.RunOptions()).mask.tolist() == [[[2]]]
    assert engine.run(dark).mask.tolist() == [[[2]]]


def test_what_fails_says_nothing_on_its_own(capfd: pytest.CaptureFixture[str], tmp_path: Path):
    with pytest.raises(ModelFileError):
        OnnxEngine(write_content(tmp_path / "m", b"no graph"))
    engine = OnnxEngine(edited(tmp_path / "m", loop_for_ever))
    stop = onnxruntime.RunOptions()
    stop.terminate = True
    with pytest.raises(Exception, match="terminate"):
        engine.run(np.zeros((1, 2, 2, 1), np.uint8), stop)
    assert capfd.readouterr() == ("", "")
