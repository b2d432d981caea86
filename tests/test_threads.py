"""threads: as many as the quota and the affinity of this process pay for."""

import os
from pathlib import Path

import pytest

from defectseg.inference import threads
from defectseg.inference.threads import count_cores, count_threads, cpu_quota

NONE = float("inf")


def write(root: Path, name: str, content: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def v2(root: Path, group: str, limits: dict[str, str]) -> Path:
    """A machine with cgroups v2: the process in one group, cpu.max of some groups."""
    write(root, "proc/self/cgroup", f"0::{group}\n")
    for folder, limit in limits.items():
        write(root, f"sys/fs/cgroup/{folder}/cpu.max", limit)
    return root


def v1(root: Path, mount: str, line: str, group: str, quota: str, period: str = "100000\n") -> Path:
    """A machine with cgroups v1: the process in one group, the quota of one folder."""
    write(root, "proc/self/cgroup", f"9:name=systemd:/\n3:cpuset:/elsewhere\n{line}\n")
    write(root, f"sys/fs/cgroup/{mount}/{group}/cpu.cfs_quota_us", quota)
    write(root, f"sys/fs/cgroup/{mount}/{group}/cpu.cfs_period_us", period)
    return root


@pytest.mark.parametrize(
    ("limit", "quota"),
    [
        ("200000 100000\n", 2.0),
        ("150000 100000\n", 1.5),
        ("20000 100000\n", 0.2),
        ("50000 25000\n", 2.0),
        ("max 100000\n", NONE),
        ("", NONE),
        ("200000\n", NONE),
        ("0 100000\n", NONE),
        ("200000 0\n", NONE),
        ("-1 100000\n", NONE),
        ("many 100000\n", NONE),
    ],
)
def test_the_quota_of_v2_is_read_from_cpu_max(limit: str, quota: float, tmp_path: Path):
    assert cpu_quota(v2(tmp_path, "/", {"": limit})) == quota


def test_the_tightest_group_up_to_the_root_counts(tmp_path: Path):
    limits = {"a": "300000 100000", "a/b": "100000 100000", "a/b/c": "200000 100000"}
    assert cpu_quota(v2(tmp_path, "/a/b/c", limits)) == 1.0
    assert cpu_quota(v2(tmp_path, "/a", limits)) == 3.0
    assert cpu_quota(v2(tmp_path, "/other", limits)) == NONE


def test_a_group_that_only_the_host_sees_leaves_the_root_of_the_container(tmp_path: Path):
    assert cpu_quota(v2(tmp_path, "/docker/0123abcd", {"": "400000 100000"})) == 4.0


def test_a_group_cannot_climb_out_of_its_mount(tmp_path: Path):
    write(tmp_path, "sys/fs/cpu.max", "100000 100000")
    assert cpu_quota(v2(tmp_path, "/../..", {"": "300000 100000"})) == 3.0


@pytest.mark.parametrize(
    ("mount", "line"),
    [("cpu", "1:cpu:/app"), ("cpu,cpuacct", "4:cpu,cpuacct:/app"), ("cpu", "2:cpuacct,cpu:/app")],
)
def test_the_quota_of_v1_is_read_from_two_files(mount: str, line: str, tmp_path: Path):
    assert cpu_quota(v1(tmp_path, mount, line, "app", "250000\n")) == 2.5


def test_minus_one_is_no_quota_in_v1(tmp_path: Path):
    assert cpu_quota(v1(tmp_path, "cpu", "1:cpu:/", "", "-1\n")) == NONE


def test_the_group_of_another_controller_does_not_count(tmp_path: Path):
    root = v1(tmp_path, "cpu", "1:cpu:/app", "elsewhere", "100000\n")
    assert cpu_quota(root) == NONE


def test_a_machine_that_tells_nothing_has_no_quota(tmp_path: Path):
    assert cpu_quota(tmp_path) == NONE
    write(tmp_path, "proc/self/cgroup", "no colon\n\n::\n")
    assert cpu_quota(tmp_path) == NONE


@pytest.mark.parametrize(
    ("cores", "limit", "expected"),
    [
        (8, "max 100000", 8),
        (8, "300000 100000", 3),
        (2, "300000 100000", 2),
        (8, "250000 100000", 2),  # a third thread would be stopped half of the time
        (8, "50000 100000", 1),
    ],
)
def test_threads_are_the_whole_cores_of_affinity_and_quota(
    cores: int, limit: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(threads, "count_cores", lambda: cores)
    assert count_threads(v2(tmp_path, "/", {"": limit})) == expected


def test_cores_are_those_of_the_affinity(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 5, 6}, raising=False)
    assert count_cores() == 3


def test_a_system_without_affinity_counts_its_cores(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert count_cores() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert count_cores() == 1


def test_this_machine_gives_at_least_one():
    assert 1 <= count_threads() <= count_cores()
