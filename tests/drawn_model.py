"""An exported model drawn by hand: red / 255 is how likely a crack is, green / 255 a blowhole.

A pixel is a defect where both together reach 0.5. A blue of 255 makes the background no number.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from conftest import mask, save_array
from defectseg.inference.operating_point import ClassPoint, OperatingPoint

CLASSES = ("crack", "blowhole")
POINT = OperatingPoint(
    classes=tuple(ClassPoint(defect_class=name, threshold=0.5, min_area=1) for name in CLASSES),
    temperature=1.0,
    review=0.6,
    reject=0.8,
    rule="drawn",
)
METADATA = {
    "classes": json.dumps(CLASSES),
    "in_channels": "3",
    "image_size": "64",
    "precision": "fp32",
    "operating_point": POINT.model_dump_json(),
    "weights_sha256": "0123456789abcdef" * 4,
    "data_digest": "d" * 64,
    "package_version": "0.1.0",
}
NOT_A_NUMBER = 255  # of blue


def write_model(path: Path, **changes: str) -> Path:
    """Write the model with some of its metadata changed."""
    node, constant = onnx.helper.make_node, onnx.numpy_helper.from_array
    numbers = {"white": 255, "one": 1, "zero": 0, "half": 0.5, "first": 1, "second": 2}
    constants = [constant(np.array([v], np.float32), name) for name, v in numbers.items()]
    constants.append(constant(np.array([1], np.int64), "axis"))
    nodes = [
        node("Cast", ["pictures"], ["values"], to=onnx.TensorProto.FLOAT),
        node("Div", ["values", "white"], ["scaled"]),
        node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
        node("Split", ["planes"], ["crack", "blowhole", "blue"], axis=1, num_outputs=3),
        node("Add", ["crack", "blowhole"], ["defect"]),
        node("Sub", ["one", "defect"], ["rest"]),
        node("Sub", ["one", "blue"], ["without_blue"]),
        node("Div", ["zero", "without_blue"], ["nothing"]),  # 0, or 0 / 0
        node("Add", ["rest", "nothing"], ["background"]),
        node("Concat", ["background", "crack", "blowhole"], ["probability"], axis=1),
        node("GreaterOrEqual", ["crack", "blowhole"], ["is_crack"]),
        node("Where", ["is_crack", "first", "second"], ["kind"]),
        node("GreaterOrEqual", ["defect", "half"], ["is_defect"]),
        node("Where", ["is_defect", "kind", "zero"], ["chosen"]),
        node("Cast", ["chosen"], ["bytes"], to=onnx.TensorProto.UINT8),
        node("Squeeze", ["bytes", "axis"], ["mask"]),
    ]
    value = onnx.helper.make_tensor_value_info
    taken = value("pictures", onnx.TensorProto.UINT8, [*"nhwc"])
    given = [
        value("probability", onnx.TensorProto.FLOAT, [*"nkhw"]),
        value("mask", onnx.TensorProto.UINT8, [*"nhw"]),
    ]
    graph = onnx.helper.make_graph(nodes, "drawn", [taken], given, constants)
    opset = onnx.helper.make_opsetid("", 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    onnx.helper.set_model_props(model, METADATA | changes)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def paint(drawing: str, level: int = 255) -> npt.NDArray[np.uint8]:
    """The picture (H, W, 3) in which the model sees what is drawn, with probability level / 255."""
    drawn = mask(drawing)
    planes = [drawn == 1, drawn == 2, np.zeros_like(drawn)]
    return np.stack([plane * np.uint8(level) for plane in planes], axis=2)


def write_painted(path: Path, drawing: str, level: int = 255) -> Path:
    """Write that picture; the ending says in which format."""
    return save_array(path, paint(drawing, level))


def write_pictures(folder: Path, drawings: Mapping[str, str]) -> Path:
    """Write several by their names."""
    for name, drawing in drawings.items():
        write_painted(folder / name, drawing)
    return folder


def read_lines(text: str) -> list[dict[str, Any]]:
    """The objects of JSON lines."""
    return [json.loads(line) for line in text.splitlines()]
