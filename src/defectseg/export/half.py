"""An exported graph in, the same with its network in float16 out: half the file, for GPUs.

The pixel path, softmax, resize and mask stay in float32, and so do the input and the outputs.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from defectseg.export.graph import load_graph, write_graph
from defectseg.export.network_part import find_network, float_tensors

HALF = "_float16"  # ends the name of what was float32
ALWAYS_FLOAT32 = {("Resize", 1), ("Resize", 2)}  # operator and number of an input: region, scales


def write_half(source: Path, target: Path) -> None:
    """Write a graph with its network in float16; the same bytes for the same source."""
    model = load_graph(source)
    network = find_network(model)
    floats = float_tensors(model)
    inside = {id(node) for node in network}
    outside = {
        name for node in model.graph.node if id(node) not in inside for name in node.input
    } | {value.name for value in model.graph.output}
    halver = _Halver(floats, outside, {value.name: value for value in model.graph.initializer})
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        nodes.extend(halver.convert(node) if id(node) in inside else [node])
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(halver.weights)
    write_graph(model, target, precision="fp16")


class _Halver:
    """Turns one node of the network after the other to float16, in the order of the graph."""

    def __init__(
        self, floats: set[str], outside: set[str], initializers: dict[str, TensorProto]
    ) -> None:
        self._floats = floats
        self._outside = outside
        self._initializers = initializers
        self._halved: set[str] = set()  # names that have their float16 form
        self.weights: list[TensorProto] = []

    def convert(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        """The node in float16, and the casts before and behind it."""
        for number, name in enumerate(node.input):
            if name not in self._floats or (node.op_type, number) in ALWAYS_FLOAT32:
                continue
            if name not in self._halved:
                yield from self._enter(name)
            node.input[number] = name + HALF
        leaving = []
        for number, name in enumerate(node.output):
            if name in self._floats:
                self._halved.add(name)
                node.output[number] = name + HALF
                leaving += [name] if name in self._outside else []
        for attribute in node.attribute:
            _halve_attribute(node, attribute)
        yield node
        yield from (_cast(name + HALF, name, TensorProto.FLOAT) for name in leaving)

    def _enter(self, name: str) -> Iterator[onnx.NodeProto]:
        self._halved.add(name)
        if name in self._initializers:
            self.weights.append(_halve_tensor(self._initializers[name], name + HALF))
        else:
            yield _cast(name, name + HALF, TensorProto.FLOAT16)


def _cast(name: str, to_name: str, to: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [name], [to_name], name=f"cast_{to_name}", to=to)


def _halve_tensor(tensor: TensorProto, name: str) -> TensorProto:
    """A copy in float16; what float16 cannot hold becomes its largest number."""
    largest = np.finfo(np.float16).max
    values = np.clip(numpy_helper.to_array(tensor), -largest, largest).astype(np.float16)
    return numpy_helper.from_array(values, name)


def _halve_attribute(node: onnx.NodeProto, attribute: onnx.AttributeProto) -> None:
    """A cast to float32 and a constant of float32 become float16."""
    if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
        attribute.i = TensorProto.FLOAT16
    elif attribute.HasField("t") and attribute.t.data_type == TensorProto.FLOAT:
        attribute.t.CopyFrom(_halve_tensor(attribute.t, attribute.t.name))
