"""The drawn model of dark_model.py with a change of its graph, and files with any content."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from dark_model import write_dark_model


def write_content(path: Path, content: bytes) -> Path:
    """Write a file."""
    path.write_bytes(content)
    return path


def edited(path: Path, edit: Callable[[onnx.ModelProto], Any], **metadata: str) -> Path:
    """The drawn model with a change of its graph."""
    model = onnx.load(write_dark_model(path, **metadata))
    edit(model)
    return write_content(path, model.SerializeToString())


def set_value(model: onnx.ModelProto, name: str, value: float) -> None:
    """Change a constant of the model, such as `quarter`, in its own type."""
    constant = next(v for v in model.graph.initializer if v.name == name)
    kind = onnx.numpy_helper.to_array(constant).dtype
    constant.CopyFrom(onnx.numpy_helper.from_array(np.array([value], kind), name))


def loop_for_ever(model: onnx.ModelProto) -> None:
    """Put a loop of 2⁶² rounds before the value that is taken for white."""
    node, info, kinds = onnx.helper.make_node, onnx.helper.make_tensor_value_info, onnx.TensorProto
    body = onnx.helper.make_graph(
        [node("Identity", ["go"], ["on"]), node("Identity", ["value"], ["same"])],
        "round",
        [info("i", kinds.INT64, []), info("go", kinds.BOOL, []), info("value", kinds.FLOAT, [1])],
        [info("on", kinds.BOOL, []), info("same", kinds.FLOAT, [1])],
    )
    rounds = onnx.numpy_helper.from_array(np.array(2**62), "rounds")
    model.graph.initializer.append(rounds)
    divide = next(node for node in model.graph.node if node.op_type == "Div")
    divide.input[1] = "at_last"
    model.graph.node.insert(0, node("Loop", ["rounds", "", "white"], ["at_last"], body=body))


def one_picture_only(model: onnx.ModelProto) -> None:
    """Let a batch of several fail: take the only white by the number of the last picture."""
    node = onnx.helper.make_node
    divide = next(node for node in model.graph.node if node.op_type == "Div")
    divide.input[1] = "level"
    nodes = [
        node("Shape", ["pictures"], ["count"], start=0, end=1),
        node("Sub", ["count", "axis"], ["last"]),
        node("Gather", ["white", "last"], ["level"]),
    ]
    for place, new in enumerate(nodes):
        model.graph.node.insert(place, new)
