"""export: a graph is kept only if it says what torch says on test pictures."""

import json
from pathlib import Path
from typing import Any

import pytest

from defectseg.data.tile import CLEAN, TileSet
from defectseg.errors import ExportError, ModelFileError
from defectseg.export.export import ExportParams, export_model
from defectseg.inference.onnx_engine import OnnxEngine
from defectseg.network.unet import file_digest, save_unet
from tiny import BLOWHOLE, CRACK, FREE, model_info, network, write_tiles


@pytest.fixture
def shown(tmp_path: Path) -> TileSet:
    """Six pictures of two sizes."""
    masks = {"crack": CRACK, "blowhole": BLOWHOLE.T, CLEAN: FREE}
    return write_tiles(tmp_path / "tiles", ["crack", "blowhole", CLEAN] * 2, masks)


def export(folder: Path, test: TileSet, **changes: Any) -> dict[str, Any]:
    """Save a model and export it to folder/unet.onnx with folder/export.json."""
    params = {"opset": 20, "pictures": 4, "tolerance": 1e-4} | changes
    weights = folder / "unet.safetensors"
    save_unet(network(), model_info(), weights)
    return export_model(
        network(),
        model_info(),
        weights,
        test,
        ExportParams.model_validate(params),
        folder / "unet.onnx",
        folder / "export.json",
    )


def test_a_graph_that_agrees_is_kept_with_its_report(shown: TileSet, tmp_path: Path):
    parity = export(tmp_path, shown)
    report = json.loads((tmp_path / "export.json").read_text())
    assert report == parity | {
        "engine": "onnxruntime",
        "opset": 20,
        "sha256": file_digest(tmp_path / "unet.onnx"),
    }
    assert 0 <= report["max_abs_probability_difference"] <= 1e-4
    assert abs(report["dice_drop"]) < 0.01
    assert report["flipped_pixel_fraction"] < 0.001
    assert (report["pictures"], report["sizes"]) == (4, 2)
    assert (tmp_path / "unet.onnx").stat().st_mode & 0o777 == 0o644


def test_a_graph_that_differs_too_much_is_not_left_behind(shown: TileSet, tmp_path: Path):
    with pytest.raises(ExportError, match=r"differs from torch by .* on 4 test pictures.*1e-12"):
        export(tmp_path, shown, tolerance=1e-12)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["tiles", "unet.json", "unet.safetensors"]


def test_an_earlier_graph_stays_until_another_is_believed(shown: TileSet, tmp_path: Path):
    (tmp_path / ".unet.onnx.x1y2.part").write_text("of a killed run")
    export(tmp_path, shown)
    assert list(tmp_path.glob(".unet*")) == []
    graph, report = ((tmp_path / name).read_bytes() for name in ("unet.onnx", "export.json"))
    with pytest.raises(ExportError, match="differs from torch"):
        export(tmp_path, shown, tolerance=1e-12, opset=21)
    assert (tmp_path / "unet.onnx").read_bytes() == graph
    assert (tmp_path / "export.json").read_bytes() == report


@pytest.mark.parametrize("content", [None, b"", b"no graph"])
def test_a_file_that_is_no_graph_says_so(content: bytes | None, tmp_path: Path):
    path = tmp_path / "unet.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"ONNX Runtime cannot load .*unet\.onnx"):
        OnnxEngine(path)
