"""The limits that the system sets for this process in, the number of threads worth starting out."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

CGROUPS = Path("proc/self/cgroup")  # lines such as `0::/app` (v2) or `4:cpu,cpuacct:/app` (v1)
V2 = Path("sys/fs/cgroup")
V1 = (Path("sys/fs/cgroup/cpu"), Path("sys/fs/cgroup/cpu,cpuacct"), Path("sys/fs/cgroup/cpuacct"))


def count_threads(root: Path = Path("/")) -> int:
    """The whole cores that this process may use, at least 1.

    More threads than the quota pays for are worse than useless: the kernel stops all of them for
    the rest of each period. So 1.5 cores are one thread.

    Args:
        root: Where /proc and /sys are.
    """
    return max(1, int(min(count_cores(), cpu_quota(root))))


def count_cores() -> int:
    """Cores that the affinity of this process allows."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def cpu_quota(root: Path = Path("/")) -> float:
    """Cores that the cgroup's quota pays for; infinite where there is none.

    The tightest of the process's own group and every group above it counts.
    """
    return min((*_quotas_v2(root), *_quotas_v1(root)), default=float("inf"))


def _quotas_v2(root: Path) -> Iterator[float]:
    for folder in _folders(root / V2, _group(root, "")):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        yield from _cores(quota, period)


def _quotas_v1(root: Path) -> Iterator[float]:
    for mount in V1:
        for folder in _folders(root / mount, _group(root, "cpu")):
            yield from _cores(
                _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
            )


def _group(root: Path, controller: str) -> PurePosixPath:
    """The path of this process's group below its mount; `/` where the system does not tell."""
    for line in _read(root / CGROUPS).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller in controllers.split(","):
            return PurePosixPath(path)
    return PurePosixPath("/")


def _folders(mount: Path, group: PurePosixPath) -> Iterator[Path]:
    """The folder of a group and those above it, up to the mount.

    A container may name the path that its host sees: what is not there is no limit.
    """
    parts = [part for part in group.parts if part not in ("/", "..")]
    for depth in range(len(parts), -1, -1):
        yield mount.joinpath(*parts[:depth])


def _cores(quota: str, period: str) -> Iterator[float]:
    """Quota over period, both in µs; nothing where the quota is `max`, -1, or no number at all."""
    if quota.isdecimal() and period.isdecimal() and int(quota) and int(period):
        yield int(quota) / int(period)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
