import hashlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from defectseg.storage.request import endpoint_of
from defectseg.storage.server import read_record, stop_server
from ran_project import Clone
from stalling_relay import stalling_relay
from storage_project import (
    LONGEST,
    StoredProject,
    commit,
    flip_byte,
    small_project,
    storage,
    stored_project,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
BIG = 64 * 2**20  # bytes of a file whose transfer takes long enough to be killed in


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoredProject]:
    """A small project, pushed."""
    with stored_project(small_project(tmp_path_factory.mktemp("small"))) as stored:
        stored.clone.out_of("dvc", "push")
        yield stored


@pytest.fixture
def second(project: StoredProject, tmp_path: Path) -> Clone:
    """A fresh clone of it that has pulled nothing."""
    return project.colleague(tmp_path / "second")


def add_big(clone: Clone, name: str, size: int = BIG) -> str:
    """Let DVC track a large file, noise and then zeros; its name as an object."""
    with (clone.folder / name).open("wb") as file:
        file.write(os.urandom(64))
        file.truncate(size)
    clone.out_of("dvc", "add", "--quiet", name)
    text = (clone.folder / f"{name}.dvc").read_text()
    return text.split("md5:")[1].split()[0]


def md5_of_text(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def restart(project: StoredProject, clone: Clone) -> None:
    stop_server(project.place)
    project.start()
    project.tell(clone)


def drop_big(project: StoredProject, name: str) -> None:
    """Forget it: the next test need not carry it."""
    for path in (name, f"{name}.dvc"):
        (project.clone.folder / path).unlink()
    project.clone.out_of("git", "checkout", "--quiet", ".")


def start_dvc(clone: Clone, *arguments: str) -> "Popen[str]":
    return Popen(
        ["dvc", *arguments],
        cwd=clone.folder,
        env=clone.environment,
        stdout=PIPE,
        stderr=PIPE,
        text=True,
        encoding="utf-8",
    )


def parts_in(folder: Path, pattern: str) -> list[Path]:
    """Files that are being written, under a name of their own."""
    return [path for path in folder.rglob(pattern) if path.is_file() and is_begun(path)]


def is_begun(path: Path) -> bool:
    try:
        return path.stat().st_blocks > 0
    except FileNotFoundError:  # it has just got its name
        return False


def test_a_wrong_key_is_refused_and_said(project: StoredProject, second: Clone):
    local = second.folder / ".dvc/config.local"
    right = local.read_text()
    for setting, reason in (
        ("secret_access_key", "signature"),
        ("access_key_id", "Access Key Id you provided does not exist"),
    ):
        local.write_text(right.replace(f"{setting} = ", f"{setting} = 0"))
        assert second.run("dvc", "pull").returncode != 0
        said = storage(second, "status")
        assert said.returncode == 1
        assert "refuses the credentials: " in said.stderr
        assert reason in said.stderr
        assert "`make storage` writes those of a storage on this machine anew" in said.stderr
    assert project.storage("start").returncode == 0
    project.tell(second)
    second.out_of("dvc", "pull")
    assert (second.folder / "model").exists()


def test_no_credentials_at_all_are_said(second: Clone):
    (second.folder / ".dvc/config.local").unlink()
    failed = second.run("dvc", "pull")
    assert failed.returncode != 0
    assert "Unable to locate credentials" in failed.stderr
    said = storage(second, "status")
    assert said.returncode == 1
    assert "no credentials for s3://defectseg/dvc: Unable to locate" in said.stderr
    assert "docs/operations.md, Credentials" in said.stderr
    other = Clone(second.folder, second.environment | {"AWS_PROFILE": "nobody"})
    assert "config profile (nobody) could not be found" in storage(other, "status").stderr


def test_credentials_come_from_the_environment(project: StoredProject, second: Clone):
    from defectseg.storage.keys import read_keys

    keys, record = read_keys(project.place.keys), read_record(project.place)
    assert record
    (second.folder / ".dvc/config.local").unlink()
    given = {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_ENDPOINT_URL_S3": endpoint_of(record.port),
    }
    Clone(second.folder, second.environment | given).out_of("dvc", "pull")
    assert (second.folder / "model").read_text() == "model" * 100


def test_a_missing_bucket_is_said_and_made_by_the_next_start(project: StoredProject, second: Clone):
    project.clone.out_of("dvc", "remote", "modify", "storage", "url", "s3://elsewhere/dvc")
    failed = project.clone.run("dvc", "push")
    assert failed.returncode != 0
    assert "NoSuchBucket" in failed.stderr
    said = project.storage("status")
    assert said.returncode == 1
    assert "s3://elsewhere/dvc at http" in said.stderr
    assert "bucket does not exist" in said.stderr
    assert project.storage("start").returncode == 0
    project.clone.out_of("dvc", "push")
    assert (project.place.objects / "elsewhere/dvc/files/md5").is_dir()
    project.clone.out_of("git", "checkout", "--quiet", ".dvc/config")


def test_a_server_killed_in_a_push_has_no_half_object(project: StoredProject):
    name = add_big(project.clone, "big")
    with start_dvc(project.clone, "push") as push:
        wait_until(lambda: bool(parts_in(project.place.objects, ".rclone_temp_*")))
        project.kill()
        _, complaint = push.communicate()
    assert push.returncode != 0
    assert "ERROR: failed to push" in complaint
    assert name not in project.objects()
    assert project.half_objects() == []
    assert "unfinished upload" in project.start()
    assert not list(project.place.objects.rglob(".rclone_temp_*"))
    project.clone.out_of("dvc", "push")
    assert name in project.objects()
    assert project.half_objects() == []
    drop_big(project, "big")


def test_a_server_killed_in_a_pull_leaves_no_half_file(project: StoredProject, tmp_path: Path):
    name = add_big(project.clone, "large", 2 * BIG)
    project.clone.out_of("dvc", "push")
    commit(project.clone, "Add a large file")
    second = project.colleague(tmp_path / "second")
    cached = second.folder / ".dvc/cache/files/md5" / name[:2]
    record = read_record(project.place)
    assert record
    with stalling_relay(record.port, limit=BIG * 7 // 4) as relay:
        endpoint = ("endpointurl", endpoint_of(relay.port))
        second.out_of("dvc", "remote", "modify", "--local", "storage", *endpoint)
        with start_dvc(second, "pull", "large") as pull:
            assert relay.stalled.wait(LONGEST)
            wait_until(lambda: any(path.is_file() for path in cached.rglob("*")))
            project.kill()
            relay.close()
            _, complaint = pull.communicate()
    assert pull.returncode != 0
    assert "ERROR: failed to pull" in complaint
    assert not (cached / name[2:]).exists()
    assert not (second.folder / "large").exists()
    project.start()
    project.tell(second)
    second.out_of("dvc", "pull")
    assert (second.folder / "large").read_bytes() == (project.clone.folder / "large").read_bytes()


def test_a_damaged_object_is_never_used(project: StoredProject, second: Clone):
    model = (project.clone.folder / "model.dvc").read_text().split("md5:")[1].split()[0]
    flip_byte(project.objects()[model])
    restart(project, second)  # a server that took the object itself remembers a checksum
    failed = second.run("dvc", "pull")
    assert failed.returncode != 0
    assert "Checkout failed for following targets:\nmodel" in failed.stderr
    assert not (second.folder / "model").exists()
    assert not list((second.folder / ".dvc/cache/files/md5" / model[:2]).glob("*"))
    said = storage(second, "check")
    assert said.returncode == 1
    assert f"damaged: {model}" in said.stdout
    assert project.clone.run("dvc", "push").stdout.strip() == "Everything is up to date."
    assert project.storage("check", "--remove").returncode == 0
    project.clone.out_of("dvc", "push")
    assert storage(second, "check").returncode == 0
    second.out_of("dvc", "pull")
    assert (second.folder / "model").read_text() == "model" * 100


def test_a_damaged_object_of_a_folder_can_be_put_back(project: StoredProject, second: Clone):
    listing = next(name for name in project.objects() if name.endswith(".dir"))
    picture = "pictures/one" * 100
    damaged = md5_of_text(picture)
    flip_byte(project.objects()[damaged])
    assert second.run("dvc", "pull").returncode != 0
    assert not (second.folder / "pictures/one").exists()
    assert project.storage("check", "--remove").stdout.splitlines()[-2:] == [
        "storage: removed 2 objects",
        "storage: `dvc push --all-commits` where the cache has them puts them back",
    ]
    assert not {listing, damaged} & set(project.objects())
    project.clone.out_of("dvc", "push", "--all-commits")
    second.out_of("dvc", "pull")
    assert (second.folder / "pictures/one").read_text() == picture


def test_a_missing_object_of_a_folder_is_found(project: StoredProject):
    gone = md5_of_text("pictures/two" * 100)
    project.objects()[gone].unlink()
    assert f"missing: {gone}" in project.storage("check").stdout
    assert project.storage("check", "--remove").returncode == 0
    project.clone.out_of("dvc", "push")
    assert gone in project.objects()
    assert project.storage("check").returncode == 0


def test_a_listing_that_names_other_files_is_noticed(project: StoredProject, second: Clone):
    """DVC checks out what it names, but then neither `dvc status` nor `storage check` is clean."""
    listing = next(name for name in project.objects() if name.endswith(".dir"))
    path = project.objects()[listing]
    right = path.read_text()
    path.write_text(right.replace('"one"', '"six"'))
    second.run("dvc", "pull")
    assert "pictures" in second.out_of("dvc", "status")
    assert f"damaged: {listing}" in storage(second, "check").stdout
    path.write_text(right)
    second.out_of("dvc", "pull", "--force")
    assert "up to date" in second.out_of("dvc", "status")
    assert sorted(p.name for p in (second.folder / "pictures").iterdir()) == ["one", "two"]


def test_a_server_without_space_takes_no_half_object(project: StoredProject):
    """A limit on the size of its files: writing fails in the middle, as on a full disk."""
    name = add_big(project.clone, "wide")
    record = read_record(project.place)
    assert record
    resource.prlimit(record.pid, resource.RLIMIT_FSIZE, (BIG // 4, BIG))
    failed = project.clone.run("dvc", "push")
    assert failed.returncode != 0
    assert "failed to push" in failed.stderr
    assert name not in project.objects()
    assert project.half_objects() == []
    resource.prlimit(record.pid, resource.RLIMIT_FSIZE, (BIG, BIG))
    project.clone.out_of("dvc", "push")
    assert name in project.objects()
    drop_big(project, "wide")


def test_a_client_without_space_keeps_no_half_file(project: StoredProject, tmp_path: Path):
    name = add_big(project.clone, "broad")
    project.clone.out_of("dvc", "push")
    commit(project.clone, "Add a broad file")
    second = project.colleague(tmp_path / "second")
    limited = second.run("prlimit", f"--fsize={BIG // 4}", "dvc", "pull", "broad")
    assert limited.returncode != 0
    assert "File too large" in limited.stderr
    assert not (second.folder / ".dvc/cache/files/md5" / name[:2] / name[2:]).exists()
    assert not (second.folder / "broad").exists()
    second.out_of("dvc", "pull", "broad")
    assert (second.folder / "broad").stat().st_size == BIG
    project.clone.out_of("git", "rm", "--quiet", "broad.dvc")
    commit(project.clone, "Remove the broad file")


def test_a_full_disk_is_seen_in_the_status(project: StoredProject):
    said = project.storage("status")
    assert said.returncode == 0
    assert f"a server runs on {project.place.root} (" in said.stdout
    assert "MB free): process" in said.stdout
