"""A Unet in, one ONNX file out with the pixel path and the operating point inside.

The graph takes raw pictures and gives probabilities and a mask at their own size.
"""

import json
import warnings
from pathlib import Path

import onnx
import torch

from defectseg.errors import ExportError, ModelFileError
from defectseg.inference.operating_point import OperatingPoint
from defectseg.inference.torch_engine import Segmenter
from defectseg.network.unet import ModelInfo, file_digest

EXAMPLE = (2, 96, 128)  # N, H, W while tracing; all three stay free


def export_graph(
    network: torch.nn.Module,
    info: ModelInfo,
    point: OperatingPoint,
    weights: Path,
    path: Path,
    opset: int,
) -> None:
    """Write one ONNX file: free N, H and W, metadata inside, the same bytes for the same weights.

    Raises:
        ExportError: torch made no graph.
    """
    graph = Segmenter(network, info.image_size, point).cpu().eval()
    example = torch.zeros(*EXAMPLE, info.network.in_channels, dtype=torch.uint8)
    free = {0: torch.export.Dim("n"), 1: torch.export.Dim("height"), 2: torch.export.Dim("width")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of its own deprecations while it traces
        program = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            input_names=["pictures"],
            output_names=["probability", "mask"],
            dynamic_shapes={"pictures": free},
            opset_version=opset,
            verbose=False,
        )
    if program is None:
        raise ExportError("torch.onnx.export gave no graph; train.network.encoder has no ONNX form")
    model = program.model_proto
    onnx.helper.set_model_props(model, describe(info, point, weights))
    write_graph(model, path, precision="fp32")


def load_graph(path: Path) -> onnx.ModelProto:
    """Read a graph that `export_graph` wrote, to make a variant of it.

    Raises:
        ModelFileError: The file is missing or no graph.
    """
    try:
        return onnx.load(path)
    except Exception as error:  # such as protobuf's DecodeError, which has no types
        raise ModelFileError(f"{path} is no ONNX file: {error}") from error


def write_graph(model: onnx.ModelProto, path: Path, precision: str) -> None:
    """Check a graph and write it as one file, the same bytes for the same graph.

    Args:
        precision: fp32, int8 or fp16: what the network inside computes in; a metadata entry.
    """
    strip_paths(model)
    tidy(model)
    metadata = {p.key: p.value for p in model.metadata_props if not p.key.startswith("onnx.")}
    onnx.helper.set_model_props(model, metadata | {"precision": precision})
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def tidy(model: onnx.ModelProto) -> None:
    """Drop tensors that no node reads and notes about shapes; sort what has no order of its own."""
    read = {name for node in model.graph.node for name in node.input}
    kept = sorted((v for v in model.graph.initializer if v.name in read), key=lambda v: v.name)
    model.graph.ClearField("initializer")
    model.graph.initializer.extend(kept)
    model.graph.ClearField("value_info")


def strip_paths(model: onnx.ModelProto) -> None:
    """Take off what the exporter notes of the source: stack traces name paths of this machine."""
    for holder in (model.graph, *model.functions):
        del holder.metadata_props[:]
        holder.doc_string = ""
    for node in (*model.graph.node, *(node for f in model.functions for node in f.node)):
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""


def describe(info: ModelInfo, point: OperatingPoint, weights: Path) -> dict[str, str]:
    """The metadata of the file: all that `ModelInfo` says, how it decides, whose weights it has.

    Every value is JSON except the plain strings, so that any language can read it.
    """
    facts = info.model_dump(mode="json", exclude={"network", "classes"}, exclude_none=True)
    return {
        "classes": json.dumps(info.classes, ensure_ascii=False),
        **{name: str(value) for name, value in facts.items()},
        "operating_point": point.model_dump_json(),
        "encoder": info.network.encoder,
        "in_channels": str(info.network.in_channels),
        "weights_sha256": file_digest(weights),
    }
