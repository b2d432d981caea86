"""export: what ships, and what stays as it was when nothing may ship."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from defectseg.data.split import Split
from defectseg.data.tile import CLEAN, TileSet
from defectseg.errors import ExportError
from defectseg.export.export import (
    ExportParams,
    Outputs,
    Trained,
    export_model,
    refuse_wrong_graph,
)
from defectseg.export.facts import ExportFacts
from defectseg.inference.onnx_engine import OnnxEngine
from defectseg.inference.operating_point import OperatingPoint, neutral_point
from defectseg.inference.refusals import OFFERS, read_refusals
from defectseg.network.unet import file_digest, save_unet
from export_facts import differ, offer
from exported import POINT, SIDE
from tiny import BLOWHOLE, CRACK, FREE, model_info, network, write_tiles

PARTS = ["train", "train", "train", "valid", "valid", "test", "test", "test"]
PARAMS: dict[str, Any] = {
    "opset": 20,
    "variants": ["int8", "fp16"],
    "calibration_pictures": 3,
    "tolerance": 1e-3,
    "max_drop": {"dice": 1.0, "class_iou": 1.0},
    "max_verdicts_changed": 1.0,
}
WRITTEN = ["README.md", "export.json", "index.html", "unet.onnx"]


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> TileSet:
    """Eight pictures of two sizes."""
    masks = {"crack": CRACK, "blowhole": BLOWHOLE.T, CLEAN: FREE}
    classes = ["crack", "blowhole", CLEAN, "crack", CLEAN, "crack", "blowhole", CLEAN]
    return write_tiles(tmp_path_factory.mktemp("tiles"), classes, masks)


def outputs_in(folder: Path) -> Outputs:
    return Outputs(
        graph=folder / "unet.onnx",
        variants=folder / "variants",
        readme=folder / "README.md",
        metrics=folder / "export.json",
        page=folder / "index.html",
    )


def export(
    folder: Path, tiles: TileSet, point: OperatingPoint = POINT, **changes: Any
) -> ExportFacts:
    """Save the tiny model and export it into a folder."""
    info, weights = model_info(image_size=SIDE), folder.parent / "unet.safetensors"
    save_unet(network(), info, weights)
    split = Split({tile.id: part for tile, part in zip(tiles.tiles, PARTS, strict=True)})
    params = ExportParams.model_validate(PARAMS | changes)
    trained = Trained(network(), info, point, weights)
    return export_model(trained, tiles, split, params, outputs_in(folder))


def content_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory, tiles: TileSet) -> tuple[Path, ExportFacts]:
    """A folder with everything, and what was found."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("shipped") / "out"
    return folder, export(folder, tiles)


def test_everything_is_written_and_nothing_else_is_left(shipped: tuple[Path, ExportFacts]):
    folder, _ = shipped
    variants = [f"variants/{name}" for name in (OFFERS, "unet.fp16.onnx", "unet.int8.onnx")]
    assert sorted(content_of(folder)) == sorted([*WRITTEN, *variants])
    assert sorted(p.name for p in folder.iterdir()) == sorted([*WRITTEN, "variants"])


def test_what_is_refused_for_an_engine_lies_beside_the_files(shipped: tuple[Path, ExportFacts]):
    folder, facts = shipped
    refused = read_refusals(folder / "variants")
    for each in facts.offers:
        kind = each.difference.engine, each.difference.variant
        assert each.is_offered == (kind not in refused)


def test_the_files_say_what_they_are_and_the_report_knows_them(
    shipped: tuple[Path, ExportFacts],
):
    folder, facts = shipped
    report = json.loads((folder / "export.json").read_text())
    assert report == json.loads(json.dumps(facts.as_metrics()))
    for file in facts.files:
        assert OnnxEngine(folder / file.place).facts.precision == file.variant
        assert report["files"][file.variant]["sha256"] == file_digest(folder / file.place)
        assert (folder / file.place).stat().st_mode & 0o777 == 0o644
    assert [file.variant for file in facts.files] == ["fp32", "int8", "fp16"]


def test_every_file_is_compared_in_every_engine_on_the_whole_test_part(
    shipped: tuple[Path, ExportFacts],
):
    _, facts = shipped
    pairs = [(o.difference.variant, o.difference.engine) for o in facts.offers]
    engines = ("onnxruntime", "openvino")
    assert pairs == [(v, e) for v in ("fp32", "int8", "fp16") for e in engines]
    assert {o.difference.pictures for o in facts.offers} == {3}
    exact, rough = facts.offers[0].difference, facts.offers[2].difference
    assert 0 <= exact.max_abs_probability_difference <= 1e-4  # type: ignore[operator]
    assert rough.max_abs_probability_difference > 1e-4  # type: ignore[operator]
    assert facts.offers[0].limits.probability == 1e-3
    assert facts.offers[2].limits.probability is None


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_same_model_gives_the_same_bytes_and_withdrawn_files_are_removed(
    shipped: tuple[Path, ExportFacts], tiles: TileSet
):
    folder, _ = shipped
    before = content_of(folder)
    (folder / ".unet.onnx.x1y2.part").write_text("of a killed run")
    export(folder, tiles)
    assert content_of(folder) == before
    with pytest.raises(ExportError, match="differs from torch"):
        export(folder, tiles, tolerance=1e-12)
    assert content_of(folder) == before
    facts = export(folder, tiles, variants=["fp16"], max_drop={"dice": 0.0, "class_iou": 0.0})
    left = {f"variants/{file.name}" for file in facts.files if file.variant != "fp32"}
    left.add(f"variants/{OFFERS}")
    assert sorted(content_of(folder)) == sorted([*WRITTEN, *left])
    assert "variants/unet.int8.onnx" not in content_of(folder)
    assert (folder / "variants").is_dir()


def test_a_graph_that_differs_is_refused_with_every_reason():
    wrong = differ("fp32", "onnxruntime", max_abs_probability_difference=0.25, dice_drop=0.5)
    with pytest.raises(ExportError) as caught:
        refuse_wrong_graph([offer(wrong)])
    assert str(caught.value) == (
        "the exported graph differs from torch on 240 test pictures: a probability differs by "
        "0.25, at most 0.0001 is allowed; Dice drops by 0.5000, at most 0.005 is allowed. "
        "Nothing was written. params.yaml: export.tolerance and the limits beside it say how much "
        "is allowed"
    )


@pytest.mark.parametrize(("variant", "engine"), [("fp32", "openvino"), ("int8", "onnxruntime")])
def test_any_other_file_that_differs_is_merely_not_offered(variant: str, engine: str):
    wrong = differ(variant, engine, max_abs_probability_difference=0.25, dice_drop=0.5)
    assert not offer(wrong).is_offered
    refuse_wrong_graph([offer(differ("fp32", "onnxruntime")), offer(wrong)])


def test_an_operating_point_of_other_classes_is_refused_before_any_work(
    tiles: TileSet, tmp_path: Path
):
    with pytest.raises(ExportError, match="crack, blowhole, but the operating point rust; run"):
        export(tmp_path / "out", tiles, point=neutral_point(["rust"]))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"opset": 17},
        {"variants": ["int4"]},
        {"calibration_pictures": 0},
        {"tolerance": 0},
        {"max_verdicts_changed": 1.5},
        {"max_drop": {"dice": 0.1}},
        {"pictures": 24},
    ],
)
def test_params_that_mean_nothing_are_refused(changes: dict[str, Any]):
    ExportParams.model_validate(PARAMS)
    with pytest.raises(ValidationError):
        ExportParams.model_validate(PARAMS | changes)
