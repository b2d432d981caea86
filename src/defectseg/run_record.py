"""A training in, a record of what it ran on and what it cost out: models/unet.run.json.

The record is never the same twice, so it has a file of its own beside models/unet.json, which is.
"""

import hashlib
import platform
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from threading import Event, Thread
from typing import Any

import torch

from defectseg.machine import describe_hardware

RAPL = Path("/sys/class/powercap")
SAMPLE_S = 30.0  # seconds between two readings: a counter may start anew after some minutes
TOLD = ("torch", "torchvision", "fastai", "segmentation-models-pytorch", "numpy")
REQUIREMENTS = Path("requirements.txt")


@dataclass
class Meter:
    """What a run costs."""

    started: str = ""  # UTC
    seconds: float = 0.0
    joules: float | None = None  # of the processors' packages; None where the system does not tell


@contextmanager
def measure_run(counters: Path = RAPL) -> Iterator[Meter]:
    """Inside, time passes and energy is used; both are known afterwards."""
    meter = Meter(started=datetime.now(UTC).isoformat(timespec="seconds"))
    started, energy, over = time.monotonic(), Energy.of(find_counters(counters)), Event()

    def sample() -> None:
        while not over.wait(SAMPLE_S):
            energy.read()

    thread = Thread(target=sample, name="energy", daemon=True)
    thread.start()
    try:
        yield meter
    finally:
        over.set()
        thread.join()
        energy.read()
        meter.seconds, meter.joules = time.monotonic() - started, energy.joules


def find_counters(folder: Path) -> list[Path]:
    """Linux' energy counters of whole packages (intel-rapl:0, …), AMD's too."""
    return sorted(path for path in folder.glob("intel-rapl:*") if path.name.count(":") == 1)


@dataclass
class Energy:
    """Counters that run over, added up."""

    counters: Sequence[Path]
    last: list[int] = field(default_factory=list)
    used: int = 0  # microjoules
    is_readable: bool = True

    @staticmethod
    def of(counters: Sequence[Path]) -> "Energy":
        """Start counting now."""
        energy = Energy(counters, is_readable=bool(counters))
        energy.read()
        return energy

    @property
    def joules(self) -> float | None:
        """Since the start."""
        return round(self.used / 1e6, 1) if self.is_readable else None

    def read(self) -> None:
        """Add what was used since the last reading."""
        try:
            now = [read_number(counter / "energy_uj") for counter in self.counters]
            ranges = [read_number(counter / "max_energy_range_uj") for counter in self.counters]
        except (OSError, ValueError):  # only root may read them; virtual machines have none
            self.is_readable = False
            return
        for before, after, size in zip(self.last, now, ranges, strict=False):
            self.used += after - before if after >= before else after - before + size
        self.last = now


def read_number(path: Path) -> int:
    """The one whole number of a file."""
    return int(path.read_text(encoding="ascii"))


def describe_run(meter: Meter, device: torch.device, **facts: Any) -> dict[str, Any]:
    """The record: where, from what, in how many seconds and joules; `facts` come first."""
    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        **facts,
        "git": read_git(),
        "started": meter.started,
        "seconds": round(meter.seconds, 1),
        "joules": meter.joules,
        "hardware": {
            **describe_hardware(),
            "device": str(device),
            "accelerator": accelerator,
            "threads": torch.get_num_threads(),
        },
        "environment": {
            "python": platform.python_version(),
            **{name: version(name) for name in TOLD},
            "requirements_sha256": digest_of(REQUIREMENTS),
        },
    }


def read_git() -> dict[str, Any]:
    """The commit that is checked out, and whether tracked files differ from it; None: no git.

    dvc.lock does not count: DVC writes it after each stage.
    """
    revision = ask_git("rev-parse", "HEAD")
    changes = ask_git("status", "--porcelain", "-uno", "--", ".", ":(exclude)dvc.lock")
    return {"revision": revision, "is_changed": None if changes is None else bool(changes)}


def ask_git(*arguments: str) -> str | None:
    """What git says; None where it fails or is not there."""
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=True, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def digest_of(path: Path) -> str | None:
    """sha256 of a file; None where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
