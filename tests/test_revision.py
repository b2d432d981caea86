"""revision: the files of a commit and of the workspace, with real git and real DVC."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from defectseg.errors import RevisionError
from defectseg.revisions.process import ask
from defectseg.revisions.revision import Revision, md5_of, open_revision
from ran_project import Clone, copy_project

WEIGHTS, TILES, METRICS = "models/unet.safetensors", "data/tiles", "metrics/evaluate.json"


@pytest.fixture(scope="module")
def own(ran_project: Clone, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A copy whose cache may be damaged."""
    return copy_project(ran_project, tmp_path_factory.mktemp("clone"), has_own_cache=True)


@pytest.fixture
def clone(own: Clone, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clone]:
    """The same, with the environment of its commands; what a test does to git is taken back."""
    for name in ("HOME", "DVC_SITE_CACHE_DIR"):
        monkeypatch.setenv(name, own.environment[name])
    head = own.out_of("git", "rev-parse", "HEAD").strip()
    yield own
    own.out_of("git", "reset", "--quiet", "--hard", head)


def cached(clone: Clone, path: str) -> Path:
    """The object of a file in the cache."""
    out = open_revision("HEAD", clone.folder).lock.out(path)
    assert out is not None
    return clone.folder / ".dvc/cache/files/md5" / out.md5[:2] / out.md5[2:]


def test_a_commit_keeps_what_the_workspace_has_changed(clone: Clone):
    before = (clone.folder / METRICS).read_bytes()
    (clone.folder / METRICS).write_text("{}", encoding="utf-8")
    assert open_revision("HEAD", clone.folder).read(METRICS) == before
    assert open_revision("workspace", clone.folder).read(METRICS) == b"{}"


@pytest.mark.parametrize("name", ["HEAD", "workspace"])
def test_a_file_that_is_not_there_is_none(clone: Clone, name: str, tmp_path: Path):
    revision = open_revision(name, clone.folder)
    assert revision.read("metrics/none.json") is None
    assert revision.fetch("models/none.onnx", tmp_path) is None


@pytest.mark.parametrize("name", ["nowhere", "", "--help", "HEAD:README.md", "a b"])
def test_a_revision_that_does_not_exist_is_refused(clone: Clone, name: str):
    with pytest.raises(RevisionError, match=r"there is no revision .*give a commit"):
        open_revision(name, clone.folder)


def test_a_folder_without_git_has_no_revision(tmp_path: Path):
    with pytest.raises(RevisionError, match="there is no revision 'HEAD'"):
        open_revision("HEAD", tmp_path)


def test_a_branch_a_tag_and_a_short_hash_are_the_same_commit(clone: Clone):
    clone.out_of("git", "branch", "--force", "feature")
    clone.out_of("git", "tag", "--force", "v1")
    names = ["HEAD", "feature", "v1", clone.out_of("git", "rev-parse", "--short", "HEAD").strip()]
    assert len({open_revision(name, clone.folder).commit for name in names}) == 1


def test_the_workspace_gives_the_files_where_they_lie(clone: Clone, tmp_path: Path):
    found = open_revision("workspace", clone.folder).fetch(WEIGHTS, tmp_path)
    assert found == clone.folder / WEIGHTS


def test_a_commit_gives_copies_of_a_file_and_of_a_folder(clone: Clone, tmp_path: Path):
    revision = open_revision("HEAD", clone.folder)
    weights, tiles = revision.fetch(WEIGHTS, tmp_path), revision.fetch(TILES, tmp_path)
    assert weights == tmp_path / WEIGHTS and tiles == tmp_path / TILES
    assert weights.read_bytes() == (clone.folder / WEIGHTS).read_bytes()
    ours, theirs = (sorted(p.name for p in f.rglob("*.png")) for f in (tiles, clone.folder / TILES))
    assert ours == theirs and len(ours) >= 20


def test_a_commit_without_a_lock_has_no_outs(clone: Clone, tmp_path: Path):
    clone.out_of("git", "rm", "--quiet", "dvc.lock")
    clone.out_of("git", "commit", "--quiet", "-m", "Forget what ran")
    assert open_revision("HEAD", clone.folder).fetch(WEIGHTS, tmp_path) is None


def test_what_is_in_no_cache_comes_from_the_remote_and_is_said(
    clone: Clone, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    clone.out_of("dvc", "remote", "add", "--local", "--force", "-d", "near", str(tmp_path / "r"))
    clone.out_of("dvc", "push", "--quiet", "-r", "near")
    place = cached(clone, WEIGHTS)
    place.unlink()
    before = md5_of(clone.folder / WEIGHTS)
    fetched = open_revision("HEAD", clone.folder).fetch(WEIGHTS, tmp_path)
    assert fetched is not None and md5_of(fetched) == before
    assert f"fetching {WEIGHTS} of HEAD from the remote" in capfd.readouterr().err
    assert open_revision("HEAD", clone.folder).fetch("models/unet.json", tmp_path)
    assert "fetching" not in capfd.readouterr().err
    clone.out_of("dvc", "fetch", "--quiet")


def test_what_is_nowhere_says_what_to_do(clone: Clone, tmp_path: Path):
    clone.out_of(
        "dvc", "remote", "add", "--local", "--force", "-d", "near", str(tmp_path / "empty")
    )
    place = cached(clone, WEIGHTS)
    kept = place.read_bytes()
    place.unlink()
    try:
        with pytest.raises(RevisionError, match=r"unet\.safetensors at HEAD cannot be had.*pushed"):
            open_revision("HEAD", clone.folder).fetch(WEIGHTS, tmp_path)
    finally:
        place.write_bytes(kept)


def test_a_damaged_object_is_never_given(clone: Clone, tmp_path: Path):
    place = cached(clone, WEIGHTS)
    kept = place.read_bytes()
    place.chmod(0o644)
    place.write_bytes(b"x" + kept[1:])
    try:
        with pytest.raises(RevisionError, match=r"at HEAD (is damaged|cannot be had)"):
            open_revision("HEAD", clone.folder).fetch(WEIGHTS, tmp_path)
    finally:
        place.write_bytes(kept)


def test_git_is_asked_in_the_folder_of_the_repository(clone: Clone, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(clone.folder)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "True"


SCRIPT = f"""
import sys
from pathlib import Path
from defectseg.revisions.revision import open_revision
revision = open_revision("HEAD", Path(sys.argv[1]))
print(bool(revision.read("{METRICS}") and revision.fetch("{WEIGHTS}", Path("here"))))
"""


def test_a_command_that_fails_says_what_it_wrote(tmp_path: Path):
    with pytest.raises(RevisionError, match=r"`git log` failed: .*not a git repository"):
        ask("git", "log", folder=tmp_path)
    with pytest.raises(RevisionError, match=r"`defectseg-none x` cannot be run: .*No such file"):
        ask("defectseg-none", "x")
    with pytest.raises(RevisionError, match=r"`sleep 5` cannot be run: .*timed out"):
        ask("sleep", "5", timeout=0.1)


def test_a_revision_is_one_state():
    assert Revision("main", "a" * 40, Path()) == Revision("main", "a" * 40, Path())
