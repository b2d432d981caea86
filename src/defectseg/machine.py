"""Nothing in, the facts of this machine out that a measurement depends on, ready for JSON."""

import os
import platform
from pathlib import Path
from typing import Any

CGROUP = Path("/sys/fs/cgroup")
GIB = 2**30


def describe_hardware() -> dict[str, Any]:
    """Name the processor, and what of the machine this process may use."""
    return {
        "cpu": cpu_model(),
        "cores": available_cores(),
        "memory_gib": round(available_memory() / GIB, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def cpu_model() -> str:
    """The processor as its maker calls it, where the system tells."""
    return read_cpuinfo("model name") or platform.processor() or platform.machine() or "unknown"


def cpu_flags() -> dict[str, bool]:
    """Whether the processor has the instructions that engines are made for; empty: nobody tells.

    VNNI and AMX multiply 8-bit numbers; without them INT8 gains little over float32.
    """
    flags = read_cpuinfo("flags").split()
    known = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8")
    return {name: name in flags for name in known} if flags else {}


def read_cpuinfo(key: str) -> str:
    """What Linux says of the first core; empty where it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def available_cores() -> float:
    """Cores that this process may use: those of its affinity, or fewer by the cgroup's quota."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota, _, period = read_limit("cpu.max").partition(" ")
    return min(cores, int(quota) / int(period)) if quota.isdigit() else cores


def available_memory() -> int:
    """Bytes of memory that this process may use: the machine's, or fewer by the cgroup's limit."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = read_limit("memory.max")
    return min(memory, int(limit)) if limit.isdigit() else memory


def read_limit(name: str) -> str:
    """A limit of the cgroup that a container sees as its root; `max` or empty = no limit."""
    try:
        return (CGROUP / name).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
