"""collection: pictures in any arrangement, and the surfaces that they show."""

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy import ndimage

from defectseg.data.audit.collection import find_surfaces, list_pictures, open_collection
from defectseg.data.sources.archives import Limits
from defectseg.data.surfaces.find import SurfaceParams
from defectseg.errors import OffendersError, SourceError

LIMITS = Limits(files=100, unpacked_bytes=10_000_000, ratio=100)
PARAMS = SurfaceParams(source="pixels", column="", regex=None, similarity=0.2, neighbours=16)


def touch(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def relief(seed: int) -> npt.NDArray[np.float64]:
    """The grain of one surface (150, 140)."""
    drawn = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(150, 140)), 1.5)
    return drawn / drawn.std()


def save_photograph(path: Path, seed: int, grey: int, dtype: type = np.uint8) -> None:
    """Save a picture of a surface; `grey` is its brightness, and the noise depends on it."""
    noise = np.random.default_rng([seed, grey]).normal(0, 2, (150, 140))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(grey * (1 + 0.15 * relief(seed)) + noise).astype(dtype)).save(path)


def test_every_picture_below_is_listed_whatever_its_folder(tmp_path: Path):
    names = ("b.JPG", "x/a.jpeg", "x/y/c.bmp", "x/y/z/d.png", "e.tif")
    touch(tmp_path, *names, "notes.txt", "x/README")
    assert list_pictures(tmp_path) == ["b.JPG", "e.tif", "x/a.jpeg", "x/y/c.bmp", "x/y/z/d.png"]


@pytest.mark.parametrize(
    "mask",
    [
        "masks/a.png",
        "x/Mask/deep/a.png",
        "ground_truth/crack/a.png",
        "SegmentationClass/a.png",
        "SegmentationObject/a.png",
        "labels/a.png",
        "annotations/a.png",
        "x/a_mask.png",
        "x/a_MASK.jpg",
        "pictures/a.png",
        ".thumbnails/a.jpg",
        "pictures/.a.jpg",
    ],
)
def test_masks_and_hidden_files_are_no_pictures(tmp_path: Path, mask: str):
    touch(tmp_path, "pictures/a.jpg", mask)
    assert list_pictures(tmp_path) == ["pictures/a.jpg"]


def test_a_png_alone_or_in_another_folder_is_a_picture(tmp_path: Path):
    touch(tmp_path, "x/a.png", "y/a.jpg", "y/b.png", "y/b.PNG")
    assert list_pictures(tmp_path) == ["x/a.png", "y/a.jpg", "y/b.PNG", "y/b.png"]


def test_a_folder_without_pictures_is_refused(tmp_path: Path):
    touch(tmp_path, "masks/a.png", "notes.txt")
    with pytest.raises(SourceError, match=r"holds no picture; expected \.bmp, \.jpeg"):
        list_pictures(tmp_path)


def test_a_folder_is_used_where_it_lies(tmp_path: Path):
    with open_collection(tmp_path, LIMITS) as folder:
        assert folder == tmp_path


def test_an_archive_is_unpacked_for_as_long_as_it_is_needed(tmp_path: Path):
    save_photograph(tmp_path / "in/x/a.png", seed=1, grey=100)
    archive = Path(shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "in"))
    with open_collection(archive, LIMITS) as folder:
        assert list_pictures(folder) == ["x/a.png"]
    assert not folder.exists()


def test_what_is_neither_folder_nor_archive_is_refused(tmp_path: Path):
    with (
        pytest.raises(SourceError, match=r"none does not exist; expected a folder, a \.zip"),
        open_collection(tmp_path / "none", LIMITS),
    ):
        pass
    touch(tmp_path, "set.zip")
    with (
        pytest.raises(SourceError, match="is no archive of the kinds"),
        open_collection(tmp_path / "set.zip", LIMITS),
    ):
        pass


def test_an_archive_over_the_limits_is_refused(tmp_path: Path):
    touch(tmp_path, "in/a.jpg", "in/b.jpg")
    archive = Path(shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "in"))
    with (
        pytest.raises(SourceError, match="has more than 1 entries"),
        open_collection(archive, Limits(files=1, unpacked_bytes=10, ratio=1)),
    ):
        pass


def test_pictures_of_one_surface_are_found_whatever_their_folder_exposure_and_depth(tmp_path: Path):
    save_photograph(tmp_path / "train/a1.png", seed=1, grey=80)
    save_photograph(tmp_path / "test/a2.png", seed=1, grey=140)
    save_photograph(tmp_path / "test/a3.png", seed=1, grey=60, dtype=np.uint16)  # of 65535
    save_photograph(tmp_path / "test/b1.png", seed=2, grey=120)
    surfaces = find_surfaces(tmp_path, list_pictures(tmp_path), PARAMS)
    assert surfaces["train/a1.png"] == surfaces["test/a2.png"] == surfaces["test/a3.png"]
    assert surfaces["test/b1.png"] != surfaces["train/a1.png"]


def test_every_unreadable_picture_is_listed(tmp_path: Path):
    save_photograph(tmp_path / "a.png", seed=1, grey=80)
    touch(tmp_path, "b.jpg")
    (tmp_path / "c.jpg").write_bytes(b"no picture")
    with pytest.raises(OffendersError) as caught:
        find_surfaces(tmp_path, list_pictures(tmp_path), PARAMS)
    assert [line.split(":")[0] for line in caught.value.offenders] == ["b.jpg", "c.jpg"]
