import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from defectseg.errors import RevisionError
from defectseg.revisions.revision import md5_of, open_revision
from ran_project import Clone, copy_project
from storage_project import StoredProject, commit, flip_byte, storage, stored_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
GONE = "/nowhere/pictures"


@pytest.fixture(scope="module")
def project(
    ran_project: Clone, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StoredProject]:
    """A project whose pictures came from a folder that is gone; data and models are pushed."""
    clone = copy_project(ran_project, tmp_path_factory.mktemp("first"), has_own_cache=True)
    clone.change(data_load={"source": GONE})
    clone.out_of("dvc", "commit", "--force", "data_load")  # as if they had been read from there
    commit(clone, "Read pictures from a folder")
    with stored_project(clone) as stored:
        clone.out_of("dvc", "push")
        yield stored


def test_a_second_clone_has_everything_by_dvc_pull(project: StoredProject, tmp_path: Path):
    second = project.colleague(tmp_path / "second")
    assert GONE in (second.folder / "dvc.lock").read_text()
    assert not (second.folder / "data/tiles").exists()
    second.out_of("dvc", "pull")
    assert second.out_of("dvc", "status").split() == ["check_packages:", "always", "changed"]
    for path in ("models/unet.onnx", "models/unet.safetensors", "data/tiles/manifest.csv"):
        first = project.clone.folder / path
        assert (second.folder / path).read_bytes() == first.read_bytes()
    assert second.out_of("dvc", "status", "--cloud").strip() == (
        "Cache and remote 'storage' are in sync."
    )
    predicted = second.out_of("defectseg", "predict", "data/tiles/images", "--out", "results")
    assert "20 pictures" in predicted or (second.folder / "results").is_dir()
    second.out_of("git", "clean", "--quiet", "--force", "-d", "results")
    assert second.repro() == ["check_packages"]


def test_a_damaged_picture_is_never_taken_for_a_revisions(
    project: StoredProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    second = project.colleague(tmp_path / "second")
    for name in ("HOME", "DVC_SITE_CACHE_DIR"):
        monkeypatch.setenv(name, second.environment[name])
    picture = next((project.clone.folder / "data/tiles/images").iterdir())
    flip_byte(project.objects()[md5_of(picture)])
    with pytest.raises(RevisionError, match=r"data/tiles at HEAD is damaged: .* storage check"):
        open_revision("HEAD", second.folder).fetch("data/tiles", tmp_path / "damaged")
    flip_byte(project.objects()[md5_of(picture)])
    found = open_revision("HEAD", second.folder).fetch("data/tiles", tmp_path / "mended")
    assert found
    assert md5_of(found) == md5_of(project.clone.folder / "data/tiles")


def test_the_server_may_be_restarted(project: StoredProject, tmp_path: Path):
    stopped = project.storage("stop")
    assert stopped.stdout == f"storage: stopped: {project.place.root}\n"
    second = project.colleague(tmp_path / "second")
    failed = second.run("dvc", "pull", "models/unet.onnx")
    assert failed.returncode != 0
    assert "Could not connect to the endpoint URL" in failed.stderr
    said = storage(second, "status")
    assert said.returncode == 1
    assert "error: nothing answers at s3://defectseg/dvc at http://127.0.0.1:" in said.stderr
    project.start()
    project.tell(second)
    second.out_of("dvc", "pull", "models/unet.onnx")


def test_the_address_and_the_keys_are_git_ignored_and_their_owners(project: StoredProject):
    clone = project.clone
    local = clone.folder / ".dvc/config.local"
    assert stat.S_IMODE(local.stat().st_mode) == 0o600
    assert clone.out_of("git", "status", "--porcelain") == ""
    committed = clone.out_of("git", "show", "HEAD:.dvc/config")
    assert "127.0.0.1" not in committed
    assert "key" not in committed
