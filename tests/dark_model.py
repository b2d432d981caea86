"""An exported model drawn by hand: what is dark is a blowhole.

A pixel of value v has the defect probability 1 − v/255, a quarter of it crack and three quarters
blowhole; where that reaches 0.5 it is a blowhole. Of colours it sees the brightest.
"""

from pathlib import Path

import numpy as np
import onnx

from defectseg.inference.operating_point import OperatingPoint, neutral_point

THRESHOLD = 0.5
METADATA = {
    "classes": '["crack", "blowhole"]',
    "in_channels": "1",
    "image_size": "64",
    "precision": "fp32",
    "operating_point": neutral_point(["crack", "blowhole"]).model_dump_json(),
    "weights_sha256": "0123456789abcdef" * 4,
    "data_digest": "d" * 64,
    "package_version": "0.1.0",
}


def dark_point(**changes: float) -> OperatingPoint:
    """The operating point of that model, with some of its levels changed."""
    return neutral_point(["crack", "blowhole"]).model_copy(update=changes)


def write_dark_model(path: Path, **changes: str | None) -> Path:
    """Write the model with some of its metadata changed; None leaves a key of it out."""
    metadata = {key: value for key, value in (METADATA | changes).items() if value is not None}
    node, constant, kinds = onnx.helper.make_node, onnx.numpy_helper.from_array, onnx.TensorProto
    numbers = {"white": 255, "one": 1, "quarter": 0.25, "rest": 0.75, "threshold": THRESHOLD}
    constants = [constant(np.array([v], np.float32), name) for name, v in numbers.items()]
    constants.append(constant(np.array([1], np.int64), "axis"))
    constants.append(constant(np.array([2], np.uint8), "blowhole_index"))
    nodes = [
        node("Cast", ["pictures"], ["values"], to=kinds.FLOAT),
        node("Transpose", ["values"], ["channels_first"], perm=[0, 3, 1, 2]),
        node("ReduceMax", ["channels_first", "axis"], ["brightest"], keepdims=1),
        node("Div", ["brightest", "white"], ["background"]),
        node("Sub", ["one", "background"], ["defect"]),
        node("Mul", ["defect", "quarter"], ["crack"]),
        node("Mul", ["defect", "rest"], ["blowhole"]),
        node("Concat", ["background", "crack", "blowhole"], ["probability"], axis=1),
        node("Squeeze", ["defect", "axis"], ["flat"]),
        node("GreaterOrEqual", ["flat", "threshold"], ["is_defect"]),
        node("Cast", ["is_defect"], ["ones"], to=kinds.UINT8),
        node("Mul", ["ones", "blowhole_index"], ["mask"]),
    ]
    info = onnx.helper.make_tensor_value_info
    taken = [info("pictures", kinds.UINT8, [*"nhwc"])]
    given = [info("probability", kinds.FLOAT, [*"nkhw"]), info("mask", kinds.UINT8, [*"nhw"])]
    graph = onnx.helper.make_graph(nodes, "drawn", taken, given, constants)
    opset = onnx.helper.make_opsetid("", 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    onnx.helper.set_model_props(model, metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path
