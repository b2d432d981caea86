"""load: from a source to a folder of tiles, whole or not at all."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conftest import (
    committed_checks,
    load_params,
    mask,
    save_array,
    write_class_folders,
    write_images_masks,
    write_mask,
    write_picture,
)
from defectseg.data.load import Places, load_tiles
from defectseg.data.tile import CLEAN, TileSet, read_tiles
from defectseg.errors import DataError, LayoutError, OffendersError, SourceError

IMGS = "MT_Crack/Imgs"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder of a project: data/tiles and metrics/ go below it."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def load(project: Path, source: Path | str, **changes: Any) -> TileSet:
    return load_tiles(load_params(source, **changes), places_of(project)).tile_set


def places_of(project: Path) -> Places:
    return Places(
        tiles=project / "data/tiles",
        report=project / "data/report",
        quarantine=project / "data/quarantine.csv",
        summary=report_of(project),
        quality=project / "metrics/data_quality.json",
        rejected=project / "data/rejected",
    )


def report_of(project: Path) -> Path:
    return project / "metrics/data_load.json"


def quarantine_of(project: Path, folder: str = "data") -> list[str]:
    return (project / folder / "quarantine.csv").read_text().splitlines()


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_class_folders_become_tiles(class_folders: Path, project: Path):
    tile_set = load(project, class_folders)
    assert tile_set == read_tiles(project / "data/tiles")
    assert tile_set.classes == ("blowhole", "crack")
    classes = {tile.id: tile.defect_class for tile in tile_set.tiles}
    assert classes == {"b1": "blowhole", "c1": "crack", "c2": "crack", "f1": CLEAN, "f2": CLEAN}
    crack = tile_set.tiles[1]
    assert (crack.id, crack.width, crack.height, crack.defect_px) == ("c1", 80, 72, 36)
    assert np.unique(tile_set.mask(crack)).tolist() == [0, 2]
    assert tile_set.mask(crack)[:6, :6].min() == 2
    assert all(tile.surface for tile in tile_set.tiles)


def test_pictures_are_copied_byte_for_byte_and_hashed_with_their_masks(
    class_folders: Path, project: Path
):
    tile = load(project, class_folders).tiles[1]
    picture = (project / "data/tiles" / tile.image).read_bytes()
    written_mask = (project / "data/tiles" / tile.mask).read_bytes()
    assert picture == (class_folders / IMGS / "c1.jpg").read_bytes()
    assert tile.sha256 == hashlib.sha256(picture + written_mask).hexdigest()


def test_an_anti_aliased_mask_is_cut_at_the_threshold(class_folders: Path, project: Path):
    values = np.zeros((72, 80), np.uint8)
    values[0, :4] = [90, 127, 128, 255]
    save_array(class_folders / IMGS / "c1.png", values)
    assert load(project, class_folders).tiles[1].defect_px == 2


def test_index_masks_give_a_picture_the_class_with_the_most_pixels(tmp_path: Path, project: Path):
    drawn = {"a": mask("1222\n....", 20), "b": mask("11..\n2...", 20), "c": mask("....", 20)}
    tile_set = load(project, write_images_masks(tmp_path / "in", drawn))
    found = [(tile.id, tile.defect_class, tile.defect_px) for tile in tile_set.tiles]
    assert found == [("a", "class_2", 1600), ("b", "class_1", 1200), ("c", CLEAN, 0)]
    assert np.array_equal(tile_set.mask(tile_set.tiles[0]), drawn["a"])


def test_binary_masks_have_one_class(tmp_path: Path, project: Path):
    drawn = {"line/a": mask("#.\n..", 40) * 255, "b": mask("..\n..", 40)}
    tile_set = load(project, write_images_masks(tmp_path / "in", drawn))
    assert tile_set.classes == ("defect",)
    assert [(tile.id, tile.defect_class) for tile in tile_set.tiles] == [
        ("b", CLEAN),
        ("line__a", "defect"),
    ]


def test_the_report_counts_what_was_loaded(class_folders: Path, project: Path):
    write_mask(class_folders / IMGS / "c2.png", area=0)
    write_picture(class_folders / "cover.jpg")
    tile_set = load(project, class_folders)
    report = json.loads(report_of(project).read_text())
    surfaces = len({tile.surface for tile in tile_set.tiles})
    assert (report["source"], report["layout"]) == ("folder", "class_folders")
    assert (report["pictures"], report["surfaces"]) == (4, surfaces)
    assert report["classes"]["crack"] == {"pictures": 1, "surfaces": 1, "defect_px": 36}
    assert report["classes"][CLEAN]["pictures"] == 2
    assert report["left_out"] == {"empty_mask": 1}
    assert report["ignored"] == {"pictures": 1, "first": ["cover.jpg"]}
    assert report["re_encoded"] == 0


def test_the_same_source_gives_the_same_bytes_wherever_it_lies(class_folders: Path, project: Path):
    load(project, class_folders)
    elsewhere = project.parent / "elsewhere"
    shutil.copytree(class_folders, elsewhere / "data set")
    load(elsewhere, elsewhere / "data set")
    assert snapshot(elsewhere / "data") == snapshot(project / "data")
    assert report_of(elsewhere).read_bytes() == report_of(project).read_bytes()


def test_the_digest_of_the_report_is_what_the_params_may_demand(class_folders: Path, project: Path):
    load(project, class_folders)
    digest = json.loads(report_of(project).read_text())["digest"]
    load(project, class_folders, digest=digest)
    with pytest.raises(SourceError, match=f"{digest}, but data_load.digest expects 0"):
        load(project, class_folders, digest="0" * 64)


def test_what_is_no_plain_jpeg_or_png_becomes_an_8_bit_png(tmp_path: Path, project: Path):
    folder = write_class_folders(tmp_path / "in", {"MT_Crack": ["a"]}) / IMGS
    deep = np.full((72, 80), 257 * 9, dtype=np.uint16)
    Image.fromarray(deep).save(folder / "deep.tif")
    write_mask(folder / "deep.png")
    tile_set = load(project, tmp_path / "in")
    tile = tile_set.tiles[1]
    assert tile.image == "images/deep.png"
    assert np.unique(tile_set.picture(tile, channels=1)).tolist() == [9]
    assert json.loads(report_of(project).read_text())["re_encoded"] == 1


def test_a_mask_fits_the_picture_as_its_exif_turns_it(tmp_path: Path, project: Path):
    folder = tmp_path / "in" / IMGS
    lying = Image.fromarray(np.full((72, 80), 100, np.uint8))
    exif = lying.getexif()
    exif[0x0112] = 6  # turn by 90 degrees
    folder.mkdir(parents=True)
    lying.save(folder / "a.jpg", exif=exif)
    write_mask(folder / "a.png", width=72, height=80)
    tile_set = load(project, tmp_path / "in")
    assert (tile_set.tiles[0].width, tile_set.tiles[0].height) == (72, 80)
    with Image.open(project / "data/tiles/images/a.png") as written:
        assert written.size == (72, 80)


# What may happen to a defect picture with an empty mask.


def test_a_defect_picture_with_an_empty_mask_is_left_out_and_listed(
    class_folders: Path, project: Path
):
    write_mask(class_folders / IMGS / "c2.png", area=0)
    assert [tile.id for tile in load(project, class_folders).tiles] == ["b1", "c1", "f1", "f2"]
    assert quarantine_of(project) == [
        "file,check,reason",
        f"{IMGS}/c2.png,empty_mask,defect pictures with an empty mask",
    ]


def test_a_defect_picture_with_an_empty_mask_may_be_kept(class_folders: Path, project: Path):
    write_mask(class_folders / IMGS / "c2.png", value=127)
    tile = load(project, class_folders, keep_empty=True).tiles[2]
    assert (tile.id, tile.defect_class, tile.defect_px) == ("c2", "crack", 0)
    assert json.loads(report_of(project).read_text())["left_out"] == {}
    assert quarantine_of(project) == ["file,check,reason"]


def test_a_defect_picture_with_an_empty_mask_may_be_an_error(class_folders: Path, project: Path):
    write_mask(class_folders / IMGS / "c2.png", area=0)
    with pytest.raises(OffendersError, match=rf"empty mask \(1\):\n  {IMGS}/c2\.png"):
        load(project, class_folders, checks=committed_checks(empty_mask="error"))


def test_a_fault_that_is_only_a_warning_leaves_its_picture_out(class_folders: Path, project: Path):
    truncate(class_folders / IMGS / "c1.jpg")
    (class_folders / IMGS / "c2.png").unlink()
    checks = committed_checks(unreadable="warning", no_mask="off")
    tile_set = load(project, class_folders, checks=checks)
    assert [tile.id for tile in tile_set.tiles] == ["b1", "f1", "f2"]
    assert [row.split(",")[:2] for row in quarantine_of(project)[1:]] == [
        [f"{IMGS}/c2.jpg", "no_mask"],
        [f"{IMGS}/c1.jpg", "unreadable"],
    ]
    found = json.loads(places_of(project).quality.read_text())
    assert "unreadable" in json.dumps(found)


def test_refused_data_leave_a_page_to_look_at_until_they_are_mended(
    class_folders: Path, project: Path
):
    whole = (class_folders / IMGS / "c1.jpg").read_bytes()
    truncate(class_folders / IMGS / "c1.jpg")
    with pytest.raises(OffendersError, match=r"Look at .*data/rejected/index\.html"):
        load(project, class_folders)
    assert "c1.jpg" in (project / "data/rejected/index.html").read_text()
    assert quarantine_of(project, "data/rejected")[1].startswith(f"{IMGS}/c1.jpg,unreadable,")
    (class_folders / IMGS / "c1.jpg").write_bytes(whole)
    load(project, class_folders)
    assert names_in(project / "data") == ["quarantine.csv", "report", "tiles"]


def test_a_set_of_which_nothing_is_left_is_an_error(tmp_path: Path, project: Path):
    source = write_class_folders(tmp_path / "in", {"MT_Crack": ["a"]})
    write_mask(source / IMGS / "a.png", area=0)
    with pytest.raises(DataError, match="There is no picture left"):
        load(project, source)


# Bad input: one message that lists every offender, and earlier outputs as they were.


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-80])


BAD_INPUT: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated picture": (
        lambda root: truncate(root / IMGS / "c1.jpg"),
        rf"unreadable pictures or masks \(1\):\n  {IMGS}/c1\.jpg: damaged picture",
    ),
    "unreadable picture": (
        lambda root: (root / IMGS / "c1.jpg").write_text("no picture"),
        rf"unreadable .*\n  {IMGS}/c1\.jpg: no picture of the formats JPEG",
    ),
    "unreadable mask": (
        lambda root: (root / IMGS / "c1.png").write_bytes(b""),
        rf"unreadable .*\n  {IMGS}/c1\.png: no picture",
    ),
    "picture without mask": (
        lambda root: (root / IMGS / "c1.png").unlink(),
        rf"pictures without a mask \(1\):\n  {IMGS}/c1\.jpg\n",
    ),
    "mask without picture": (
        lambda root: (root / IMGS / "c1.jpg").unlink(),
        rf"masks without a picture \(1\):\n  {IMGS}/c1\.png\n",
    ),
    "sizes differ": (
        lambda root: write_mask(root / IMGS / "c1.png", width=30, height=20),
        rf"sizes .* differ \(1\):\n  {IMGS}/c1\.jpg: picture 80×72, mask 30×20\n",
    ),
    "two pictures with one id": (
        lambda root: write_picture(root / IMGS / "c1.bmp"),
        rf"two pictures with one id \(1\):\n  {IMGS}/c1\.bmp and {IMGS}/c1\.jpg\n",
    ),
    "defect on a clean picture": (
        lambda root: write_mask(root / "MT_Free/Imgs/f1.png"),
        r"defect pixels in the mask of a clean picture \(1\):\n  MT_Free/Imgs/f1\.png\n",
    ),
    "unknown mask values": (
        lambda root: [write_mask(path, value=90) for path in sorted(root.glob("MT_[BC]*/*/*.png"))],
        r"unknown mask values \(3\):\n  MT_Blowhole/Imgs/b1\.png: values 0, 90; no mask",
    ),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_stops_with_a_message_and_leaves_earlier_outputs(
    case: str, class_folders: Path, project: Path
):
    load(project, class_folders)
    before = snapshot(project)
    spoil, expected = BAD_INPUT[case]
    spoil(class_folders)
    with pytest.raises(OffendersError, match=expected):
        load(project, class_folders)
    shutil.rmtree(project / "data/rejected")
    assert snapshot(project) == before


def test_an_empty_folder_leaves_earlier_outputs(class_folders: Path, project: Path):
    load(project, class_folders)
    before = snapshot(project)
    (project.parent / "empty").mkdir()
    with pytest.raises(LayoutError, match="no known layout: found no folder and 0 pictures"):
        load(project, project.parent / "empty")
    assert snapshot(project) == before


def test_unknown_values_among_binary_masks_are_listed(tmp_path: Path, project: Path):
    drawn = {"a": mask("#.") * 255, "b": mask("#.") * 90, "c": mask("3.")}
    with pytest.raises(OffendersError, match=r"unknown mask values \(2\):") as caught:
        load(project, write_images_masks(tmp_path / "in", drawn))
    assert [offender.partition(";")[0] for offender in caught.value.offenders] == [
        "masks/b.png: values 0, 90",
        "masks/c.png: values 0, 3",
    ]


def test_every_offender_of_every_kind_is_listed_at_once(class_folders: Path, project: Path):
    truncate(class_folders / IMGS / "c1.jpg")
    (class_folders / IMGS / "c2.png").unlink()
    write_mask(class_folders / "MT_Blowhole/Imgs/b1.png", width=9)
    (class_folders / "MT_Free/Imgs/f1.png").write_text("no picture")
    with pytest.raises(OffendersError) as caught:
        load(project, class_folders)
    assert [offender.partition(":")[0] for offender in caught.value.offenders] == [
        "MT_Free/Imgs/f1.png",
        f"{IMGS}/c1.jpg",
        f"{IMGS}/c2.jpg",
        "MT_Blowhole/Imgs/b1.jpg",
    ]
    headings = [line for line in str(caught.value).splitlines() if line.endswith("):")]
    assert headings == [
        "unreadable pictures or masks (2):",
        "pictures without a mask (1):",
        "sizes of picture and mask differ (1):",
    ]


def test_of_many_offenders_the_first_twenty_are_shown_and_all_are_counted(
    tmp_path: Path, project: Path
):
    source = write_class_folders(tmp_path / "in", {"MT_Crack": ["a"]})
    for number in range(25):
        (source / IMGS / f"lone{number:02}.jpg").touch()
    with pytest.raises(OffendersError, match=r"pictures without a mask \(25\):") as caught:
        load(project, source)
    assert f"{IMGS}/lone19.jpg\n  … and 5 more" in str(caught.value)
    assert len(caught.value.offenders) == 25


def test_missing_masks_are_named_rather_than_their_missing_classes(tmp_path: Path, project: Path):
    source = write_class_folders(tmp_path / "in", {"MT_Free": ["f"], "MT_Crack": ["a"]})
    (source / IMGS / "a.png").unlink()
    with pytest.raises(OffendersError, match=r"pictures without a mask \(1\)"):
        load(project, source)


def test_a_report_that_cannot_be_written_leaves_earlier_tiles(class_folders: Path, project: Path):
    load(project, class_folders)
    before = snapshot(project / "data")
    shutil.rmtree(project / "metrics")
    (project / "metrics").write_text("a file where the folder should be")
    write_mask(class_folders / IMGS / "c1.png", area=3)
    with pytest.raises(OSError, match="metrics"):
        load(project, class_folders)
    assert snapshot(project / "data") == before


# Killed runs and full disks are real ones, in a process of their own.

KILLED_RUN = """
import os, signal, sys
from pathlib import Path
from conftest import load_params
from test_load import places_of
from defectseg.data.load import load_tiles

