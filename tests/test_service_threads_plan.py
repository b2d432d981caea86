"""threads_plan: how the cores are shared out where the settings leave it open."""

import os

import onnxruntime
import pytest

from defectseg.errors import PackagesError
from defectseg.service.settings import Settings
from defectseg.service.threads_plan import divide, plan_threads, runs_on_gpu

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"


@pytest.mark.parametrize(
    ("settings", "cores", "plan"),
    [
        ({}, 1, (1, 1, 1)),
        ({}, 8, (8, 1, 8)),
        ({"workers": 2}, 8, (2, 4, 8)),
        ({"workers": 3}, 8, (3, 2, 8)),
        ({"workers": 9}, 8, (9, 1, 8)),
        ({"threads": 4}, 8, (8, 4, 8)),
        ({"decoders": 3}, 8, (8, 1, 3)),
        ({"workers": 1, "threads": 2, "decoders": 5}, 8, (1, 2, 5)),
    ],
)
def test_on_a_cpu_each_core_has_an_inference_of_one_thread(
    settings: dict[str, int], cores: int, plan: tuple[int, int, int]
):
    assert divide(Settings(**settings), cores, is_on_gpu=False) == plan


def test_a_gpu_has_one_inference_with_all_cores():
    assert divide(Settings(), 8, is_on_gpu=True) == (1, 8, 8)
    assert divide(Settings(workers=2), 8, is_on_gpu=True) == (2, 4, 8)


def test_the_cores_are_those_that_this_process_may_use():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert plan_threads(Settings(provider="cpu")) == (1, 1, 1)
    finally:
        os.sched_setaffinity(0, before)


def test_auto_is_a_gpu_where_the_runtime_was_built_for_one():
    assert runs_on_gpu("auto", [CUDA, CPU])
    assert runs_on_gpu("tensorrt", [TENSORRT, CUDA, CPU])
    assert not runs_on_gpu("auto", [CPU])
    assert not runs_on_gpu("cpu", [CUDA, CPU])


@pytest.mark.skipif(CUDA in onnxruntime.get_available_providers(), reason="there is a GPU build")
def test_a_provider_that_is_absent_is_refused():
    with pytest.raises(PackagesError, match="no provider cuda"):
        plan_threads(Settings(provider="cuda"))
