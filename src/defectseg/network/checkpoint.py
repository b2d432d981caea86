"""The state of a running training in, one file out, and back: an interruption costs one epoch.

No pickle: tensors by name, and the rest as JSON in the file's header. The file takes its name only
when it is whole. It stays until the model is written: a run that is killed after its last epoch
trains none again.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from defectseg.files import remove_leftovers
from defectseg.network.tensors import write_tensors

CHECKPOINT = "last.safetensors"
HEADER = "defectseg"


@dataclass
class Progress:
    """How far a training has come."""

    fingerprint: str  # of the params, the data and the code: another one does not resume this
    epoch: int = -1  # the last finished epoch, counted from 0
    best_epoch: int = -1
    best_score: float = -1.0  # valid macro IoU of that epoch
    history: list[dict[str, float]] = field(default_factory=list)  # what each epoch logged


def save_checkpoint(folder: Path, progress: Progress, tensors: dict[str, Tensor]) -> None:
    """Write the checkpoint of a folder, replacing the one before in one step."""
    write_tensors(folder / CHECKPOINT, tensors, {HEADER: json.dumps(asdict(progress))})


def load_checkpoint(folder: Path, fingerprint: str) -> tuple[Progress, dict[str, Tensor]]:
    """The training of this fingerprint that wrote no model yet, or a fresh start without one."""
    try:
        with safe_open(folder / CHECKPOINT, framework="pt") as file:
            progress = Progress(**json.loads((file.metadata() or {})[HEADER]))
            if progress.fingerprint == fingerprint:
                names = file.keys()  # a safe_open is no dict: it cannot be iterated over itself
                return progress, {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        pass  # none, or of another version: start anew
    return Progress(fingerprint), {}


def remove_checkpoint(folder: Path) -> None:
    """Remove the checkpoint of a folder, and what runs left that were killed while they wrote."""
    remove_leftovers(folder / CHECKPOINT)
    (folder / CHECKPOINT).unlink(missing_ok=True)


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under `<prefix>.<name>`."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def without_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of one prefix, under their own names."""
    start = f"{prefix}."
    return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of a torch optimizer as `<parameter index>.<name>` tensors, no hyperparameters."""
    state = optimizer.state_dict()["state"]
    return {
        f"{i}.{name}": torch.as_tensor(v) for i, own in state.items() for name, v in own.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` took."""
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
