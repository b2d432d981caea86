"""The dark model, but each pixel is judged by a weighted mean of the 25 around it.

So one pixel that differs changes the probabilities of its neighbours too, as in a real network.
"""

from pathlib import Path

import numpy as np
import onnx

from dark_model import write_dark_model

SIDE = 5  # px


def write_blurred_model(path: Path) -> Path:
    """Write it."""
    model = onnx.load(write_dark_model(path))
    graph = model.graph
    weights = np.random.default_rng(5).uniform(0.5, 1, (1, 1, SIDE, SIDE)).astype(np.float32)
    graph.initializer.append(onnx.numpy_helper.from_array(weights / weights.sum(), "weights"))
    [place] = [n for n, node in enumerate(graph.node) if node.op_type == "ReduceMax"]
    blur = onnx.helper.make_node(
        "Conv", ["channels_first", "weights"], ["blurred"], pads=[SIDE // 2] * 4
    )
    graph.node[place].input[0] = "blurred"
    graph.node.insert(place, blur)
    onnx.save(model, path)
    return path
