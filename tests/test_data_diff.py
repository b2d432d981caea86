"""diff: what changed between two versions of the tiles, drawn and counted by hand."""

import hashlib
import io
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from typer.testing import CliRunner

from defectseg.cli import app
from defectseg.data.audit.diff import Balance, ClassChange, DataDiff, agree, diff_tiles
from defectseg.data.audit.versions import FolderFiles, read_version
from defectseg.data.tile import CLEAN, Tile, write_manifest
from defectseg.errors import DataError


def draw(drawing: str) -> npt.NDArray[np.uint8]:
    """A mask (H, W): `.` is 0, a digit is itself; one word a row."""
    return np.array([[int(c) if c != "." else 0 for c in row] for row in drawing.split()], np.uint8)


@dataclass(frozen=True)
class Drawn:
    """A tile as a test draws it."""

    mask: str = ".... ...."
    defect_class: str = CLEAN
    surface: str = "s"
    picture: int = 100  # grey
    compression: int = 1  # of the mask's PNG: other bytes, the same pixels
    labelled_by: str = ""


def write_version(
    folder: Path, drawn: Mapping[str, Drawn], classes: tuple[str, ...] = ("crack", "hole")
) -> Path:
    """Write a folder of tiles as data_load does."""
    tiles = []
    for tile_id, one in drawn.items():
        mask = draw(one.mask)
        files = {
            f"images/{tile_id}.png": encode(np.full_like(mask, one.picture)),
            f"masks/{tile_id}.png": encode(mask, one.compression),
        }
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        tile = Tile(
            id=tile_id,
            image=f"images/{tile_id}.png",
            mask=f"masks/{tile_id}.png",
            defect_class=one.defect_class,
            surface=one.surface,
            width=mask.shape[1],
            height=mask.shape[0],
            defect_px=int((mask > 0).sum()),
            sha256=hashlib.sha256(b"".join(files.values())).hexdigest(),
        )
        tiles.append(replace(tile, labelled_by=one.labelled_by))
    write_manifest(folder, classes, tiles)
    return folder


def encode(array: npt.NDArray[np.uint8], compression: int = 1) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG", compress_level=compression)
    return buffer.getvalue()


def compare(
    folder: Path,
    before: Mapping[str, Drawn],
    after: Mapping[str, Drawn],
    classes: tuple[tuple[str, ...], tuple[str, ...]] = (("crack", "hole"), ("crack", "hole")),
) -> DataDiff:
    """Write two versions and compare them."""
    folders = [
        write_version(folder / name, drawn, known)
        for name, drawn, known in zip("ab", (before, after), classes, strict=True)
    ]
    return diff_tiles(*(read_version(one.name, FolderFiles(one)) for one in folders))


CRACK = Drawn("11.. ....", "crack")


def test_two_equal_versions_differ_in_nothing(tmp_path: Path):
    found = compare(tmp_path, {"t": CRACK, "u": Drawn()}, {"t": CRACK, "u": Drawn()})
    assert found.is_empty
    assert (found.before, found.after) == ("a", "b")
    assert found.pictures == (2, 2)


def test_pictures_that_came_and_went_are_named(tmp_path: Path):
    found = compare(tmp_path, {"t": CRACK, "u": CRACK}, {"w": CRACK, "u": CRACK, "v": CRACK})
    assert (found.added, found.removed) == (("v", "w"), ("t",))
    assert found.pictures == (2, 3)
    assert not found.is_empty
    assert (found.changed, found.relabelled, found.moved) == ((), (), ())


def test_a_picture_of_other_content_is_changed_and_not_relabelled(tmp_path: Path):
    found = compare(tmp_path, {"t": CRACK}, {"t": replace(CRACK, picture=101)})
    assert (found.changed, found.relabelled) == (("t",), ())


