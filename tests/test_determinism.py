"""determinism: the same seed draws the same, and a device that is not there is named."""

import os
import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from defectseg.determinism import (
    ComputeParams,
    bfloat16_pays,
    choose_device,
    devices_here,
    pick_device,
    set_up,
)
from defectseg.errors import ParamsError

ABSENT = "cuda" if not torch.cuda.is_available() else "mps"  # no machine has both


@pytest.fixture(autouse=True)
def torch_settings() -> Iterator[None]:
    """Put back what a set-up changes for the whole process."""
    threads, fill = torch.get_num_threads(), torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = fill


def compute(**changes: object) -> ComputeParams:
    return ComputeParams.model_validate({"seed": 0, "threads": 1, "device": "cpu"} | changes)


def draw() -> tuple[float, ...]:
    """One number of each generator that our packages use."""
    return random.random(), float(np.random.rand()), float(torch.rand(1))


def test_the_same_seed_draws_the_same_from_every_generator():
    drawn = []
    for _ in range(2):
        set_up(compute(seed=3))
        drawn.append(draw())
    assert drawn[0] == drawn[1]


def test_another_seed_draws_otherwise_from_every_generator():
    set_up(compute(seed=3))
    first = draw()
    set_up(compute(seed=4))
    assert all(a != b for a, b in zip(first, draw(), strict=True))


def test_the_number_of_threads_is_set():
    set_up(compute(threads=2))
    assert torch.get_num_threads() == 2


def test_zero_threads_are_all_cores():
    set_up(compute(threads=0))
    assert torch.get_num_threads() == os.cpu_count()


def test_on_the_cpu_an_algorithm_that_does_not_repeat_itself_stops_the_run():
    set_up(compute())
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()


def test_a_set_up_says_which_device_to_use():
    assert set_up(compute(device="cpu")) == torch.device("cpu")


def test_auto_takes_an_accelerator_where_there_is_one():
    accelerators = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    expected = next((name for name, there in accelerators.items() if there), "cpu")
    assert choose_device("auto") == torch.device(expected)


@pytest.mark.parametrize("wish", [ABSENT, f"{ABSENT}:0", "cuda:4096", f"cuda:{10**40}"])
def test_a_device_that_is_not_there_is_answered_with_those_that_are(wish: str):
    with pytest.raises(ParamsError, match=rf"compute\.device: {wish} is not here; .* has .*cpu$"):
        choose_device(wish)


TWO_CARDS = ["cuda:0", "cuda:1", "cpu"]


@pytest.mark.parametrize(
    ("wish", "there", "taken"),
    [
        ("auto", TWO_CARDS, "cuda"),
        ("cuda", TWO_CARDS, "cuda"),
        ("cuda:1", TWO_CARDS, "cuda:1"),
        ("cpu", TWO_CARDS, "cpu"),
        ("auto", ["mps", "cpu"], "mps"),
        ("mps", ["mps", "cpu"], "mps"),
        ("auto", ["cpu"], "cpu"),
    ],
)
def test_a_device_is_taken_with_its_number_or_without(wish: str, there: list[str], taken: str):
    assert pick_device(wish, there) == torch.device(taken)


@pytest.mark.parametrize("wish", ["cuda:2", "cuda:7", "cuda:01", "mps"])
def test_a_card_more_than_there_are_is_answered_with_those_that_are_there(wish: str):
    with pytest.raises(ParamsError, match=rf"{wish} is not here; .* has cuda:0, cuda:1, cpu$"):
        pick_device(wish, TWO_CARDS)


def test_the_devices_here_are_listed_with_their_numbers():
    here = devices_here()
    assert here[-1] == "cpu"
    assert sum(name.startswith("cuda:") for name in here) == torch.cuda.device_count()
    assert ("mps" in here) == torch.backends.mps.is_available()


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cpu:1", ""])
def test_a_misspelt_device_is_no_setting(device: str):
    with pytest.raises(ValidationError, match="should match pattern"):
        compute(device=device)


def test_only_hardware_that_multiplies_bfloat16_pays():
    assert not bfloat16_pays(torch.device("mps"))
    assert bfloat16_pays(torch.device("cpu")) == torch.cpu._is_amx_tile_supported()
