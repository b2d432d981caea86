"""An exported graph and train pictures in, the same with its network in INT8 out, for CPUs.

Static quantisation in the QDQ form that ONNX Runtime and OpenVINO both read: activations uint8 with
one scale a tensor, weights int8 with one scale an output channel. Only convolutions and what stands
between them are quantised; the pixel path, softmax, resize and mask stay as they are.

Chosen by trying with the default model, on the valid part:
- the first and the last convolution stay in float: clearly less error for little arithmetic;
- the range of a tensor is from its least to its largest value: cutting outliers off (percentiles)
  costs more than the finer steps gain, and ONNX Runtime's entropy method ends at the same scores;
- weights use 7 of their 8 bits: a CPU without VNNI adds two products of 8 × 8 bits in 16 bits and
  may saturate. With 7 bits it cannot, so that the file holds its accuracy on both kinds of CPU.

The graph comes with its normalisation folded and its shapes known: ONNX Runtime's preprocessing
would add nothing. ONNX Runtime's own tools quantise; NNCF would do the same and choose layers by
accuracy as well, but is one more heavy package to pin: `accuracy_control` has those few lines.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from defectseg.errors import ExportError
from defectseg.export.graph import load_graph, write_graph
from defectseg.export.network_part import find_network, float_tensors
from defectseg.export.ranges import Ranges, measure_ranges

BETWEEN = ("Relu", "Add", "Concat", "MaxPool", "AveragePool", "Resize")  # run on 8 bits as well


def quantize_int8(
    source: Path,
    target: Path,
    pictures: Iterable[npt.NDArray[np.uint8]],
    keep_float: Collection[str] = (),
) -> None:
    """Calibrate on pictures (H, W, C) and write the INT8 graph; see `write_int8`."""
    model = load_graph(source)
    write_int8(model, calibrate(model, pictures), target, keep_float)


def calibrate(model: onnx.ModelProto, pictures: Iterable[npt.NDArray[np.uint8]]) -> Ranges:
    """The range of every tensor of the network on pictures (H, W, C).

    Raises:
        ExportError: There is no picture, or a value is no number.
    """
    touched = {name for node in find_network(model) for name in (*node.input, *node.output)}
    constant = {value.name for value in model.graph.initializer}
    return measure_ranges(model, (touched & float_tensors(model)) - constant, pictures)


def layers_of(model: onnx.ModelProto) -> list[str]:
    """The names of the convolutions that may be quantised, in their order: not the two at the ends.

    Raises:
        ExportError: There is none.
    """
    layers = [node.name for node in find_network(model) if node.op_type == "Conv"][1:-1]
    if not layers:
        raise ExportError(
            "the network has no convolution to quantise between its first and last; "
            "take int8 out of params.yaml: export.variants"
        )
    return layers


def write_int8(
    model: onnx.ModelProto, ranges: Ranges, target: Path, keep_float: Collection[str] = ()
) -> None:
    """Write the graph with its network in INT8; the same bytes for the same graph and ranges.

    Args:
        model: A float32 graph; it is not changed.
        ranges: Of `calibrate`.
        keep_float: Names of layers that stay in float beside the first and the last.
    """
    layers = set(layers_of(model)) - set(keep_float)
    quantizer = QDQQuantizer(
        onnx.shape_inference.infer_shapes(model, strict_mode=True),
        per_channel=True,
        reduce_range=True,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, _as_float32(ranges)),
        nodes_to_quantize=_choose_nodes(model, layers),
        nodes_to_exclude=[],
        op_types_to_quantize=["Conv", *BETWEEN],
        extra_options={},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    write_graph(quantizer.model.model, target, precision="int8")


def _choose_nodes(model: onnx.ModelProto, layers: Collection[str]) -> list[str]:
    """The names of the layers, and of what only reads what is quantised already."""
    floats = float_tensors(model)
    network = find_network(model)
    made = {name for node in network for name in node.output} & floats
    quantised: set[str] = set()
    chosen = []
    for node in network:
        read = made.intersection(node.input)
        follows = node.op_type in BETWEEN and read and read <= quantised
        if node.name in layers or follows:
            chosen.append(node.name)
            quantised.update(node.output)
    return chosen


def _as_float32(ranges: Ranges) -> dict[str, tuple[npt.NDArray[np.float32], ...]]:
    return {name: tuple(np.array(end, dtype=np.float32) for end in r) for name, r in ranges.items()}
