"""quantize: the same graph with its network in 8-bit integers."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from defectseg.errors import ExportError
from defectseg.export.network_part import find_network
from defectseg.export.quantize import calibrate, layers_of, quantize_int8, write_int8
from defectseg.inference.onnx_engine import OnnxEngine
from exported import draw_pictures, exported, metadata_of, tensors_of

TESTS = Path(__file__).parent
LARGEST = 64  # of 7 bits: -64..64


def shown() -> list[npt.NDArray[np.uint8]]:
    """Pictures (H, W, 1) of three sizes."""
    sizes = [(64, 64), (50, 131), (120, 37), (64, 90)]
    return [draw_pictures(1, *size)[0] for size in sizes]


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny graph in INT8."""
    path = tmp_path_factory.mktemp("int8") / "unet.int8.onnx"
    quantize_int8(exported(), path, shown())
    return path


def test_it_says_nearly_what_the_float32_graph_says(quantised: Path):
    for picture in (*shown(), draw_pictures(1, 201, 99)[0]):
        expected, said = (
            OnnxEngine(path, threads=1).run(picture[None]) for path in (exported(), quantised)
        )
        assert said.probability.dtype == np.float32
        assert said.mask.dtype == np.uint8
        difference = np.abs(said.probability - expected.probability)
        assert 1e-5 < difference.mean() < 0.05  # nothing at all would be float32 still
        assert (said.mask != expected.mask).mean() < 0.1


def test_every_layer_but_the_two_ends_has_8_bit_weights_with_a_scale_a_channel(quantised: Path):
    layers = layers_of(onnx.load(exported()))
    model = onnx.load(quantised)
    makers = {name: node for node in model.graph.node for name in node.output}
    stored = {v.name: numpy_helper.to_array(v) for v in model.graph.initializer}
    convolutions = {node.name: node for node in model.graph.node if node.op_type == "Conv"}
    ends = convolutions.keys() - set(layers)
    assert len(ends) == 2
    for node in (convolutions[name] for name in layers):
        scaled = makers[node.input[1]]
        weights, scales = stored[scaled.input[0]], stored[scaled.input[1]]
        assert weights.dtype == np.int8
        assert scales.shape == (weights.shape[0],)
        assert np.abs(weights.astype(int)).max() <= LARGEST  # two products fit into 16 bits
        assert makers[node.input[0]].op_type == "DequantizeLinear"
    for node in (convolutions[name] for name in ends):
        assert stored[node.input[1]].dtype == np.float32


def test_activations_are_uint8_and_the_pixel_path_and_the_softmax_are_untouched(quantised: Path):
    model = onnx.load(quantised)
    stored = {v.name: v.data_type for v in model.graph.initializer}
    quantisers = [node for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert quantisers
    assert {stored[node.input[2]] for node in quantisers} == {TensorProto.UINT8}
    before = onnx.load(exported())
    inside = {node.name for node in find_network(before)}
    untouched = [node for node in before.graph.node if node.name not in inside]
    assert [node for node in untouched if node not in list(model.graph.node)] == []


def test_the_network_shrinks_to_about_a_quarter(quantised: Path):
    floats = sum(
        4 * numpy_helper.to_array(v).size
        for v in onnx.load(exported()).graph.initializer
        if v.name.startswith("network.")
    )
    saved = exported().stat().st_size - quantised.stat().st_size
    assert saved == pytest.approx(0.75 * floats, rel=0.1)


def test_the_input_the_outputs_and_the_metadata_stay(quantised: Path):
    before, after = onnx.load(exported()), onnx.load(quantised)
    assert list(after.graph.input) == list(before.graph.input)
    assert list(after.graph.output) == list(before.graph.output)
    assert metadata_of(quantised) == metadata_of(exported()) | {"precision": "int8"}
    onnx.checker.check_model(after, full_check=True)
    assert {entry.domain for entry in after.opset_import} == {""}


def test_the_file_names_no_path_of_this_machine(quantised: Path):
    content = quantised.read_bytes()
    for trace in (b".py", b"/tmp", str(TESTS.parent).encode(), str(Path.home()).encode()):
        assert trace not in content


def test_a_layer_that_is_kept_stays_in_float_with_its_weights(tmp_path: Path):
    model = onnx.load(exported())
    layers = layers_of(model)
    write_int8(model, calibrate(model, shown()), tmp_path / "kept.onnx", keep_float=layers[:2])
    weights = {n.name: n.input[1] for n in model.graph.node if n.op_type == "Conv"}
    kinds = tensors_of(tmp_path / "kept.onnx")
    assert [weights[name] in kinds for name in layers[:3]] == [True, True, False]


def test_what_stands_between_two_float_layers_is_not_quantised(tmp_path: Path):
    model = onnx.load(exported())
    layers = layers_of(model)
    write_int8(model, calibrate(model, shown()), tmp_path / "one.onnx", keep_float=layers[:-1])
    counts = Counter(node.op_type for node in onnx.load(tmp_path / "one.onnx").graph.node)
    assert counts["QuantizeLinear"] == 2  # before and behind the only layer


AGAIN = """
import sys
from pathlib import Path
from defectseg.export.half import write_half
from defectseg.export.quantize import quantize_int8
from test_quantize import shown

source, folder = map(Path, sys.argv[1:])
quantize_int8(source, folder / "int8.onnx", shown())
write_half(source, folder / "fp16.onnx")
"""


@pytest.mark.slow
def test_other_processes_write_the_same_bytes(quantised: Path, tmp_path: Path):
    for seed in ("1", "4711"):
        (tmp_path / seed).mkdir()
        env = os.environ | {"PYTHONHASHSEED": seed}
        told = [str(exported()), str(tmp_path / seed)]
        subprocess.run([sys.executable, "-c", AGAIN, *told], cwd=TESTS, env=env, check=True)
        assert (tmp_path / seed / "int8.onnx").read_bytes() == quantised.read_bytes()
    first, second = ((tmp_path / seed / "fp16.onnx").read_bytes() for seed in ("1", "4711"))
    assert first == second


def test_a_network_with_nothing_between_its_ends_cannot_be_quantised():
    nodes = [helper.make_node("Conv", ["x", "network.w"], ["y"], name="only")]
    model = helper.make_model(helper.make_graph(nodes, "g", [], []))
    with pytest.raises(ExportError, match=r"no convolution to quantise.*export\.variants"):
        layers_of(model)


def test_without_pictures_there_is_no_file(tmp_path: Path):
    with pytest.raises(ExportError, match="train has no picture"):
        quantize_int8(exported(), tmp_path / "unet.int8.onnx", [])
    assert list(tmp_path.iterdir()) == []