def test_a_mask_drawn_anew_is_relabelled_with_both_overlaps(tmp_path: Path):
    # before 11.. / 1...   after .12. / 1...   either: 4 px, both: 2, of one class: 2
    before = Drawn("11.. 1...", "crack")
    after = Drawn(".12. 1...", "crack", labelled_by="Ann")
    found = compare(tmp_path, {"t": before}, {"t": after})
    (one,) = found.relabelled
    assert (one.id, one.iou, one.class_iou) == ("t", 0.5, 0.5)
    assert one.defect_px == (3, 3)
    assert one.labelled_by == "Ann"
    assert (found.changed, found.class_changes) == ((), ())


def test_another_class_on_the_same_pixels_is_seen_by_the_class_alone(tmp_path: Path):
    found = compare(tmp_path, {"t": Drawn("1111 ....")}, {"t": Drawn("1222 ....")})
    assert [(one.iou, one.class_iou) for one in found.relabelled] == [(1.0, 0.25)]


def test_a_mask_that_was_only_written_anew_is_not_relabelled(tmp_path: Path):
    found = compare(tmp_path, {"t": CRACK}, {"t": replace(CRACK, compression=9)})
    assert found.is_empty


def test_a_defect_that_was_empty_before_does_not_overlap(tmp_path: Path):
    found = compare(tmp_path, {"t": Drawn()}, {"t": CRACK})
    assert [(one.iou, one.class_iou) for one in found.relabelled] == [(0.0, 0.0)]
    assert found.class_changes == (ClassChange("t", CLEAN, "crack"),)


def test_masks_of_two_sizes_have_no_overlap_and_come_first(tmp_path: Path):
    before = {"t": CRACK, "u": CRACK, "v": CRACK}
    after = {"t": Drawn("11. ...", "crack"), "u": Drawn(".1.. ....", "crack"), "v": CRACK}
    found = compare(tmp_path, before, after)
    assert [(one.id, one.iou, one.class_iou) for one in found.relabelled] == [
        ("t", None, None),
        ("u", 0.5, 0.5),
    ]


def test_a_clean_picture_of_another_size_is_not_relabelled(tmp_path: Path):
    found = compare(tmp_path, {"t": Drawn()}, {"t": Drawn("... ...", picture=5)})
    assert (found.changed, found.relabelled) == (("t",), ())


def test_the_least_agreement_comes_first(tmp_path: Path):
    before = {name: Drawn("1111 ....", "crack") for name in "tuv"}
    after = {
        "t": Drawn("11.. ....", "crack"),
        "u": Drawn("1... ....", "crack"),
        "v": Drawn("111. ....", "crack"),
    }
    found = compare(tmp_path, before, after)
    assert [one.id for one in found.relabelled] == ["u", "t", "v"]


def test_classes_that_were_only_renumbered_change_nothing(tmp_path: Path):
    classes = (("crack", "hole"), ("hole", "crack"))
    before = {"t": Drawn("11.. ..2.", "crack")}
    found = compare(tmp_path, before, {"t": Drawn("22.. ..1.", "crack")}, classes)
    assert (found.relabelled, found.class_changes) == ((), ())


def test_the_same_mask_file_under_renumbered_classes_is_relabelled(tmp_path: Path):
    classes = (("crack", "hole"), ("hole", "crack"))
    drawn = {"t": Drawn("11.. ..2.", "crack"), "u": Drawn()}
    found = compare(tmp_path, drawn, drawn, classes)
    assert [(one.id, one.iou, one.class_iou) for one in found.relabelled] == [("t", 1.0, 0.0)]


def test_a_class_more_changes_no_old_mask(tmp_path: Path):
    found = compare(tmp_path, {"t": CRACK}, {"t": CRACK}, (("crack",), ("crack", "hole")))
    assert found.is_empty


def test_masks_are_opened_only_where_they_may_differ(tmp_path: Path):
    drawn = {"t": CRACK, "u": CRACK}
    write_version(tmp_path / "a", drawn)
    write_version(tmp_path / "b", drawn | {"u": Drawn("1... ....", "crack")})
    for name in "ab":
        (tmp_path / name / "masks/t.png").unlink()
        (tmp_path / name / "images/t.png").unlink()
    found = diff_tiles(*(read_version(n, FolderFiles(tmp_path / n)) for n in "ab"))
    assert [one.id for one in found.relabelled] == ["u"]


