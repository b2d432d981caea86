"""Seeds, threads and algorithms in one place: same commit, same kind of machine, the same bytes."""

import os
import random
from collections.abc import Sequence

import numpy as np
import torch
from pydantic import Field

from defectseg.errors import ParamsError
from defectseg.heap import keep_heap
from defectseg.params import Section


class ComputeParams(Section):
    """params.yaml: compute."""

    seed: int = Field(ge=0)
    threads: int = Field(ge=0)
    device: str = Field(pattern="^(auto|cpu|mps|cuda(:[0-9]+)?)$")
    processes: int = Field(default=1, ge=1)


def set_up(params: ComputeParams) -> torch.device:
    """Make the process repeat itself, keep its memory for the next step, and choose its device.

    Raises:
        ParamsError: The device is not there.
    """
    random.seed(params.seed)
    np.random.seed(params.seed)
    torch.manual_seed(params.seed)
    torch.set_num_threads(params.threads or os.cpu_count() or 1)
    device = choose_device(params.device)
    os.environ.setdefault(
        "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
    )  # cuBLAS repeats itself only with it
    # CUDA has no deterministic form of some losses' backward pass: warn there instead of stopping.
    torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
    # Filling new tensors costs a sixth of the training; nothing here reads what it did not write.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    keep_heap()
    return device


def choose_device(wish: str) -> torch.device:
    """Turn `auto` into cuda, mps or cpu, in this order.

    Raises:
        ParamsError: The device is not there; names those that are.
    """
    return pick_device(wish, devices_here())


def devices_here() -> list[str]:
    """What this machine can compute on, best first: such as cuda:0, cuda:1, cpu."""
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*(f"cuda:{index}" for index in range(cuda)), *mps, "cpu"]


def pick_device(wish: str, there: Sequence[str]) -> torch.device:
    """Take the wish if it is there, with its number or without; `auto` takes the first kind."""
    kinds = [name.partition(":")[0] for name in there]
    if wish == "auto":
        return torch.device(kinds[0])
    if wish not in {*there, *kinds}:
        raise ParamsError(
            f"params.yaml: compute.device: {wish} is not here; this machine has {', '.join(there)}"
        )
    return torch.device(wish)


def bfloat16_pays(device: torch.device) -> bool:
    """Whether this device multiplies bfloat16 in hardware: CUDA since Ampere, CPUs with AMX."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_amx_tile_supported())
