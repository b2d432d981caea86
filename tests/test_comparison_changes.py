"""changes: what changed between two revisions besides their scores."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from defectseg.comparison.changes import find_changes
from defectseg.data.tile import CLEAN, write_manifest
from defectseg.revisions.revision import Revision
from tiny import write_tiles

SECTION: dict[str, Any] = {"train": {"epochs": 2, "network": {"encoder": "a"}}}


def revision(
    folder: Path,
    params: Any = SECTION,
    ran: Any = SECTION,
    deps: dict[str, str] | None = None,
    tiles: str = "",
) -> Revision:
    """A folder with params.yaml and a dvc.lock of the stages train and export."""
    folder.mkdir(exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    read = [{"path": path, "md5": md5(content)} for path, content in (deps or {}).items()]
    outs = [{"path": "models/unet.onnx", "md5": md5("model")}]
    stage = {"cmd": "python", "deps": read, "params": {"params.yaml": ran}, "outs": outs}
    load = {"cmd": "python", "outs": [{"path": "data/tiles", "md5": f"{md5(tiles)}.dir"}]}
    stages = {"train": stage, "export": stage | {"params": {"params.yaml": {"export": {"a": 1}}}}}
    stages |= {"data_load": load} if tiles else {}
    lock = {"schema": "2.0", "stages": stages}
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock), encoding="utf-8")
    return Revision(folder.name, None, folder)


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def test_nothing_changed_between_a_revision_and_itself(tmp_path: Path):
    same = revision(tmp_path / "a", deps={"src/a.py": "1"}, tiles="1")
    changes = find_changes(same, same)
    assert (changes.params, changes.data, changes.data_note, changes.code) == ((), None, "", ())
    assert changes.stale == ()


def test_params_are_told_by_their_dotted_keys(tmp_path: Path):
    before = {"train": {"epochs": 2, "rate": 0.1, "network": {"encoder": "a"}}}
    after = {"train": {"epochs": 3, "rate": 0.1, "network": {"encoder": "b", "heads": [1, None]}}}
    base = revision(tmp_path / "a", before, ran=before)
    changes = find_changes(base, revision(tmp_path / "b", after, ran=after))
    assert changes.params == (
        ("train.epochs", "2", "3"),
        ("train.network.encoder", '"a"', '"b"'),
        ("train.network.heads", "–", "[1, null]"),
    )


def test_params_that_the_metrics_do_not_know_yet_are_said(tmp_path: Path):
    base = revision(tmp_path / "a")
    head = revision(tmp_path / "b", {"train": {"epochs": 9, "network": {"encoder": "a"}}})
    assert find_changes(base, head).stale == (
        "The metrics of b are of other params than its params.yaml has (train.epochs): "
        "`dvc repro` has not run since.",
    )


def test_a_number_that_dvc_writes_without_a_point_is_the_same_number(tmp_path: Path):
    head = revision(tmp_path / "b", {"train": {"rate": 1e-6}}, ran={"train": {"rate": 1e-6}})
    lock = tmp_path / "b/dvc.lock"
    lock.write_text(lock.read_text("utf-8").replace("1.0e-06", "1e-06"), encoding="utf-8")
    assert "rate: 1e-06" in lock.read_text("utf-8")
    assert find_changes(head, head).stale == ()


def test_code_and_packages_are_told_with_the_stages_that_read_them_but_not_outs(tmp_path: Path):
    old = {"src/a.py": "1", "src/gone.py": "1", "models/unet.onnx": "1", "requirements.txt": "1"}
    new = {"src/a.py": "2", "src/new.py": "1", "models/unet.onnx": "2", "requirements.txt": "2"}
    base = revision(tmp_path / "a", deps=old)
    changes = find_changes(base, revision(tmp_path / "b", deps=new))
    names = ("requirements.txt", "src/a.py", "src/gone.py", "src/new.py")
    assert changes.code == tuple((name, ("export", "train")) for name in names)


def test_tiles_are_compared_where_their_hash_differs(tmp_path: Path):
    base, head = (revision(tmp_path / name, tiles=name) for name in "ab")
    write_hashed_tiles(tmp_path / "a/data/tiles", ["crack", CLEAN])
    write_hashed_tiles(tmp_path / "b/data/tiles", ["crack", CLEAN, "blowhole"])
    found = find_changes(base, head).data
    assert found is not None
    assert (found.added, found.removed) == (("t02",), ())


def write_hashed_tiles(folder: Path, classes: list[str]) -> None:
    """Tiles whose hashes are as long as real ones."""
    tiles = write_tiles(folder, classes)
    longer = [replace(tile, sha256=8 * tile.sha256) for tile in tiles.tiles]
    write_manifest(folder, tiles.classes, longer)


def test_tiles_that_cannot_be_read_are_said(tmp_path: Path):
    base, head = (revision(tmp_path / name, tiles=name) for name in "ab")
    changes = find_changes(base, head)
    assert changes.data is None
    assert changes.data_note.startswith("the tiles differ, but cannot be compared: ")


def test_a_base_without_a_lock_has_no_changed_code(tmp_path: Path):
    (tmp_path / "a").mkdir()
    changes = find_changes(Revision("a", None, tmp_path / "a"), revision(tmp_path / "b", tiles="b"))
    assert changes.code == ()
    assert changes.data_note == "one of them has no tiles in dvc.lock"
    assert changes.params[0] == ("train.epochs", "–", "2")
