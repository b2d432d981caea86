"""gates: a model that failed one is not exported."""

import json
from pathlib import Path
from typing import Any

import pytest

from defectseg.errors import ExportError
from defectseg.export.gates import refuse_failed_gates

IOU = {"metric": "iou_macro", "limit": 0.5, "is_floor": True, "value": 0.625, "passed": True}
ESCAPE = {"metric": "escape_rate", "limit": 0.05, "is_floor": False, "value": 0.1, "passed": False}


def write(folder: Path, *gates: dict[str, Any]) -> Path:
    path = folder / "evaluate.json"
    path.write_text(json.dumps({"dice_pooled": 0.7, "gates": gates}))
    return path


def test_gates_that_passed_and_no_gates_at_all_stop_nothing(tmp_path: Path):
    refuse_failed_gates(write(tmp_path, IOU, IOU))
    refuse_failed_gates(write(tmp_path))


def test_every_failed_gate_is_named_with_its_value_and_its_limit(tmp_path: Path):
    low = IOU | {"value": 0.4321, "passed": False}
    unknown = IOU | {"metric": "iou_break", "value": None, "passed": False}
    with pytest.raises(ExportError) as caught:
        refuse_failed_gates(write(tmp_path, IOU, ESCAPE, low, unknown))
    assert str(caught.value).splitlines() == [
        "3 of 4 gates of params.yaml: evaluate.gates failed, so this model is not exported:",
        "  escape_rate is 0.1, but must be at most 0.05",
        "  iou_macro is 0.4321, but must be at least 0.5",
        "  iou_break is undefined, but must be at least 0.5",
        "see metrics/report/index.html; train a better model, or change the gates if they ask "
        "too much",
    ]


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"gates": 3}', b'{"gates": [{}]}'])
def test_without_an_evaluation_nothing_is_exported(content: bytes | None, tmp_path: Path):
    path = tmp_path / "evaluate.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ExportError, match=r"(?s)evaluate\.json .*; run the stage evaluate first"):
        refuse_failed_gates(path)
