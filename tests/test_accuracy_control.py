"""accuracy_control: layers that lose too much stay in float, chosen on valid."""

from pathlib import Path

import onnx
import pytest

from defectseg.data.tile import CLEAN, TileSet
from defectseg.export.accuracy_control import quantize_within_limits, rank_layers
from defectseg.export.offers import Limits
from defectseg.export.quantize import calibrate, layers_of
from defectseg.inference.onnx_engine import OnnxEngine
from exported import exported, tensors_of
from tiny import write_tiles

LENIENT = Limits(dice_drop=2.0, class_iou_drop=2.0, verdicts_changed=2.0)
IMPOSSIBLE = Limits(dice_drop=-9.0, class_iou_drop=-9.0, verdicts_changed=-9.0)


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> TileSet:
    """Four pictures; the test calibrates on them as well."""
    return write_tiles(tmp_path_factory.mktemp("tiles"), ["crack", "blowhole", CLEAN, "crack"])


def quantise(target: Path, valid: TileSet, limits: Limits) -> tuple[str, ...]:
    pictures = (valid.picture(tile, 1) for tile in valid.tiles)
    return quantize_within_limits(exported(), target, pictures, valid, limits, threads=1)


def test_where_the_limits_are_kept_every_layer_is_quantised(valid: TileSet, tmp_path: Path):
    assert quantise(tmp_path / "unet.onnx", valid, LENIENT) == ()
    assert OnnxEngine(tmp_path / "unet.onnx").facts.precision == "int8"


@pytest.mark.slow
def test_where_nothing_helps_the_worst_layers_are_kept_in_growing_number_but_never_all(
    valid: TileSet, tmp_path: Path
):
    layers = layers_of(onnx.load(exported()))
    kept = quantise(tmp_path / "unet.onnx", valid, IMPOSSIBLE)
    most = max(count for count in (2, 4, 8, 16, 32, 64) if count < len(layers))
    assert len(kept) == most
    nodes = onnx.load(exported()).graph.node
    weights = {node.name: node.input[1] for node in nodes if node.op_type == "Conv"}
    stored = tensors_of(tmp_path / "unet.onnx")
    in_float = {layer for layer in layers if weights[layer] in stored}
    assert in_float == set(kept)


@pytest.mark.slow
def test_a_layer_whose_range_is_wrong_comes_first(valid: TileSet, tmp_path: Path):
    model, trusted = onnx.load(exported()), OnnxEngine(exported(), threads=1)
    layers = layers_of(model)
    ranges = calibrate(model, [valid.picture(tile, 1) for tile in valid.tiles])
    ranked = rank_layers(model, ranges, tmp_path / "scratch.onnx", trusted, valid, 1)
    assert sorted(ranked) == sorted(layers)
    assert ranked[0] != layers[0]
    (made,) = next(node.output for node in model.graph.node if node.name == layers[0])
    readers = [node for node in model.graph.node if made in node.input]
    for name in (made, *(node.output[0] for node in readers if node.op_type == "Relu")):
        low, high = ranges[name]
        ranges[name] = (low / 100, high / 100)  # all but the smallest values are cut off
    assert rank_layers(model, ranges, tmp_path / "x.onnx", trusted, valid, 1)[0] == layers[0]
