"""The merge driver for dvc.lock in real merges of git, on a project that has run."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from defectseg.revisions.merge import find_reruns, read_lock
from ran_project import Clone, copy_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
DRIVER = f"'{Path(sys.executable).with_name('defectseg')}' lock merge %O %A %B"  # as make setup
POINT = "models/operating_point.json"
MARK = re.compile(r"^(<<<<<<<|=======|>>>>>>>)", re.MULTILINE)


@pytest.fixture
def clone(ran_project: Clone, tmp_path: Path) -> Clone:
    """A project on the branch `ours`, where both sides will change dvc.lock."""
    copied = copy_project(ran_project, tmp_path / "project", has_own_cache=True)
    copied.out_of("git", "checkout", "--quiet", "-b", "ours")
    copied.out_of("git", "branch", "theirs")
    return copied


def install(clone: Clone) -> None:
    """What `make setup` does."""
    clone.out_of("git", "config", "merge.dvc-lock.name", "dvc.lock, stage by stage")
    clone.out_of("git", "config", "merge.dvc-lock.driver", DRIVER)
    clone.out_of("git", "config", "merge.dvc-lock.recursive", "binary")


def change_on(clone: Clone, branch: str, stage: str, **params: Any) -> None:
    """Change params of a stage on a branch, as if it had run with them to the same end."""
    clone.out_of("git", "checkout", "--quiet", branch)
    clone.change(**{stage: params})
    clone.out_of("dvc", "commit", "--quiet", "--force", stage)
    clone.out_of("git", "commit", "--quiet", "--all", "-m", f"Change {stage}")


def merge(clone: Clone) -> subprocess.CompletedProcess[str]:
    clone.out_of("git", "checkout", "--quiet", "ours")
    return clone.run("git", "merge", "--no-edit", "theirs")


def stale_stages(clone: Clone) -> set[str]:
    """What `dvc status` says; check_packages always."""
    status = json.loads(clone.out_of("dvc", "status", "--json"))
    return set(status) - {"check_packages"}


def lock_of(clone: Clone) -> dict[str, Any]:
    return read_lock((clone.folder / "dvc.lock").read_bytes(), "it")["stages"]


def test_stages_changed_on_two_sides_are_joined_and_what_never_ran_is_told(clone: Clone):
    install(clone)
    change_on(clone, "theirs", "export", tolerance=0.002)
    clone.out_of("git", "checkout", "--quiet", "ours")
    point = clone.json_of(POINT)
    (clone.folder / POINT).unlink()
    (clone.folder / POINT).write_text(json.dumps({**point, "temperature": 1.25}))
    clone.out_of("dvc", "commit", "--quiet", "--force", "evaluate")
    clone.out_of("git", "commit", "--quiet", "--all", "-m", "Choose another operating point")
    ours = lock_of(clone)["evaluate"]
    merged = merge(clone)
    assert merged.returncode == 0, merged.stderr
    assert "dvc.lock: taken from theirs: export" in merged.stderr
    assert "`dvc repro` will run export, or those of them" in merged.stderr
    lock = lock_of(clone)
    assert lock["evaluate"] == ours
    assert lock["export"]["params"]["params.yaml"]["export"]["tolerance"] == 0.002
    assert stale_stages(clone) == {"export"}
    assert clone.repro() == ["check_packages", "export"]
    assert (stale_stages(clone), find_reruns(lock_of(clone))) == (set(), ())


def test_a_stage_changed_on_both_sides_is_a_conflict_of_that_stage(clone: Clone):
    install(clone)
    change_on(clone, "theirs", "train", gradient_clip=0.5)
    change_on(clone, "ours", "train", resume=False)
    ours = (clone.folder / "dvc.lock").read_text(encoding="utf-8")
    merged = merge(clone)
    assert merged.returncode == 1
    assert "dvc.lock: both sides changed train." in merged.stderr
    text = (clone.folder / "dvc.lock").read_text(encoding="utf-8")
    assert len(MARK.findall(text)) == 3
    kept = re.sub(r"<<<<<<< ours\n(.*?)=======\n.*?>>>>>>> theirs\n", r"\1", text, flags=re.DOTALL)
    assert kept == ours
    (clone.folder / "dvc.lock").write_text(kept, encoding="utf-8")
    assert stale_stages(clone) == {"train"}  # for params.yaml has both changes


def test_without_the_driver_git_claims_a_run_that_never_was(clone: Clone):
    change_on(clone, "theirs", "train", gradient_clip=0.5)
    change_on(clone, "ours", "train", resume=False)
    merged = merge(clone)
    assert merged.returncode == 0
    assert stale_stages(clone) == set()  # nobody ever ran train with both


def test_a_damaged_side_is_a_conflict_and_no_crash(clone: Clone):
    install(clone)
    change_on(clone, "theirs", "export", tolerance=0.002)
    clone.out_of("git", "checkout", "--quiet", "theirs")
    path = clone.folder / "dvc.lock"
    path.write_bytes(path.read_bytes().replace(b"tolerance: 0.002", b"tolerance: [\xff"))
    clone.out_of("git", "commit", "--quiet", "--all", "-m", "Damage it")
    change_on(clone, "ours", "train", resume=False)
    merged = merge(clone)
    assert merged.returncode == 1
    assert "dvc.lock of their side cannot be read as YAML" in merged.stderr
    assert "git checkout --ours dvc.lock" in merged.stderr
    assert clone.out_of("git", "diff", "--name-only", "--diff-filter=U").split() == ["dvc.lock"]
    clone.out_of("git", "checkout", "--ours", "dvc.lock")
    assert lock_of(clone)