def test_a_mask_value_without_a_class_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"masks/t\.png of b has the value 3, but there are only 2"):
        compare(tmp_path, {"t": CRACK}, {"t": Drawn("3... ....")})


def surfaces(**groups: str) -> dict[str, Drawn]:
    """Tiles t, u, … of the surfaces that are named by letters."""
    return {tile_id: Drawn(surface=name) for tile_id, name in groups.items()}


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        ("aabb", "xxyy", ""),  # other names
        ("aabb", "aaab", "tuvw"),  # v goes from w to t and u: the siblings of all four change
        ("aabb", "aabc", "vw"),  # split
        ("aabb", "aaaa", "tuvw"),  # merged
        ("abab", "baba", ""),  # names exchanged
        ("aabb", "abab", "tuvw"),  # groups of the same sizes
        ("abcd", "abcc", "vw"),
    ],
)
def test_a_picture_moved_if_its_siblings_are_others(
    tmp_path: Path, before: str, after: str, moved: str
):
    versions = [surfaces(**dict(zip("tuvw", names, strict=True))) for names in (before, after)]
    assert compare(tmp_path, *versions).moved == tuple(moved)


def test_siblings_that_came_or_went_move_nobody(tmp_path: Path):
    found = compare(tmp_path, surfaces(t="a", u="a", v="a"), surfaces(t="b", u="b", x="b"))
    assert found.moved == ()


def test_the_balance_counts_pictures_surfaces_and_pixels_of_each_class(tmp_path: Path):
    before = {
        "t": Drawn("11.. ....", "crack", "a"),
        "u": Drawn("1... ....", "crack", "a"),
        "v": Drawn(surface="b"),
    }
    after = {
        "t": Drawn("11.. ....", "crack", "a"),
        "u": Drawn("222. ....", "hole", "a"),
        "v": Drawn(surface="b"),
        "w": Drawn(surface="c"),
    }
    found = compare(tmp_path, before, after)
    assert found.balance == (
        Balance("crack", (2, 1), (1, 1), (3, 2)),
        Balance("hole", (0, 1), (0, 1), (0, 3)),
        Balance(CLEAN, (1, 2), (1, 2), (0, 0)),
    )
    assert found.surfaces == (2, 3)
    assert found.class_changes == (ClassChange("u", "crack", "hole"),)


def test_the_overlap_counts_pixels():
    first, second = draw("112. ....").astype(np.uint16), draw(".12. 2...").astype(np.uint16)
    assert agree(first, second) == (2 / 4, 2 / 4)
    assert agree(first, draw("222. ....").astype(np.uint16)) == (1.0, 1 / 3)
    assert agree(first, draw("112").astype(np.uint16)) == (None, None)


FIRST = {
    "gone": CRACK,
    "kept": CRACK,
    "redrawn": Drawn("11.. ....", "crack", "b"),
    "retaken": Drawn(surface="b"),
}
SECOND = {
    "kept": CRACK,
    "new": Drawn(surface="c"),
    "redrawn": Drawn("2222 ....", "hole", "b"),
    "retaken": Drawn(surface="c", picture=7),
}


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose DVC has two versions of data/tiles, tagged v1 and v2."""
    folder = tmp_path_factory.mktemp("committed")
    with pytest.MonkeyPatch.context() as patch:
        stand_in(folder, patch)
        shell("git", "init", "--quiet")
        shell("dvc", "init", "--quiet")
        for tag, drawn in (("v1", FIRST), ("v2", SECOND)):
            shutil.rmtree("data/tiles", ignore_errors=True)
            write_version(Path("data/tiles"), drawn)
            shell("dvc", "add", "--quiet", "data/tiles")
            commit(tag)
            shell("git", "tag", tag)
    return folder


@pytest.fixture
def repository(committed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, where we stand: what a test changes stays in the copy."""
    folder = shutil.copytree(committed, tmp_path / "repository", symlinks=True)
    stand_in(folder, monkeypatch)
    return folder


