"""A trained model in, models/unet.onnx out, believed once it agreed with torch on real pictures."""

from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from defectseg.data.tile import TileSet
from defectseg.errors import ExportError
from defectseg.export.graph import export_graph
from defectseg.export.parity import choose_pictures, compare_engines
from defectseg.files import write_json
from defectseg.inference.onnx_engine import OnnxEngine
from defectseg.inference.torch_engine import TorchEngine
from defectseg.network.unet import ModelInfo, file_digest
from defectseg.params import Section


class ExportParams(Section):
    """params.yaml: export."""

    opset: int = Field(ge=18, le=25)
    pictures: int = Field(ge=1)
    tolerance: float = Field(gt=0)


def export_model(
    network: torch.nn.Module,
    info: ModelInfo,
    weights: Path,
    test: TileSet,
    params: ExportParams,
    path: Path,
    report: Path,
) -> dict[str, Any]:
    """Export, compare on test pictures of many sizes, and refuse a graph that differs.

    Raises:
        ExportError: A probability differs by more than `tolerance`; the graph is not left behind.
    """
    export_graph(network, info, weights, path, params.opset)
    tiles = choose_pictures(test.tiles, params.pictures)
    torch_engine = TorchEngine(network, info.image_size, torch.device("cpu"))
    chosen = TileSet(test.folder, test.classes, tuple(tiles))
    parity = compare_engines(
        torch_engine, OnnxEngine(path, threads=torch.get_num_threads()), info, chosen
    )
    difference = parity["max_abs_probability_difference"]
    if not difference <= params.tolerance:
        path.unlink()
        raise ExportError(
            f"the exported graph differs from torch by {difference:.2g} in a probability on "
            f"{len(tiles)} test pictures; params.yaml: export.tolerance allows {params.tolerance:g}"
        )
    facts = {"engine": "onnxruntime", "opset": params.opset, "sha256": file_digest(path)}
    write_json(report, facts | parity)
    return parity
