"""An exported graph in, the part of it that is the network out: what a variant may change.

What lies before is the pixel path; what lies behind are softmax, resize and mask. Both stay as they
are in every variant, in float32.
"""

from collections.abc import Sequence

import onnx

WEIGHTS = "network."  # how the names of the network's weights begin: `Segmenter.network`


def find_network(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The nodes between the first and the last that has weights, in the order of the graph.

    Raises:
        ValueError: No node has weights: it is no export of ours.
    """
    nodes = list(model.graph.node)
    below = _reach(nodes, forwards=True)
    above = _reach(nodes, forwards=False)
    found = [node for index, node in enumerate(nodes) if index in below & above]
    if not found:
        raise ValueError(f"no node of the graph has weights whose names begin with {WEIGHTS!r}")
    return found


def _reach(nodes: Sequence[onnx.NodeProto], forwards: bool) -> set[int]:
    """The indices of the nodes with weights, and of all that lie behind or before one of them."""
    touched: set[str] = set()
    reached = set()
    order = range(len(nodes)) if forwards else reversed(range(len(nodes)))  # topological
    for index in order:
        node = nodes[index]
        entering, leaving = (node.input, node.output)[:: 1 if forwards else -1]
        if has_weights(node) or touched.intersection(entering):
            reached.add(index)
            touched.update(filter(None, leaving))
    return reached


def has_weights(node: onnx.NodeProto) -> bool:
    """Whether a trained tensor enters a node."""
    return any(name.startswith(WEIGHTS) for name in node.input)


def float_tensors(model: onnx.ModelProto) -> set[str]:
    """The names of every float32 tensor of a graph, weights included."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*graph.value_info, *graph.input, *graph.output)
    kinds = {value.name: value.type.tensor_type.elem_type for value in values}
    kinds |= {value.name: value.data_type for value in graph.initializer}
    return {name for name, kind in kinds.items() if kind == onnx.TensorProto.FLOAT}
