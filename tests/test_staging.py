"""staging: a folder changes as a whole, or not at all."""

from pathlib import Path

import pytest

from defectseg.data.staging import explain_full_disk, stage_beside, swap_in
from defectseg.errors import DataError


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "content").write_text(text)
    return folder


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_the_new_folder_takes_the_place_of_the_earlier_one(tmp_path: Path):
    target = write(tmp_path / "tiles", "earlier")
    with stage_beside(target) as stage, swap_in(write(stage / "tiles", "new"), target, stage):
        pass
    assert (target / "content").read_text() == "new"
    assert names_in(tmp_path) == ["tiles"]


def test_the_first_folder_needs_no_earlier_one(tmp_path: Path):
    target = tmp_path / "data" / "tiles"
    with stage_beside(target) as stage, swap_in(write(stage / "tiles", "new"), target, stage):
        pass
    assert (target / "content").read_text() == "new"


@pytest.mark.parametrize("earlier", [True, False])
def test_a_failure_after_the_swap_takes_it_back(earlier: bool, tmp_path: Path):
    target = write(tmp_path / "tiles", "earlier") if earlier else tmp_path / "tiles"
    with (
        pytest.raises(KeyboardInterrupt),
        stage_beside(target) as stage,
        swap_in(write(stage / "tiles", "new"), target, stage),
    ):
        raise KeyboardInterrupt
    assert names_in(tmp_path) == (["tiles"] if earlier else [])
    assert not earlier or (target / "content").read_text() == "earlier"


def test_other_hidden_folders_are_left_alone(tmp_path: Path):
    write(tmp_path / ".tiles_of_mine", "keep")
    with stage_beside(tmp_path / "tiles"):
        pass
    assert names_in(tmp_path) == [".tiles_of_mine"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_explained(tmp_path: Path):
    expected = r"is full: [\d.]+ MB free, at least 12\.5 MB needed"
    with pytest.raises(DataError, match=expected), explain_full_disk(tmp_path, 12_500_000):
        Path("/dev/full").write_bytes(b"x")


def test_another_failure_is_not_called_a_full_disk(tmp_path: Path):
    with pytest.raises(FileNotFoundError), explain_full_disk(tmp_path, 1):
        (tmp_path / "nowhere" / "file").write_bytes(b"x")
