"""half: the same graph with its network in float16."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from defectseg.export.half import write_half
from defectseg.export.network_part import find_network
from defectseg.inference.onnx_engine import OnnxEngine
from exported import draw_pictures, exported, metadata_of, tensors_of


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny graph in float16."""
    path = tmp_path_factory.mktemp("half") / "unet.fp16.onnx"
    write_half(exported(), path)
    return path


@pytest.mark.parametrize("size", [(1, 64, 64), (2, 50, 131), (1, 200, 37)], ids=str)
def test_it_says_nearly_what_the_float32_graph_says(size: tuple[int, int, int], half: Path):
    pictures = draw_pictures(*size)
    expected, said = (OnnxEngine(path, threads=1).run(pictures) for path in (exported(), half))
    assert said.probability.dtype == np.float32
    assert said.mask.dtype == np.uint8
    difference = np.abs(said.probability - expected.probability).max()
    assert 0 < difference < 0.05  # 0 would be float32 still
    assert (said.mask != expected.mask).mean() < 0.01


def test_every_weight_is_float16_and_nothing_outside_the_network(half: Path):
    inside = {name for node in find_network(onnx.load(half)) for name in node.input}
    kinds = tensors_of(half)
    assert {kinds[n] for n in kinds if n.startswith("network.")} == {TensorProto.FLOAT16}
    outside = {kind for name, kind in kinds.items() if name not in inside}
    assert TensorProto.FLOAT in outside
    assert TensorProto.FLOAT16 not in outside


def test_the_file_is_about_half_as_large(half: Path):
    weights = sum(
        8 * numpy_helper.to_array(value).size // 4  # bytes saved: 2 of 4
        for value in onnx.load(exported()).graph.initializer
        if value.name.startswith("network.")
    )
    saved = exported().stat().st_size - half.stat().st_size
    assert saved == pytest.approx(weights, rel=0.05)


def test_the_input_and_the_outputs_and_the_metadata_stay(half: Path):
    before, after = onnx.load(exported()), onnx.load(half)
    assert list(after.graph.input) == list(before.graph.input)
    assert list(after.graph.output) == list(before.graph.output)
    assert metadata_of(half) == metadata_of(exported()) | {"precision": "fp16"}
    onnx.checker.check_model(after, full_check=True)


def test_the_same_graph_gives_the_same_bytes(half: Path, tmp_path: Path):
    write_half(exported(), tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == half.read_bytes()


def graph_of(folder: Path, weight: float) -> Path:
    """in → cast to float → times a weight → 2 × larger → times the weight → out; all are kept."""
    nodes = [
        helper.make_node("Cast", ["pictures"], ["x"], name="before", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x", "network.w"], ["y"], name="first"),
        helper.make_node("Cast", ["y"], ["cast"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Resize", ["cast", "", "scales"], ["large"], name="resize"),
        helper.make_node("Constant", [], ["one"], value=numpy_helper.from_array(np.float32([1]))),
        helper.make_node("Mul", ["large", "one"], ["same"], name="same"),
        helper.make_node("Mul", ["same", "network.w"], ["probability"], name="last"),
        helper.make_node("Mul", ["x", "network.w"], ["aside"], name="aside"),
        helper.make_node("Exp", ["y"], ["outside"], name="outside"),
    ]
    stored = [
        numpy_helper.from_array(np.float32([weight]), "network.w"),
        numpy_helper.from_array(np.float32([2.0]), "scales"),
    ]
    ends = [helper.make_tensor_value_info("pictures", TensorProto.UINT8, [2])] + [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [size])
        for name, size in (("probability", 4), ("outside", 2), ("aside", 2))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], stored)
    opset = [helper.make_opsetid("", 20)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=10), folder / "g.onnx")
    return folder / "g.onnx"


def run(path: Path) -> list[np.ndarray]:
    model = onnx.load(path)
    session = onnx.reference.ReferenceEvaluator(model)
    return session.run(None, {"pictures": np.array([1, 3], dtype=np.uint8)})


def test_casts_constants_and_scales_inside_the_network_still_fit_together(tmp_path: Path):
    source = graph_of(tmp_path, weight=0.5)
    write_half(source, tmp_path / "half.onnx")
    probability, outside, aside = run(tmp_path / "half.onnx")
    assert probability.dtype == outside.dtype == aside.dtype == np.float32
    assert probability.tolist() == [0.25, 0.25, 0.75, 0.75]
    assert outside == pytest.approx(np.exp([0.5, 1.5]))
    assert aside.tolist() == [0.5, 1.5]


def test_a_weight_that_float16_cannot_hold_becomes_its_largest_and_not_infinite(tmp_path: Path):
    write_half(graph_of(tmp_path, weight=1e6), tmp_path / "half.onnx")
    stored = {v.name: v for v in onnx.load(tmp_path / "half.onnx").graph.initializer}
    assert numpy_helper.to_array(stored["network.w_float16"]).tolist() == [65504.0]
