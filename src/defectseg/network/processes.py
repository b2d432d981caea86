"""Several processes in, one training out: each takes its share of every batch.

`torchrun` starts them and tells each its number. A batch is the same for any number of processes:
every one draws and augments the whole of it, computes on its share, and the gradients are averaged.
fastai's own context is not used: it deals out the pictures anew, which would forget the sampler,
and it needs CUDA.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist
from fastai.callback.core import Callback
from torch import Tensor, nn

from defectseg.errors import TrainingError

RANK, COUNT, LOCAL = "RANK", "WORLD_SIZE", "LOCAL_RANK"  # what torchrun tells


def rank() -> int:
    """The number of this process, counted from 0: only the first writes files."""
    return int(os.environ.get(RANK, "0"))


def count() -> int:
    """How many processes train together."""
    return int(os.environ.get(COUNT, "1"))


def ran_in_processes(script: Path, processes: int) -> bool:
    """Run a script in several processes, where that is asked for and this is not one of them.

    Raises:
        TrainingError: One of them failed; what it said stands above.
    """
    if processes == 1 or COUNT in os.environ:
        return False
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    told = [f"--nproc-per-node={processes}", str(script)]
    if subprocess.run([*torchrun, *told], check=False).returncode:
        raise TrainingError(f"one of {processes} processes failed; compute.processes: 1 needs one")
    return True


def own_device(device: torch.device) -> torch.device:
    """The accelerator of this process, where there are several."""
    if device.type == "cuda" and count() > 1:
        return torch.device("cuda", int(os.environ[LOCAL]))
    return device


@contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Inside, the processes can talk to each other; at the end they wait for the slowest."""
    if count() == 1:
        yield
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
        dist.barrier()
    finally:
        dist.destroy_process_group()


def share_of(batch: Tensor) -> Tensor:
    """What this process computes of a batch (B, …).

    Raises:
        TrainingError: There are fewer pictures than processes.
    """
    if len(batch) < count():
        raise TrainingError(
            f"{len(batch)} pictures cannot be shared by {count()} processes; "
            "raise train.batch_size or lower compute.processes"
        )
    return batch.tensor_split(count())[rank()]


def average(tensors: list[Tensor]) -> None:
    """Replace floating tensors by their mean over the processes, in place, in one message."""
    if count() > 1 and tensors:
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        means = torch.split(flat / count(), [tensor.numel() for tensor in tensors])
        for tensor, mean in zip(tensors, means, strict=True):
            tensor.copy_(mean.view_as(tensor))


class Share(Callback):
    """Averages the gradients of each step, and the statistics of batch norm before each look."""

    order = 26  # after WeightAverage has lent what is judged

    def after_backward(self) -> None:
        """Take the step of the whole batch."""
        average([p.grad for p in self.model.parameters() if p.grad is not None])

    def before_validate(self) -> None:
        """Let all processes judge the same network: then all decide alike."""
        average([b for b in self.model.buffers() if b.dtype.is_floating_point])


def mean_over_processes(value: float, device: torch.device) -> float:
    """A number that each process has measured on its share."""
    tensor = torch.tensor([value], dtype=torch.float64, device=device)
    average([tensor])
    return float(tensor.item())


def synchronized(network: nn.Module, device: torch.device) -> nn.Module:
    """Batch norm over the whole batch where the hardware can; on CPUs each share has its own."""
    if count() > 1 and device.type == "cuda":
        convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
        return convert(network)
    return network
