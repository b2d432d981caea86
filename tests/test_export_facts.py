"""facts: what metrics/export.json and the summary line say about an export."""

import json
from pathlib import Path

from defectseg.export.facts import ExportedFile
from export_facts import differ, facts_of, good, offer

SHA_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
WEAK = offer(differ("int8", "openvino", dice_drop=0.5, iou_drop={"crack": None}))


def test_a_file_is_known_by_its_size_and_digest(tmp_path: Path):
    (tmp_path / "unet.int8.onnx").write_bytes(b"abc")
    file = ExportedFile.of("int8", tmp_path / "unet.int8.onnx")
    assert file == ExportedFile("int8", "unet.int8.onnx", 3, SHA_OF_ABC)
    assert file.place == "variants/unet.int8.onnx"
    assert ExportedFile("fp32", "unet.onnx", 3, "").place == "unet.onnx"


def test_the_summary_names_each_variant_with_its_engines():
    both = [good("fp32"), offer(differ("fp32", "openvino"))]
    bad = offer(differ("fp16", "onnxruntime", dice_drop=0.5))
    facts = facts_of(*both, good("int8"), WEAK, bad)
    assert facts.summary() == (
        "fp32 for onnxruntime and openvino; int8 for onnxruntime; fp16 for none"
    )


def test_the_metrics_hold_every_number_and_what_is_offered():
    metrics = facts_of(good("fp32"), good("int8"), WEAK).as_metrics()
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    assert metrics["opset"] == 20
    assert metrics["offered"] == {"fp32": ["onnxruntime"], "int8": ["onnxruntime"]}
    assert list(metrics["files"]) == ["fp32", "int8"]
    assert metrics["files"]["int8"] == {
        "path": "models/variants/unet.int8.onnx",
        "bytes": 2_000_000,
        "sha256": "int8" * 16,
    }
    assert metrics["trusted"] == {"dice_pooled": 0.75, "iou_crack": 0.5}
    assert metrics["comparisons"]["int8"]["openvino"] == {
        "max_abs_probability_difference": 0.0,
        "dice_drop": 0.5,
        "iou_drop_crack": None,
        "flipped_pixel_fraction": 0.0,
        "verdicts_changed": 0.0,
        "pictures": 240,
        "offered": False,
        "reasons": ["Dice drops by 0.5000, at most 0.005 is allowed"],
    }


def test_a_variant_that_no_engine_may_use_is_compared_but_is_no_file():
    metrics = facts_of(good("fp32"), WEAK).as_metrics()
    assert metrics["offered"]["int8"] == []
    assert "int8" in metrics["comparisons"]
    assert "int8" not in metrics["files"]
