"""`defectseg reproduce`: what is missing is pulled, and every out is hashed and compared."""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from defectseg.verification.workspace import (
    digest_of,
    hash_folder,
    look_up,
    missing_outs,
    read_workspace_lock,
    settle,
)
from small_pipeline import PARAMS, Small, make_small


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A repository whose quick pipeline has run and is in the storage, a folder; not changed."""
    small = make_small(tmp_path_factory.mktemp("small"))
    small.out_of("dvc", "remote", "add", "--default", "storage", "../storage")
    small.out_of("dvc", "push", "--quiet")
    small.write("note.txt", "with a storage")
    return small


@pytest.fixture
def small(made: Small, tmp_path: Path) -> Small:
    """A clone of it, with a storage of its own and nothing of what DVC tracks."""
    shutil.copytree(made.folder.parent / "storage", tmp_path / "storage")
    return made.clone(tmp_path / "clone")


def lines(small: Small, status: int) -> list[str]:
    """What `defectseg reproduce` answers."""
    done = small.ask("reproduce", "--json", "../found.json")
    assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
    return [*done.stdout.splitlines(), *done.stderr.splitlines()]


def as_before(path: Path, content: str) -> None:
    """Change a file so that its size and its time stay as they were."""
    before = path.stat()
    assert len(content) == before.st_size
    path.chmod(0o644)
    path.write_text(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.slow
def test_a_clone_without_data_is_reproduced_from_the_storage(small: Small):
    said = lines(small, 0)
    assert said[:3] == [
        "stage      outs as in dvc.lock  inputs changed since",
        "data_load               2 of 2                     –",
        "train                   3 of 3                     –",
    ]
    assert "reproduced: all 5 outs have the bytes that dvc.lock names" in said
    assert said[-1] == "pulling 4 outs that are not here"
    assert (small.folder / "weights.bin").read_text() == "0.5"
    (small.folder / "metrics.json").unlink()
    assert "missing: metrics.json; `git restore metrics.json`" in lines(small, 1)


@pytest.mark.slow
def test_what_differs_is_found_by_its_bytes_and_is_left_as_it_is(small: Small):
    small.out_of("dvc", "pull", "--quiet")
    as_before(small.folder / "weights.bin", "0.6")
    as_before(small.folder / "tiles/a", "x")
    (small.folder / "tiles/b").unlink()
    (small.folder / "tiles/c").touch()
    said = lines(small, 1)
    assert "  weights.bin differs; to lose what is here: `dvc checkout --force weights.bin`" in said
    assert (
        "  tiles differs (missing: b; changed: a; too many: c); to lose what is here: "
        "`dvc checkout --force tiles`"
    ) in said
    assert "2 of 5 outs are not those of dvc.lock" in said
    assert (small.folder / "weights.bin").read_text() == "0.6"
    found = json.loads((small.folder.parent / "found.json").read_text())
    assert [out["presence"] for out in found[0]["outs"]] == ["same", "different"]


@pytest.mark.slow
def test_what_a_stage_read_and_is_not_so_any_more_is_named(small: Small):
    small.out_of("dvc", "pull", "--quiet")
    (small.folder / "train.py").write_text("# edited\n")
    (small.folder / "load.py").unlink()
    (small.folder / "params.yaml").write_text(PARAMS.replace("seed: 0", "seed: 1"))
    said = lines(small, 1)
    assert "  it read another load.py, which is gone" in said
    assert "  it read another train.py" in said
    assert "  it read another params.yaml: compute" in said
    assert (
        "5 of 5 outs are those of dvc.lock, but `dvc repro` would run data_load, train again and "
        "what follows"
    ) in said
    assert not any("train: " in line or "params.yaml: train" in line for line in said)


@pytest.mark.slow
def test_a_lock_of_two_runs_is_noticed(small: Small):
    small.out_of("dvc", "pull", "--quiet")
    content = yaml.safe_load((small.folder / "dvc.lock").read_text())
    content["stages"]["train"]["deps"][0]["md5"] = "0" * 32
    (small.folder / "dvc.lock").write_text(yaml.safe_dump(content))
    assert "  it read another data.txt, of which dvc.lock has two versions" in lines(small, 1)


@pytest.mark.slow
def test_what_the_storage_does_not_have_is_named_and_the_rest_is_pulled(small: Small):
    locked = read_workspace_lock(small.folder).out("weights.bin")
    assert locked is not None
    (small.folder.parent / "storage/files/md5" / locked.md5[:2] / locked.md5[2:]).unlink()
    said = lines(small, 1)
    assert "missing: weights.bin" in said
    assert "the storage does not have them: who made them has to `dvc push`" in said
    assert (small.folder / "data.txt").exists()


@pytest.mark.slow
def test_a_damaged_object_of_the_storage_is_noticed(small: Small):
    locked = read_workspace_lock(small.folder).out("weights.bin")
    assert locked is not None
    place = small.folder.parent / "storage/files/md5" / locked.md5[:2] / locked.md5[2:]
    place.chmod(0o644)
    place.write_text("0.9")
    assert any("weights.bin" in line for line in lines(small, 1))


@pytest.mark.slow
@pytest.mark.parametrize("has_storage", [True, False])
def test_a_storage_that_cannot_be_reached_is_another_status(small: Small, has_storage: bool):
    if has_storage:
        for name, value in {
            "url": "s3://bucket/dvc",
            "endpointurl": "http://127.0.0.1:9",
            "access_key_id": "a",
            "secret_access_key": "b",
        }.items():
            small.out_of("dvc", "remote", "modify", "--local", "storage", name, value)
    else:
        small.out_of("dvc", "remote", "remove", "storage")
    said = lines(small, 2)
    why = "failed to connect to s3" if has_storage else "and no storage is set: start it by"
    assert "missing: data.txt, tiles, models/unet.run.json, weights.bin" in said
    error = said[-1]
    assert error.startswith("error: not in DVC's cache here: data.txt, tiles, models/unet.run")
    assert why in error
    assert "docs/operations.md" in error
    assert not any("has to `dvc push`" in line for line in said)


@pytest.mark.slow
def test_what_the_cache_has_needs_no_storage(small: Small):
    small.out_of("dvc", "fetch", "--quiet")
    shutil.rmtree(small.folder.parent / "storage")
    assert "reproduced: all 5 outs have the bytes that dvc.lock names" in lines(small, 0)


def test_without_a_lock_there_is_nothing_to_reproduce(small: Small):
    (small.folder / "dvc.lock").unlink()
    done = small.ask("reproduce")
    assert done.returncode == 2
    assert "there is no dvc.lock here, so nothing to reproduce; go to the root" in done.stderr


def test_a_folder_is_hashed_as_dvc_does(made: Small):
    lock = read_workspace_lock(made.folder)
    tiles = lock.out("tiles")
    assert tiles is not None
    assert digest_of(hash_folder(made.folder / "tiles")) == tiles.md5
    assert missing_outs(lock, made.folder) == []


@pytest.mark.parametrize(
    ("text", "same"),
    [("a: 1e-06", True), ("a: 0.000001", True), ("a: 1.0e-06", True), ("a: 1e-05", False)],
)
def test_a_number_is_the_same_however_yaml_writes_it(text: str, same: bool):
    assert (settle(yaml.safe_load(text)) == {"a": 0.000001}) is same
    assert settle({"a": ["1e3", "x", 2]}) == {"a": [1000.0, "x", 2]}


def test_a_param_is_found_by_its_dotted_key():
    assert look_up({"a": {"b": 1}, "c": 2}, "a.b") == 1
    assert look_up({"a": {"b": 1}}, "a.b.c") is None
    assert look_up({}, "a") is None
