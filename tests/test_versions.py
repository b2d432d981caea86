"""versions: the tiles of a revision or of the workspace, checked before they are used."""

import json
from pathlib import Path

import pytest

from defectseg.data.audit.versions import WORKSPACE, FolderFiles, open_version, read_version
from defectseg.data.tile import Tile, write_manifest
from defectseg.errors import DataError, OffendersError

TILE = Tile("t", "images/t.png", "masks/t.png", "crack", "s", 4, 2, 3, "0" * 64)
COLUMNS = "id,image,mask,defect_class,surface,width,height,defect_px,sha256"
ROW = f"t,images/t.png,masks/t.png,crack,s,4,2,3,{'0' * 64}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of tiles with one row."""
    write_manifest(tmp_path, ["crack"], [TILE])
    return tmp_path


def change(folder: Path, *lines: str) -> FolderFiles:
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return FolderFiles(folder)


def test_the_workspace_is_the_folder_as_it_lies_there(folder: Path):
    version = open_version(WORKSPACE, folder)
    assert (version.name, version.classes) == ("workspace", ("crack",))
    assert version.tiles == {"t": TILE}


def test_a_manifest_without_the_newer_columns_is_read(folder: Path):
    assert read_version("old", change(folder, COLUMNS, ROW)).tiles == {"t": TILE}


def test_columns_that_came_later_do_not_matter(folder: Path):
    lines = (f"{COLUMNS},labelled_by,weather", f"{ROW},Ann,rain")
    tile = read_version("new", change(folder, *lines)).tiles["t"]
    assert (tile.labelled_by, tile.label_tool) == ("Ann", "")


def test_tiles_are_sorted_by_their_ids(folder: Path):
    version = read_version("v", change(folder, COLUMNS, f"u{ROW[1:]}", ROW))
    assert list(version.tiles) == ["t", "u"]


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (ROW.replace("images/t.png", "../t.png"), "row 2, image: .*leaves the folder"),
        (ROW.replace("masks/t.png", "/etc/passwd"), "row 2, mask: .*leaves the folder"),
        (ROW.replace(",4,", ",four,"), "row 2, width: .*integer"),
        (ROW.replace(",3,", ",-3,"), "row 2, defect_px: .*greater than or equal to 0"),
        (ROW.replace("crack", ""), "row 2, defect_class: .*at least 1"),
        (ROW.replace("t,", "t\x1b[2J,", 1), "row 2, id: .*cannot be printed"),
        (ROW[:-1], "row 2, sha256: .*match pattern"),
        (ROW.rpartition(",")[0], "row 2, sha256: "),
        (f"{ROW},more", "row 2: more cells than the header has"),
        (f"{ROW}\n{ROW}", "row 3: t comes twice"),
    ],
)
def test_a_wrong_row_is_refused_with_its_number(folder: Path, row: str, fault: str):
    with pytest.raises(OffendersError, match=fault):
        read_version("bad", change(folder, COLUMNS, row))


def test_every_wrong_row_is_listed(folder: Path):
    with pytest.raises(OffendersError) as caught:
        read_version("bad", change(folder, COLUMNS, ROW[:-1], ROW, ROW[:-2]))
    assert [line[:5] for line in caught.value.offenders] == ["row 2", "row 4"]
    assert "wrong rows in the manifest of bad (2)" in str(caught.value)


@pytest.mark.parametrize(
    "content", ["{", '{"crack": 1}', "[1, 2]", '[""]', '["a\\u001b"]', "[" * 100_000]
)
def test_damaged_classes_are_refused(folder: Path, content: str):
    (folder / "classes.json").write_text(content)
    with pytest.raises(DataError, match="the manifest of bad is damaged"):
        read_version("bad", FolderFiles(folder))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"id\n" + b"a" * 200_000])
def test_a_damaged_manifest_is_refused(folder: Path, content: bytes):
    (folder / "manifest.csv").write_bytes(content)
    with pytest.raises(DataError, match="the manifest of bad is damaged"):
        read_version("bad", FolderFiles(folder))


def test_a_missing_folder_says_how_to_get_it(tmp_path: Path):
    with pytest.raises(DataError, match=r"classes\.json cannot be read: No such.*dvc checkout"):
        open_version(WORKSPACE, tmp_path / "none")


def test_the_md5_of_a_file_is_that_of_its_bytes(folder: Path):
    (folder / "a").write_bytes(b"hello")
    assert FolderFiles(folder).md5("a") == "5d41402abc4b2a76b9719d911017c592"


def test_outside_of_a_repository_a_revision_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(folder)
    with pytest.raises(DataError, match=r"at HEAD cannot be read: .* is not a git repository"):
        open_version("HEAD", Path("data/tiles"))


def test_what_was_written_is_read(folder: Path):
    assert json.loads(FolderFiles(folder).read("classes.json")) == ["crack"]
