"""Broken data sets of every kind: each gets its message, and nothing that was there changes."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import broken_coco
import broken_folders
import broken_label_studio
import broken_sources
import broken_voc
from conftest import write_class_folders
from defectseg.errors import DataError
from test_load import load, names_in, snapshot

Case = tuple[Callable[[Path], object], dict[str, Any], str]
TABLE: dict[str, Case] = {
    name: (write, changes, message) for name, write, changes, message in broken_sources.BROKEN
} | {
    f"{module.__name__.removeprefix('broken_')}: {name}": (write, {}, message)
    for module in (broken_coco, broken_folders, broken_label_studio, broken_voc)
    for name, write, message in module.BROKEN
}


def test_there_are_forty_of_them():
    assert len(TABLE) >= 40


@pytest.mark.parametrize("case", TABLE)
def test_a_broken_input_gets_its_message_and_changes_nothing(case: str, tmp_path: Path):
    project = tmp_path / "project"
    load(project, write_class_folders(tmp_path / "good", {"MT_Free": ["f"], "MT_Crack": ["a"]}))
    before = snapshot(project)
    write, changes, message = TABLE[case]
    write(tmp_path / "broken")
    with pytest.raises(DataError, match=f"(?s){message}"):
        load(project, tmp_path / "broken", **changes)
    shutil.rmtree(project / "data/rejected", ignore_errors=True)
    assert snapshot(project) == before
    assert names_in(project / "data") == ["quarantine.csv", "report", "tiles"]