source, project, event, ending = sys.argv[1:]

def kill_at(name, args):
    path = args[1] if name == "os.rename" else args[0] if name == "open" else None
    if name == event and isinstance(path, (str, os.PathLike)) and str(path).endswith(ending):
        os.kill(os.getpid(), signal.SIGKILL)

params = load_params(source)
sys.addaudithook(kill_at)
load_tiles(params, places_of(Path(project)))
"""


@pytest.mark.parametrize(
    ("event", "ending"),
    [
        ("open", "/masks/c2.png"),  # while tiles are written
        ("os.rename", "/earlier"),  # when all is written
        ("os.rename", "data/tiles"),  # when the earlier tiles are away and the new not yet there
    ],
)
def test_after_a_killed_run_the_earlier_tiles_are_there_and_the_next_run_succeeds(
    event: str, ending: str, class_folders: Path, project: Path
):
    load(project, class_folders)
    before = snapshot(project)
    write_mask(class_folders / IMGS / "c1.png", area=3)
    killed = run_python(KILLED_RUN, str(class_folders), str(project), event, ending)
    assert killed.returncode == -signal.SIGKILL
    assert any(name.startswith(".tiles.") for name in names_in(project / "data"))
    with pytest.raises(SourceError, match="does not exist"):
        load(project, "nowhere")
    assert snapshot(project) == before
    assert load(project, class_folders).tiles[1].defect_px == 9
    assert names_in(project / "data") == ["quarantine.csv", "report", "tiles"]


FULL_DISK = """
import os, sys
from pathlib import Path
from conftest import load_params
from test_load import names_in, places_of, snapshot
from defectseg.data.load import load_tiles
from defectseg.errors import DataError

