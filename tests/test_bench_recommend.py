"""bench/recommend: the fastest that is good enough, and why."""

from pathlib import Path

import numpy as np
import pytest

from defectseg.inference.bench.contender import Contender
from defectseg.inference.bench.measure import Speed
from defectseg.inference.bench.recommend import find_baseline, recommend

TORCH = Contender("torch", "fp32", Path("a"), 2)
ORT = Contender("onnxruntime", "fp32", Path("b"), 2)
ORT_1 = Contender("onnxruntime", "fp32", Path("b"), 1)
ORT_INT8 = Contender("onnxruntime", "int8", Path("c"), 2)
OPENVINO = Contender("openvino", "fp32", Path("b"), 2)
SMALL, LARGE = (320, 240), (1280, 960)


def speed(contender: Contender, milliseconds: float, size: tuple[int, int] = SMALL) -> Speed:
    return Speed(contender, size, np.full(4, milliseconds), 100.0)


def test_torch_is_the_baseline_else_onnx_runtime_with_the_most_threads():
    assert find_baseline([ORT_INT8, ORT_1, ORT, OPENVINO, TORCH]) == TORCH
    assert find_baseline([OPENVINO, ORT_INT8, ORT_1, ORT]) == ORT
    assert find_baseline([ORT_INT8, OPENVINO]) == OPENVINO
    assert find_baseline([ORT_INT8]) == ORT_INT8


def test_the_fastest_that_is_good_enough_is_recommended():
    speeds = [speed(TORCH, 80), speed(ORT, 40), speed(ORT_INT8, 20)]
    dice = {TORCH.kind: 0.75, ORT.kind: 0.75, ORT_INT8.kind: 0.746}
    advice = recommend(speeds, dice, 0.005)
    assert (advice.contender, advice.ratio) == (ORT_INT8, pytest.approx(4.0))
    assert advice.reasons == (
        "4.0 × the pictures/s of torch fp32, 2 threads",
        "Dice 0.7460, 0.0040 below it",
    )


def test_a_faster_one_that_loses_too_much_is_named_and_not_taken():
    speeds = [speed(TORCH, 80), speed(ORT, 40), speed(ORT_INT8, 20)]
    dice = {TORCH.kind: 0.75, ORT.kind: 0.751, ORT_INT8.kind: 0.74}
    advice = recommend(speeds, dice, 0.005)
    assert advice.contender == ORT
    assert advice.reasons[1:] == (
        "Dice 0.7510, 0.0010 above it",
        "onnxruntime int8, 2 threads is faster (4.0 ×), but its Dice is 0.0100 lower, "
        "more than the 0.005 allowed",
    )


@pytest.mark.parametrize("lost", [0.006, float("nan")])
def test_one_that_loses_too_much_or_has_no_dice_is_never_taken(lost: float):
    speeds = [speed(TORCH, 80), speed(ORT_INT8, 20)]
    dice = {TORCH.kind: 0.75, ORT_INT8.kind: 0.75 - lost}
    assert recommend(speeds, dice, 0.005).contender == TORCH


def test_without_a_dice_only_fp32_is_recommended():
    speeds = [speed(TORCH, 80), speed(ORT, 40), speed(ORT_INT8, 20)]
    advice = recommend(speeds, {}, 0.005)
    assert advice.contender == ORT
    assert (
        advice.reasons[1] == "its Dice was not measured; the stage export compares fp32 with torch"
    )
    assert "int8, 2 threads is faster (4.0 ×), but nobody measured its Dice" in advice.reasons[2]


def test_all_sizes_count_alike():
    speeds = [speed(TORCH, 40), speed(TORCH, 400, LARGE)]
    speeds += [speed(ORT, 10), speed(ORT, 400, LARGE)]  # 4 × and 1 ×: 2 ×
    speeds += [speed(OPENVINO, 20), speed(OPENVINO, 160, LARGE)]  # 2 × and 2.5 ×: 2.24 ×
    advice = recommend(speeds, {}, 0.005)
    assert advice.contender == OPENVINO
    assert advice.ratio == pytest.approx(5**0.5)


def test_of_two_that_are_as_fast_the_one_with_fewer_threads_is_taken():
    assert recommend([speed(ORT, 20), speed(ORT_1, 20.5)], {}, 0.005).contender == ORT_1
    assert recommend([speed(ORT, 20), speed(ORT_1, 21)], {}, 0.005).contender == ORT


def test_a_lone_int8_without_dice_is_all_that_there_is():
    assert recommend([speed(ORT_INT8, 20)], {}, 0.005).contender == ORT_INT8


def test_what_export_refused_is_never_taken_however_fast_and_good_it_is():
    speeds = [speed(TORCH, 80), speed(ORT, 40), speed(ORT_INT8, 20)]
    dice = {TORCH.kind: 0.75, ORT.kind: 0.75, ORT_INT8.kind: 0.75}
    advice = recommend(speeds, dice, 0.005, {ORT_INT8.kind: "IoU of crack drops"})
    assert advice.contender == ORT
    assert "but the stage export refused it: IoU of crack drops" in advice.reasons[-1]
