"""Seeds, threads and algorithms in one place: same commit, same kind of machine, the same bytes."""

import os
import random

import numpy as np
import torch
from pydantic import Field

from defectseg.errors import ParamsError
from defectseg.params import Section


class ComputeParams(Section):
    """params.yaml: compute."""

    seed: int = Field(ge=0)
    threads: int = Field(ge=0)
    device: str = Field(pattern="^(auto|cpu|mps|cuda(:[0-9]+)?)$")


def set_up(params: ComputeParams) -> torch.device:
    """Make the process repeat itself, and choose its device.

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
    return device


def choose_device(wish: str) -> torch.device:
    """Turn `auto` into cuda, mps or cpu, in this order."""
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wish == "auto":
        return torch.device(next(name for name, works in there.items() if works))
    if not there[wish.split(":")[0]]:
        have = ", ".join(name for name, works in there.items() if works)
        raise ParamsError(
            f"params.yaml: compute.device: {wish} is not here; this machine has {have}"
        )
    return torch.device(wish)


def bfloat16_pays(device: torch.device) -> bool:
    """Whether this device multiplies bfloat16 in hardware: CUDA since Ampere, CPUs with AMX."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_amx_tile_supported())
