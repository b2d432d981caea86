"""ranges: which pictures a network is calibrated on, and what it sees of them."""

from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper

from defectseg.data.tile import CLEAN, Tile
from defectseg.errors import ExportError
from defectseg.export.ranges import choose_pictures, measure_ranges
from tiny import tile


def tiles_of(defect_class: str, **surfaces: int) -> list[Tile]:
    """So many tiles of each surface."""
    return [
        replace(tile(f"{name}{number}", defect_class, name), sha256=f"{defect_class}{name}{number}")
        for name, count in surfaces.items()
        for number in range(count)
    ]


CRACKS = tiles_of("crack", a=3, b=1, c=1)
HOLES = tiles_of("blowhole", d=1)
FREES = tiles_of(CLEAN, e=2, f=2)
ALL = CRACKS + HOLES + FREES


def test_each_class_gives_as_many_pictures_as_it_can():
    chosen = choose_pictures(ALL, 7)
    assert Counter(t.defect_class for t in chosen) == {"crack": 3, "blowhole": 1, CLEAN: 3}


def test_other_surfaces_come_before_other_pictures_of_the_same():
    assert {t.surface for t in choose_pictures(CRACKS, 3)} == {"a", "b", "c"}
    assert sorted(Counter(t.surface for t in choose_pictures(FREES, 3)).values()) == [1, 2]


def test_the_order_of_the_tiles_changes_nothing():
    assert choose_pictures(ALL, 5) == choose_pictures(ALL[::-1], 5)


def test_a_small_part_is_taken_whole_and_once():
    assert sorted(t.id for t in choose_pictures(ALL, 100)) == sorted(t.id for t in ALL)
    assert choose_pictures([], 100) == []


@pytest.fixture
def model() -> onnx.ModelProto:
    """pictures → x (their values) → y (minus 100) → probability (its logarithm)."""
    nodes = [
        helper.make_node("Cast", ["pictures"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["x", "hundred"], ["y"]),
        helper.make_node("Log", ["y"], ["probability"]),
    ]
    hundred = helper.make_tensor("hundred", TensorProto.FLOAT, [], [100.0])
    sizes = ["n", "h", "w", 1]
    ends = [
        helper.make_tensor_value_info("pictures", TensorProto.UINT8, sizes),
        helper.make_tensor_value_info("probability", TensorProto.FLOAT, sizes),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [hundred])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def flat(height: int, width: int, value: int) -> npt.NDArray[np.uint8]:
    return np.full((height, width, 1), value, dtype=np.uint8)


def test_a_range_reaches_over_all_pictures_whatever_their_size(model: onnx.ModelProto):
    pictures = [flat(2, 3, 120), flat(5, 1, 80), flat(1, 1, 250)]
    assert measure_ranges(model, {"y", "x"}, pictures) == {"x": (80.0, 250.0), "y": (-20.0, 150.0)}
    assert [value.name for value in model.graph.output] == ["probability"]  # as it was


def test_an_output_of_the_graph_can_be_measured_too(model: onnx.ModelProto):
    assert measure_ranges(model, ["probability"], [flat(1, 1, 101)]) == {"probability": (0.0, 0.0)}


def test_without_pictures_nothing_can_be_calibrated(model: onnx.ModelProto):
    with pytest.raises(ExportError, match=r"train has no picture.*export\.variants"):
        measure_ranges(model, ["x"], [])


def test_a_network_that_gives_no_number_cannot_be_calibrated(model: onnx.ModelProto):
    with pytest.raises(ExportError, match="a value that is no number"):
        measure_ranges(model, ["probability"], [flat(1, 1, 250), flat(1, 1, 50)])


def test_the_order_is_the_same_whatever_the_order_of_the_names(model: onnx.ModelProto):
    ranges = measure_ranges(model, {"y", "x", "probability"}, [flat(1, 1, 200)])
    assert list(ranges) == ["probability", "x", "y"]