small, large, disk = sys.argv[1:]
places = places_of(Path(disk))
load_tiles(load_params(small), places)
before = snapshot(Path(disk))
try:
    load_tiles(load_params(large), places)
except DataError as error:
    print(error)
print("as before:", snapshot(Path(disk)) == before, names_in(Path(disk) / "data"))
"""


def test_a_full_disk_stops_with_a_message_and_leaves_earlier_outputs(
    class_folders: Path, tmp_path: Path
):
    large = tmp_path / "large"
    for number in range(12):
        write_picture(large / "images" / f"{number:02}.png", 200, 200)
        write_mask(large / "masks" / f"{number:02}.png", 200, 200)
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=256k t "$0" && exec "$@"', disk]
    if not shutil.which("unshare") or subprocess.run([*mount, "true"], check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    done = run_python(FULL_DISK, str(class_folders), str(large), str(disk), before=mount)
    message, _, state = done.stdout.strip().rpartition("\n")
    assert f"the disk of {disk}/data/.tiles." in message
    assert "MB free, at least 0.4 MB needed in all" in message
    assert state == "as before: True ['quarantine.csv', 'report', 'tiles']"


def run_python(
    script: str, *arguments: str, before: Sequence[str | Path] = ()
) -> "subprocess.CompletedProcess[str]":
    """Run a script that may import what the tests import."""
    return subprocess.run(
        [*before, sys.executable, "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
