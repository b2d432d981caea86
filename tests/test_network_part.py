"""network_part: what of a graph is the network, and what lies around it."""

import onnx
import pytest
from onnx import TensorProto, helper

from defectseg.export.network_part import find_network, float_tensors
from exported import exported


def drawn(*edges: str) -> onnx.ModelProto:
    """A graph of nodes as drawn: `a,b->c` reads a and b, makes c and is called c."""
    nodes = []
    for edge in edges:
        read, made = edge.split("->")
        nodes.append(helper.make_node("Sum", read.split(","), [made], name=made))
    return helper.make_model(helper.make_graph(nodes, "g", [], []))


def names(model: onnx.ModelProto) -> list[str]:
    return [node.name for node in find_network(model)]


def test_the_network_is_what_lies_between_the_first_and_the_last_weights():
    model = drawn("in->scaled", "scaled,network.a->x", "x->y", "y,network.b->z", "z->mask")
    assert names(model) == ["x", "y", "z"]


def test_a_branch_that_joins_the_network_later_is_no_part_of_it_unless_it_left_it():
    model = drawn(
        "in->size",  # of the picture: joins at z, but comes from outside
        "in,network.a->x",
        "x->skip",
        "x->aside",  # leaves the network and never returns
        "x,network.b->y",
        "y,skip,size->join",
        "join,network.c->z",
    )
    assert names(model) == ["x", "skip", "y", "join", "z"]


def test_a_graph_without_weights_is_no_export_of_ours():
    with pytest.raises(ValueError, match="no node of the graph has weights"):
        find_network(drawn("in->x", "x,weights->y"))


def test_the_network_of_an_export_has_every_convolution_and_neither_end_of_the_pixel_path():
    model = onnx.load(exported())
    inside = find_network(model)
    outside = [node for node in model.graph.node if node not in inside]
    assert inside[0].op_type == inside[-1].op_type == "Conv"
    assert not {"Conv", "Relu", "Resize"} & {node.op_type for node in outside}
    assert not {"Exp", "Where", "MatMul", "Abs"} & {node.op_type for node in inside}


def test_float_tensors_are_those_of_32_bits_stored_ones_included():
    model = onnx.load(exported())
    found = float_tensors(model)
    assert {"probability", "network.segmentation_head.0.weight"} <= found
    assert not {"pictures", "mask", ""} & found
    whole = {v.name for v in model.graph.initializer if v.data_type == TensorProto.INT64}
    assert whole
    assert not whole & found
