"""What `dvc gc --cloud` keeps: docs/operations.md tells which one to run, and why."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ran_project import Clone
from storage_project import StoredProject, commit, small_project, stored_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[StoredProject]:
    """Pushed: model "old" at the tag v1, "else" on the branch side, "new" on the branch main."""
    clone = small_project(tmp_path)
    clone.out_of("git", "branch", "--move", "main")
    with stored_project(clone) as stored:
        keep_model(clone, "old")
        clone.out_of("git", "tag", "v1")
        clone.out_of("git", "switch", "--quiet", "--create", "side")
        keep_model(clone, "else")
        clone.out_of("git", "switch", "--quiet", "main")
        keep_model(clone, "new")
        clone.out_of("dvc", "push", "--all-commits")
        yield stored


def keep_model(clone: Clone, content: str) -> None:
    (clone.folder / "model").unlink()
    (clone.folder / "model").write_text(content)
    clone.out_of("dvc", "add", "--quiet", "model")
    commit(clone, f"Make the model {content}")


def models(project: StoredProject) -> set[str]:
    """Those of the three models that the storage has."""
    contents = {path.read_text() for path in project.objects().values()}
    return contents & {"old", "else", "new"}


def test_only_all_commits_keeps_what_a_colleagues_branch_and_a_tag_need(
    project: StoredProject, tmp_path: Path
):
    """A clone has one branch of its own; the others are origin's, and --all-branches skips them."""
    keeper = project.colleague(tmp_path / "keeper")
    assert keeper.out_of("git", "branch", "--format", "%(refname:short)").split() == ["main"]
    gc = ("dvc", "gc", "--cloud", "--force")

    keeper.out_of(*gc, "--all-commits", "--all-experiments")
    assert models(project) == {"old", "else", "new"}

    keeper.out_of(*gc, "--all-branches", "--all-tags")
    assert models(project) == {"old", "new"}

    keeper.out_of(*gc, "--workspace")
    assert models(project) == {"new"}

    reader = project.colleague(tmp_path / "reader")
    reader.out_of("git", "checkout", "--quiet", "v1")
    lost = reader.run("dvc", "pull")
    assert lost.returncode != 0
    assert "Missing cache files" in lost.stderr

    project.clone.out_of("dvc", "push", "--all-commits")  # a cache that was not collected
    assert models(project) == {"old", "else", "new"}
    reader.out_of("dvc", "pull")
    assert (reader.folder / "model").read_text() == "old"


def test_a_dry_run_removes_nothing(project: StoredProject, tmp_path: Path):
    keeper = project.colleague(tmp_path / "keeper")
    before = set(project.objects())
    keeper.out_of("dvc", "gc", "--cloud", "--force", "--workspace", "--dry")
    assert set(project.objects()) == before
