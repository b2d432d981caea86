"""A Unet in, one ONNX file out with the pixel path inside.

The graph takes raw pictures and gives probabilities at their own size.
"""

import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from defectseg.errors import ExportError
from defectseg.network.unet import ModelInfo, file_digest
from defectseg.pixels import to_input, to_probability

EXAMPLE = (2, 96, 128)  # N, H, W while tracing; all three stay free


class Graph(nn.Module):
    """The pixel path around the network, as training and evaluation run it."""

    def __init__(self, network: nn.Module, image_size: int) -> None:
        super().__init__()
        self.network = network
        self.image_size = image_size

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (N, H, W, C) uint8 → probabilities (N, 1 + K, H, W) float32."""
        logits = self.network(to_input(pictures, self.image_size))
        return to_probability(logits, pictures.shape[1], pictures.shape[2])


def export_graph(
    network: nn.Module, info: ModelInfo, weights: Path, path: Path, opset: int
) -> None:
    """Write one ONNX file: free N, H and W, metadata inside, the same bytes for the same weights.

    Raises:
        ExportError: torch made no graph.
    """
    graph = Graph(network, info.image_size).cpu().eval()
    example = torch.zeros(*EXAMPLE, info.network.in_channels, dtype=torch.uint8)
    free = {0: torch.export.Dim("n"), 1: torch.export.Dim("height"), 2: torch.export.Dim("width")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of its own deprecations while it traces
        program = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            input_names=["pictures"],
            output_names=["probability"],
            dynamic_shapes={"pictures": free},
            opset_version=opset,
            verbose=False,
        )
    if program is None:
        raise ExportError("torch.onnx.export gave no graph; train.network.encoder has no ONNX form")
    model = program.model_proto
    strip_paths(model)
    metadata = describe(info, weights)
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def strip_paths(model: onnx.ModelProto) -> None:
    """Take off what the exporter notes of the source: stack traces name paths of this machine."""
    for holder in (model, model.graph, *model.functions):
        del holder.metadata_props[:]
        holder.doc_string = ""
    for node in (*model.graph.node, *(node for f in model.functions for node in f.node)):
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.value_info, *model.graph.initializer):
        del value.metadata_props[:]
        value.doc_string = ""
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]


def describe(info: ModelInfo, weights: Path) -> dict[str, str]:
    """The metadata of the file: all that `ModelInfo` says, and the digest of the weights."""
    facts = info.model_dump(mode="json", exclude={"network", "classes"})
    network = info.network.model_dump(mode="json")
    return {
        "classes": ",".join(info.classes),
        **{name: str(value) for name, value in facts.items()},
        "encoder": str(network["encoder"]),
        "in_channels": str(network["in_channels"]),
        "weights_sha256": file_digest(weights),
    }
