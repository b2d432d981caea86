"""heap: what was freed is there for what comes next, and goes back when it is asked for."""

import os
import subprocess
import sys

import pytest

from defectseg import determinism
from defectseg.determinism import ComputeParams, set_up
from ran_project import ROOT

ONCE = 64 * 256  # pages of 4 KiB of one time
FAULTS = """
import resource, sys
from defectseg.heap import keep_heap
if sys.argv[1] == "keep":
    keep_heap()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    b"1" * (64 * 2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(mode: str, **environment: str) -> int:
    """Of ten times 64 MiB that are written and freed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", FAULTS, mode],
        env=clean | {"PYTHONPATH": str(ROOT / "src")} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's own calls")
def test_what_was_freed_is_fetched_from_the_system_once():
    assert page_faults("as it is") > 9 * ONCE
    assert page_faults("keep") < 2 * ONCE


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's own calls")
def test_what_the_user_has_set_stays():
    assert page_faults("keep", MALLOC_ARENA_MAX="2") > 9 * ONCE


def test_a_set_up_keeps_the_heap(monkeypatch: pytest.MonkeyPatch):
    calls = []
    monkeypatch.setattr(determinism, "keep_heap", lambda: calls.append("kept"))
    set_up(ComputeParams(seed=0, threads=1, device="cpu"))
    assert calls == ["kept"]
