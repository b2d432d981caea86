"""run_record: what a training ran on and what it cost."""

import hashlib
import os
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from threading import active_count

import pytest
import torch

import defectseg.run_record
from defectseg.run_record import (
    Energy,
    Meter,
    ask_git,
    describe_run,
    digest_of,
    find_counters,
    measure_run,
    read_git,
)

RANGE = 1_000_000  # microjoules at which the drawn counters start anew


def draw_counter(folder: Path, name: str, used: object) -> Path:
    """An energy counter as Linux shows it."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "energy_uj").write_text(f"{used}\n", encoding="ascii")
    (folder / name / "max_energy_range_uj").write_text(f"{RANGE}\n", encoding="ascii")
    return folder / name


def test_only_whole_packages_are_counted(tmp_path: Path):
    for name in ("intel-rapl:1", "intel-rapl:0", "intel-rapl:0:0", "intel-rapl", "dtpm"):
        draw_counter(tmp_path, name, 0)
    assert [path.name for path in find_counters(tmp_path)] == ["intel-rapl:0", "intel-rapl:1"]
    assert find_counters(tmp_path / "none") == []


def test_energy_is_the_sum_over_the_packages_since_the_start(tmp_path: Path):
    counters = [draw_counter(tmp_path, f"intel-rapl:{n}", 900_000) for n in range(2)]
    energy = Energy.of(counters)
    assert energy.joules == 0.0
    draw_counter(tmp_path, "intel-rapl:0", 950_000)
    draw_counter(tmp_path, "intel-rapl:1", 1_000_000)
    energy.read()
    assert energy.joules == pytest.approx(0.1)  # 0.05 + 0.1 = 0.15 J, rounded to one digit
    draw_counter(tmp_path, "intel-rapl:0", 999_999)
    draw_counter(tmp_path, "intel-rapl:1", 700_000)  # went over: 700 000 more
    energy.read()
    assert energy.used == 150_000 + 49_999 + 700_000


def test_a_counter_that_went_over_is_counted_on(tmp_path: Path):
    counter = draw_counter(tmp_path, "intel-rapl:0", 999_000)
    energy = Energy.of([counter])
    draw_counter(tmp_path, "intel-rapl:0", 500)
    energy.read()
    assert energy.used == 1_500


@pytest.mark.parametrize("content", ["", "many", "-"])
def test_a_counter_that_says_nothing_makes_the_energy_unknown(tmp_path: Path, content: str):
    counter = draw_counter(tmp_path, "intel-rapl:0", 0)
    energy = Energy.of([counter])
    draw_counter(tmp_path, "intel-rapl:0", content)
    energy.read()
    draw_counter(tmp_path, "intel-rapl:0", 10)
    energy.read()
    assert energy.joules is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_counter_that_only_root_may_read_makes_the_energy_unknown(tmp_path: Path):
    (draw_counter(tmp_path, "intel-rapl:0", 0) / "energy_uj").chmod(0)
    assert Energy.of(find_counters(tmp_path)).joules is None


def test_a_counter_that_goes_away_makes_the_energy_unknown(tmp_path: Path):
    energy = Energy.of([draw_counter(tmp_path, "intel-rapl:0", 0)])
    (tmp_path / "intel-rapl:0/energy_uj").unlink()
    energy.read()
    assert energy.joules is None


def test_a_machine_without_counters_tells_no_energy(tmp_path: Path):
    assert Energy.of([]).joules is None
    with measure_run(tmp_path) as meter:
        pass
    assert meter.joules is None


def test_a_run_is_measured_even_when_it_fails(tmp_path: Path):
    draw_counter(tmp_path, "intel-rapl:0", 0)
    threads = active_count()
    with pytest.raises(ZeroDivisionError), measure_run(tmp_path) as meter:
        assert active_count() == threads + 1
        draw_counter(tmp_path, "intel-rapl:0", 700_000)
        time.sleep(0.05)
        raise ZeroDivisionError
    assert meter.joules == 0.7
    assert 0.05 <= meter.seconds < 60
    assert abs((datetime.now(UTC) - datetime.fromisoformat(meter.started)).total_seconds()) < 60
    assert active_count() == threads  # nobody reads on


def test_counters_that_go_over_twice_are_read_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(defectseg.run_record, "SAMPLE_S", 0.01)
    draw_counter(tmp_path, "intel-rapl:0", 0)
    with measure_run(tmp_path) as meter:
        for used in (600_000, 100_000, 700_000):  # 0.6 + 0.5 + 0.6
            # One step, as the real counter's: no reading sees an empty file.
            (tmp_path / "next").write_text(f"{used}\n", encoding="ascii")
            (tmp_path / "next").replace(tmp_path / "intel-rapl:0/energy_uj")
            time.sleep(0.5)
    assert meter.joules == 1.7


def git(*arguments: str) -> str:
    author = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com")
    done = subprocess.run(["git", *author, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_commit_and_whether_tracked_files_differ_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    Path("code.py").write_text("a = 1\n")
    git("add", "code.py")
    git("commit", "--quiet", "-m", "x")
    commit = git("rev-parse", "HEAD")
    Path("untracked").touch()
    assert read_git() == {"revision": commit, "is_changed": False}
    Path("code.py").write_text("a = 2\n")
    assert read_git() == {"revision": commit, "is_changed": True}


def test_outside_of_git_and_without_git_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert read_git() == {"revision": None, "is_changed": None}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ask_git("rev-parse", "HEAD") is None
    assert read_git() == {"revision": None, "is_changed": None}


def test_a_file_has_a_digest_and_what_is_no_file_has_none(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"abc")
    assert digest_of(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
    assert digest_of(tmp_path / "none") is None
    assert digest_of(tmp_path) is None


def test_the_record_says_where_from_what_and_for_how_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("requirements.txt").write_text("a==1\n")
    meter = Meter("2026-01-02T03:04:05+00:00", 12.345, 6.7)
    record = describe_run(meter, torch.device("cpu"), epochs=3)
    assert list(record) == [
        "epochs",
        "git",
        "started",
        "seconds",
        "joules",
        "hardware",
        "environment",
    ]
    assert (record["epochs"], record["seconds"], record["joules"]) == (3, 12.3, 6.7)
    assert record["started"] == "2026-01-02T03:04:05+00:00"
    assert record["hardware"]["device"] == "cpu"
    assert record["hardware"]["accelerator"] is None
    assert record["hardware"]["threads"] == torch.get_num_threads()
    assert record["hardware"]["cpu"]
    assert record["environment"]["torch"].startswith("2.")
    digest = hashlib.sha256(b"a==1\n").hexdigest()
    assert record["environment"]["requirements_sha256"] == digest
