"""warm_up: what runs before a model may serve, and what its answers must be like."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from dark_model import write_dark_model
from defectseg.errors import ModelFileError
from defectseg.inference.engine import Output
from defectseg.inference.onnx_engine import OnnxEngine
from defectseg.service.warm_up import draw, refuse_wrong_output, warm_up
from drawn_model import write_model
from edited_model import edited, loop_for_ever, one_picture_only, set_value


def test_flat_grey_comes_first_then_a_ramp_of_another_shape_then_a_whole_batch():
    flat, ramp, batch = draw(size=8, channels=3, batch_size=4)
    assert [a.shape for a in (flat, ramp, batch)] == [(1, 8, 8, 3), (1, 11, 17, 3), (4, 8, 8, 3)]
    assert (flat == 127).all() and (batch == 127).all()
    assert ramp[0, 5, :, 2].tolist() == [n * 127 // 16 for n in range(17)]
    assert {array.dtype for array in (flat, ramp, batch)} == {np.dtype(np.uint8)}


def test_a_batch_is_run_only_where_there_are_batches():
    assert len(draw(size=8, channels=1, batch_size=1)) == 2


def test_models_that_give_probabilities_pass(tmp_path: Path):
    for path in (write_dark_model(tmp_path / "dark.onnx"), write_model(tmp_path / "drawn.onnx")):
        warm_up(OnnxEngine(path), batch_size=2)


def no_white(model: onnx.ModelProto) -> None:
    set_value(model, "white", 0)  # 127 / 0


def sums_to_less(model: onnx.ModelProto) -> None:
    set_value(model, "rest", 0.5)  # 128/255 × (1/4 + 1/2) instead of 128/255


def below_zero(model: onnx.ModelProto) -> None:
    set_value(model, "quarter", -0.25)  # × 128/255, and the ramp's first pixel × 1
    set_value(model, "rest", 1.25)


def class_seven(model: onnx.ModelProto) -> None:
    set_value(model, "blowhole_index", 7)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (no_white, "gave what is no number for a grey picture; the file is damaged"),
        (sums_to_less, r"are 0\.125 off a sum of 1, the smallest is 0\.12"),
        (below_zero, r"off a sum of 1, the smallest is -0\.125; the file is damaged"),
        (class_seven, "gave class 7, but it has 2 defect classes"),
        (one_picture_only, "the model cannot be run: .*Gather"),
    ],
)
def test_a_model_whose_answers_cannot_be_judged_is_refused(
    edit: Callable[[onnx.ModelProto], Any], message: str, tmp_path: Path
):
    engine = OnnxEngine(edited(tmp_path / "m", edit))
    with pytest.raises(ModelFileError, match=message):
        warm_up(engine, batch_size=2)


def test_a_model_for_one_picture_at_a_time_may_serve_without_batches(tmp_path: Path):
    warm_up(OnnxEngine(edited(tmp_path / "m", one_picture_only)), batch_size=1)


@pytest.mark.timeout(30)
def test_a_model_that_runs_for_ever_is_refused(tmp_path: Path):
    engine = OnnxEngine(edited(tmp_path / "m", loop_for_ever), threads=1)
    started = time.monotonic()
    with pytest.raises(ModelFileError, match=r"cannot be run \(stopped after 0\.3 s\): .*terminat"):
        warm_up(engine, batch_size=1, limit_s=0.3)
    assert time.monotonic() - started >= 0.3


def output(probability: tuple[int, ...], mask: tuple[int, ...]) -> Output:
    """Certain background everywhere."""
    values = np.zeros(probability, np.float32)
    values[:, 0] = 1
    return Output(values, np.zeros(mask, np.uint8))


def test_an_output_of_the_pictures_shape_passes():
    refuse_wrong_output(output((2, 3, 4, 5), (2, 4, 5)), (2, 4, 5), classes=2)


@pytest.mark.parametrize(
    ("probability", "mask"),
    [
        ((1, 3, 4, 5), (2, 4, 5)),
        ((2, 4, 4, 5), (2, 4, 5)),
        ((2, 3, 5, 4), (2, 4, 5)),
        ((2, 3, 4, 5), (2, 2, 2)),
        ((2, 3, 4, 5), (1, 4, 5)),
    ],
)
def test_an_output_of_another_shape_is_refused(probability: tuple[int, ...], mask: tuple[int, ...]):
    with pytest.raises(ModelFileError, match=r"for pictures \(2, 4, 5\) of 2 classes"):
        refuse_wrong_output(output(probability, mask), (2, 4, 5), classes=2)


@pytest.mark.parametrize(("off", "passes"), [(0.009, True), (0.011, False), (-0.011, False)])
def test_rounding_of_half_precision_is_no_fault(off: float, passes: bool):
    found = output((1, 3, 1, 2), (1, 1, 2))
    found.probability[0, 1, 0, 1] = max(off, 0)
    found.probability[0, 0, 0, 1] += min(off, 0)
    if passes:
        refuse_wrong_output(found, (1, 1, 2), classes=2)
    else:
        with pytest.raises(ModelFileError, match=r"are 0\.011 off a sum of 1"):
            refuse_wrong_output(found, (1, 1, 2), classes=2)
