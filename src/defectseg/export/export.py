"""A trained model in, models/unet.onnx out, believed once it agreed with torch on real pictures."""

from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from defectseg.data.tile import TileSet
from defectseg.errors import ExportError
from defectseg.export.graph import export_graph
from defectseg.export.parity import choose_pictures, compare_engines
from defectseg.files import remove_leftovers, replace_atomically, write_json
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
        ExportError: A probability differs by more than `tolerance`; an earlier graph stays.
    """
    tiles = tuple(choose_pictures(test.tiles, params.pictures))
    chosen = TileSet(test.folder, test.classes, tiles)
    torch_engine = TorchEngine(network, info.image_size, torch.device("cpu"))
    remove_leftovers(path)
    with replace_atomically(path) as staging:
        export_graph(network, info, weights, staging, params.opset)
        exported = OnnxEngine(staging, threads=torch.get_num_threads())
        parity = compare_engines(torch_engine, exported, info, chosen)
        difference = parity["max_abs_probability_difference"]
        if not difference <= params.tolerance:
            raise ExportError(
                f"the exported graph differs from torch by {difference:.2g} in a probability on "
                f"{len(tiles)} test pictures; "
                f"params.yaml: export.tolerance allows {params.tolerance:g}"
            )
    facts = {"engine": "onnxruntime", "opset": params.opset, "sha256": file_digest(path)}
    write_json(report, facts | parity)
    return parity
