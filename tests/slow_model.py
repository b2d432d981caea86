"""The drawn model, but the blue of the first pixel is an order: how long to work, or to fail.

129 to 254: that many times 128 less as long as the shortest order; 7: fail; anything else: nothing.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from drawn_model import write_model

FAIL = 7
SIDE = 384  # of the matrices that are multiplied
ROUNDS = 40  # products of the shortest order


def write_slow_model(path: Path, **changes: str) -> Path:
    """Write the model with some of its metadata changed."""
    model = onnx.load(write_model(path, **changes))
    graph, node = model.graph, onnx.helper.make_node
    for name, value in {
        "corner": np.array([0, 0, 0, 2]),
        "corner_end": np.array([1, 1, 1, 3]),
        "one_value": np.array([], np.int64),
        "rounds": np.array(ROUNDS, np.float32),
        "none_at": np.array(128, np.float32),
        "fail_at": np.array(FAIL, np.float32),
        "there": np.array(0),
        "nowhere": np.array(99),
        "zeros": np.zeros(1, np.float32),
        "matrix": np.eye(SIDE, dtype=np.float32),
        "yes": np.array(True),
        "one_scalar": np.array(1, np.float32),
    }.items():
        graph.initializer.append(onnx.numpy_helper.from_array(value, name))
    own = [
        node("Slice", ["values", "corner", "corner_end"], ["pixel"]),
        node("Reshape", ["pixel", "one_value"], ["order"]),
        node("Equal", ["order", "fail_at"], ["fails"]),
        node("Where", ["fails", "nowhere", "there"], ["place"]),
        node("Gather", ["zeros", "place"], ["naught"]),
        node("Sub", ["order", "none_at"], ["over"]),
        node("Relu", ["over"], ["share"]),
        node("Mul", ["share", "rounds"], ["length"]),
        node("Cast", ["length"], ["count"], to=onnx.TensorProto.INT64),
        node("Loop", ["count", "yes", "matrix"], ["worked"], body=make_round()),
        node("ReduceMax", ["worked"], ["still_one"], keepdims=0),
        node("Sub", ["still_one", "one_scalar"], ["still_zero"]),
        node("Add", ["still_zero", "naught"], ["nothing_more"]),
        node("Add", ["rest_drawn", "nothing_more"], ["rest"]),
    ]
    [place] = [n for n, found in enumerate(graph.node) if list(found.output) == ["rest"]]
    graph.node[place].output[0] = "rest_drawn"
    for number, found in enumerate(own, place + 1):
        graph.node.insert(number, found)
    onnx.save(model, path)
    return path


def make_round() -> onnx.GraphProto:
    """One product of the loop: the matrix stays what it is."""
    node, value, kinds = onnx.helper.make_node, onnx.helper.make_tensor_value_info, onnx.TensorProto
    nodes = [node("MatMul", ["so_far", "matrix"], ["then"]), node("Identity", ["go_on"], ["goes"])]
    taken = [
        value("round", kinds.INT64, []),
        value("go_on", kinds.BOOL, []),
        value("so_far", kinds.FLOAT, [SIDE, SIDE]),
    ]
    given = [value("goes", kinds.BOOL, []), value("then", kinds.FLOAT, [SIDE, SIDE])]
    return onnx.helper.make_graph(nodes, "round", taken, given)


def order(picture: npt.NDArray[np.uint8], length: int) -> npt.NDArray[np.uint8]:
    """The picture (H, W, 3) with an order in its first pixel; 0 = none, FAIL, or 1 to 126."""
    ordered = picture.copy()
    ordered[0, 0, 2] = length if length in {0, FAIL} else 128 + length
    return ordered
