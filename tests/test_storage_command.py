import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from defectseg.storage.objects import ObjectCheck
from defectseg.storage.server import choose_port, read_record, stop_server
from ran_project import ROOT, Clone
from storage_project import COMMAND, CONFIG, StoredProject


@pytest.fixture
def project(tmp_path: Path) -> Iterator[StoredProject]:
    """A folder with the settings of this repository, and no storage yet."""
    (tmp_path / ".dvc").mkdir()
    shutil.copy(CONFIG, tmp_path / ".dvc/config")
    stored = StoredProject(Clone(tmp_path, dict(os.environ)))
    yield stored
    if stored.place.root.exists():
        stop_server(stored.place)


def test_start_tells_what_it_did(project: StoredProject):
    assert re.fullmatch(
        r"storage: started: s3://defectseg/dvc at http://127\.0\.0\.1:\d+, kept in .*\.storage\n",
        project.start(),
    )
    assert (project.place.objects / "defectseg").is_dir()
    local = project.clone.folder / ".dvc/config.local"
    before = local.read_text()
    local.unlink()
    assert project.start().startswith("storage: already running: ")
    assert local.read_text() == before
    refused = project.storage("start", "--port", str(choose_port(0, 0)[0]))
    assert refused.returncode == 1
    assert "two servers would spoil one folder" in refused.stderr


def test_starts_at_once_give_one_server(project: StoredProject):
    command = [sys.executable, "-c", COMMAND, "start", "--port", "0"]
    environment = project.clone.environment | {"PYTHONPATH": str(ROOT / "src")}
    starts = [
        Popen(command, cwd=project.clone.folder, env=environment, stdout=PIPE, stderr=PIPE)
        for _ in range(3)
    ]
    said = [start.communicate() for start in starts]
    assert [start.returncode for start in starts] == [0, 0, 0], said
    assert sorted(out.split(b": ")[1] for out, _ in said) == [
        b"already running",
        b"already running",
        b"started",
    ]
    assert project.place.log.read_text().count("Starting s3 server") == 1


def test_stop_tells_what_it_did_and_forgets(project: StoredProject):
    assert project.storage("stop").stdout.startswith("storage: was not running: ")
    assert not project.place.root.exists()
    project.start()
    record = read_record(project.place)
    assert record
    assert project.storage("stop", "--forget").stdout.startswith("storage: stopped: ")
    assert "secret" not in (project.clone.folder / ".dvc/config.local").read_text()
    left = Path(f"/proc/{record.pid}/cmdline")
    assert not left.exists() or left.read_bytes() == b""  # ended; empty until init collects it


def test_another_folder_can_be_given(project: StoredProject, tmp_path: Path):
    folder = tmp_path / "elsewhere"
    assert project.storage("start", "--port", "0", "--folder", str(folder)).returncode == 0
    assert (folder / "objects/defectseg").is_dir()
    assert not project.place.root.exists()
    assert project.storage("stop", "--folder", str(folder)).stdout.startswith("storage: stopped")


def test_an_object_check_is_sound_without_damage():
    assert ObjectCheck(3, (), (), ()).is_sound
    assert not ObjectCheck(3, ("a",), (), ()).is_sound
    assert not ObjectCheck(3, (), ("a",), ()).is_sound
