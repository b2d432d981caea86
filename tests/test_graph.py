"""graph: one ONNX file that takes raw pictures of any size and says what torch says."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from defectseg.errors import ModelFileError
from defectseg.export.graph import load_graph, write_graph
from defectseg.inference.onnx_engine import OnnxEngine
from defectseg.inference.operating_point import OperatingPoint
from defectseg.inference.torch_engine import TorchEngine
from defectseg.network.unet import file_digest
from exported import OPSET, POINT, SIDE, draw_pictures, exported, metadata_of
from tiny import model_info, network

TESTS = Path(__file__).parent
SIZES = [(1, 64, 64), (3, 50, 131), (2, 200, 37), (1, 301, 402), (1, 9, 12), (1, 2, 3)]  # N, H, W
METADATA = {
    "classes",
    "operating_point",
    "precision",
    "image_size",
    "best_epoch",
    "data_digest",
    "code_digest",
    "package_version",
    "encoder",
    "in_channels",
    "weights_sha256",
}


@cache
def engine(path: Path) -> OnnxEngine:
    return OnnxEngine(path, threads=1)


@cache
def trusted(channels: int) -> TorchEngine:
    return TorchEngine(network(in_channels=channels), SIDE, POINT, torch.device("cpu"))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_graph_says_what_torch_says_at_every_number_and_size_of_pictures(
    size: tuple[int, int, int], channels: int
):
    pictures = draw_pictures(*size, channels)
    expected = trusted(channels).run(pictures)
    said = engine(exported(channels)).run(pictures)
    count, height, width = size
    assert said.probability.shape == (count, 3, height, width)
    assert said.probability.dtype == np.float32
    assert np.abs(said.probability - expected.probability).max() <= 1e-4
    assert np.abs(said.probability.sum(axis=1) - 1).max() < 1e-5
    assert said.mask.shape == (count, height, width)
    assert said.mask.dtype == np.uint8
    assert (said.mask != expected.mask).mean() <= 1e-3


def test_the_network_has_opinions_so_that_agreement_proves_something():
    said = engine(exported()).run(draw_pictures(1, 64, 64))
    assert said.probability.max() > 0.7
    assert set(np.unique(said.mask)) == {0, 1, 2}


def test_the_mask_follows_the_thresholds_of_the_operating_point():
    said = engine(exported()).run(draw_pictures(1, 70, 90))
    _, crack, blowhole = said.probability[0]
    defect = 1 - said.probability[0, 0]
    expected = np.where(
        blowhole > crack, np.where(defect >= 0.7, 2, 0), np.where(defect >= 0.4, 1, 0)
    )
    assert np.array_equal(said.mask[0], expected)


def test_the_graph_passes_the_checker_with_free_sizes_and_the_opset_asked_for():
    model = onnx.load(exported())
    onnx.checker.check_model(model, full_check=True)
    (pictures,), (probability, mask) = model.graph.input, model.graph.output
    assert (pictures.name, probability.name, mask.name) == ("pictures", "probability", "mask")
    kinds = [value.type.tensor_type.elem_type for value in (pictures, probability, mask)]
    assert kinds == [TensorProto.UINT8, TensorProto.FLOAT, TensorProto.UINT8]
    dims = pictures.type.tensor_type.shape.dim
    assert [bool(dim.dim_param) for dim in dims] == [True, True, True, False]
    assert dims[3].dim_value == 1
    assert {entry.version for entry in model.opset_import if entry.domain == ""} == {OPSET}


def test_the_file_holds_everything_that_a_service_needs_to_know():
    found = metadata_of(exported(3))
    assert found.keys() == METADATA
    assert json.loads(found["classes"]) == ["crack", "blowhole"]
    assert OperatingPoint.model_validate_json(found["operating_point"]) == POINT
    assert found["precision"] == "fp32"
    assert (int(found["image_size"]), int(found["in_channels"])) == (SIDE, 3)
    assert found["encoder"] == "tu-test_resnet"
    for name in ("data_digest", "code_digest", "package_version"):
        assert found[name] == getattr(model_info(), name)
    assert found["weights_sha256"] == file_digest(exported(3).with_suffix(".safetensors"))


def test_the_file_names_no_path_of_this_machine():
    content = exported().read_bytes()
    for trace in (b".py", b"site-packages", str(TESTS.parent).encode(), str(Path.home()).encode()):
        assert trace not in content


def test_nothing_else_is_left_beside_the_file():
    names = sorted(path.name for path in exported().parent.iterdir())
    assert names == ["unet.json", "unet.onnx", "unet.safetensors"]


AGAIN = """
import sys
from pathlib import Path
from exported import export_tiny

export_tiny(Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(tmp_path: Path):
    env = os.environ | {"PYTHONHASHSEED": "4711"}
    subprocess.run([sys.executable, "-c", AGAIN, str(tmp_path)], cwd=TESTS, env=env, check=True)
    assert (tmp_path / "unet.onnx").read_bytes() == exported().read_bytes()


ALONE = """
import sys

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in {"numpy", "onnxruntime"} | sys.stdlib_module_names:
            raise ImportError(f"{name} is not here")

sys.meta_path.insert(0, Nowhere())
for name in ("torch", "onnx", "defectseg", "scipy"):
    try:
        __import__(name)
    except ImportError:
        continue
    sys.exit(f"{name} can be imported: this test proves nothing")

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
said = session.run(["probability", "mask"], {"pictures": np.load(sys.argv[2])})
np.savez(sys.argv[3], probability=said[0], mask=said[1])
"""


def test_the_file_runs_with_nothing_but_onnxruntime_and_numpy(tmp_path: Path):
    pictures = draw_pictures(1, 70, 90)
    np.save(tmp_path / "pictures.npy", pictures)
    told = [exported(), tmp_path / "pictures.npy", tmp_path / "said.npz"]
    subprocess.run([sys.executable, "-c", ALONE, *map(str, told)], check=True)
    said, expected = np.load(tmp_path / "said.npz"), engine(exported()).run(pictures)
    assert np.abs(said["probability"] - expected.probability).max() < 1e-5
    assert (said["mask"] != expected.mask).mean() < 1e-3


def test_a_graph_is_written_without_what_nothing_reads_and_what_others_noted(tmp_path: Path):
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    lost = helper.make_tensor("lost", TensorProto.FLOAT, [1], [2.0])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("in", "out")]
    node = helper.make_node("Add", ["in", "one"], ["out"], doc_string="/home/me/model.py")
    graph = helper.make_graph([node], "g", ends[:1], ends[1:], [one, lost], doc_string="mine")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    helper.set_model_props(model, {"classes": "[]", "onnx.infer": "a tool", "precision": "old"})
    write_graph(model, tmp_path / "g.onnx", precision="fp16")
    written = onnx.load(tmp_path / "g.onnx")
    assert [value.name for value in written.graph.initializer] == ["one"]
    assert (written.graph.doc_string, written.graph.node[0].doc_string) == ("", "")
    assert metadata_of(tmp_path / "g.onnx") == {"classes": "[]", "precision": "fp16"}


def test_a_graph_that_the_checker_refuses_is_not_written(tmp_path: Path):
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("in", "out")]
    graph = helper.make_graph([helper.make_node("Relu", ["no"], ["out"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    with pytest.raises(onnx.checker.ValidationError):
        write_graph(model, tmp_path / "g.onnx", precision="fp32")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, b"no graph"])
def test_what_is_no_onnx_file_cannot_be_loaded(content: bytes | None, tmp_path: Path):
    path = tmp_path / "unet.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"unet\.onnx is no ONNX file"):
        load_graph(path)