def stand_in(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Work in a folder, and let DVC keep what it notes elsewhere beside it."""
    home = folder.with_name(f"{folder.name}-home")
    patch.setenv("HOME", str(home))
    patch.setenv("DVC_SITE_CACHE_DIR", str(home / "dvc"))
    patch.setenv("DVC_NO_ANALYTICS", "1")
    patch.chdir(folder)


def commit(message: str) -> None:
    author = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com")
    shell("git", "add", "--all")
    shell("git", *author, "commit", "--quiet", "--message", message)


def shell(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def ask(*arguments: str, status: int = 0) -> str:
    """What `defectseg data diff` writes."""
    result = CliRunner().invoke(app, ["data", "diff", *arguments])
    assert result.exit_code == status, result.output
    return result.output


def cached(repository: Path, path: str) -> Path:
    """Where DVC's cache has the content of a file of the workspace."""
    md5 = FolderFiles(repository).md5(path)
    return repository / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


@pytest.mark.slow
def test_two_versions_in_dvc_are_compared(repository: Path):
    said = ask("v1", "v2", "--json", "diff.json")
    found = json.loads(Path("diff.json").read_text())
    assert (found["added"], found["removed"], found["changed"]) == (["new"], ["gone"], ["retaken"])
    (relabelled,) = found["relabelled"]
    assert (relabelled["id"], relabelled["iou"], relabelled["class_iou"]) == ("redrawn", 0.5, 0.0)
    assert found["class_changes"] == [{"id": "redrawn", "before": "crack", "after": "hole"}]
    assert found["moved"] == ["redrawn", "retaken"]
    assert found["pictures"] == [4, 4]
    assert said.startswith("Data: v1 → v2\n")
    assert ask("v2", "v1").startswith("Data: v2 → v1\n")
    assert ask("v1", "v2", "--markdown").startswith("### Data: v1 → v2\n")


@pytest.mark.slow
def test_the_workspace_is_compared_with_a_version(repository: Path):
    assert "no change in 4 pictures" in ask("HEAD")
    assert ask("v1").splitlines()[1:] == ask("v1", "v2").splitlines()[1:]
    write_version(Path("data/tiles"), SECOND | {"later": CRACK})
    assert "\nadded (1)\n  later\n" in ask("v2")


@pytest.mark.slow
def test_what_dvc_knows_to_differ_or_not_is_not_read_from_the_cache(repository: Path):
    cached(repository, "data/tiles/images/retaken.png").unlink()
    cached(repository, "data/tiles/masks/retaken.png").unlink()
    assert "picture changed (1)\n  retaken\n" in ask("v1", "v2")


@pytest.mark.slow
def test_a_version_that_is_not_here_says_how_to_get_it(repository: Path):
    mask = cached(repository, "data/tiles/masks/redrawn.png")
    manifest = cached(repository, "data/tiles/manifest.csv")
    for path in (mask, manifest):
        path.unlink()
        said = ask("v1", "v2", status=2)
        assert " at v2 cannot be read: " in said
        assert "`dvc fetch -a`" in said
    assert "manifest.csv at v2" in said


@pytest.mark.slow
def test_a_revision_that_does_not_exist_is_named(repository: Path):
    for revision in ("none", "--", "HEAD~9", "v1:x"):
        said = ask("--", revision, status=2)
        assert f"at {revision} cannot be read: unknown Git revision '{revision}'; give" in said


@pytest.mark.slow
def test_a_revision_without_tiles_says_so(repository: Path):
    Path("data/tiles.dvc").unlink()
    commit("No data")
    said = ask("HEAD", status=2)
    assert "data/tiles/classes.json at HEAD cannot be read" in said
    assert "if the revision has it, `dvc fetch -a`" in said
