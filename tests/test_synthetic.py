"""What the synthetic tiles promise: the same bytes for one seed, and tiles like the real ones."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pydantic import ValidationError
from scipy import ndimage

from defectseg.data.synthetic.defects import PAINTERS
from defectseg.data.synthetic.photographs import (
    EXPOSURES,
    FREE,
    Photograph,
    Surface,
    SyntheticParams,
    choose_kind,
    draw_photographs,
    take_photograph,
    write_synthetic,
)
from defectseg.data.synthetic.shapes import draw_near_normal

Shots = list[tuple[Surface, Photograph]]


def make_params(**changes: object) -> SyntheticParams:
    few = {
        "seed": 7,
        "pictures": 12,
        "clean_fraction": 0.5,
        "width": (103, 632),
        "height": (222, 403),
    }
    return SyntheticParams.model_validate({**few, **changes})


def hash_files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def correlate(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> float:
    """Best normalised correlation of the two middles' grinding over shifts up to 12 px."""
    spectra = []
    for image in (first, second):
        top, left = ((size - 96) // 2 for size in image.shape)
        tone = np.log1p(image[top : top + 96, left : left + 96].astype(float))
        grinding = tone - ndimage.gaussian_filter(tone, 3)
        grinding -= grinding.mean()
        spectra.append(np.fft.rfft2(grinding / np.linalg.norm(grinding), (192, 192)))
    shifts = np.fft.fftshift(np.fft.irfft2(spectra[0] * spectra[1].conj(), (192, 192)))
    return float(shifts[84:109, 84:109].max())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("synthetic")


@pytest.fixture(scope="module")
def surfaces(folder: Path) -> Mapping[str, str]:
    return write_synthetic(folder, make_params(pictures=60))


@pytest.fixture(scope="module")
def defect_shots() -> Shots:
    return list(draw_photographs(make_params(pictures=240, clean_fraction=0)))


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_synthetic(tmp_path / name, make_params())
    assert hash_files(tmp_path / "one") == hash_files(tmp_path / "two")


def test_another_seed_writes_other_bytes(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_synthetic(tmp_path / str(seed), make_params(seed=seed))
    pictures = [
        {digest for name, digest in hash_files(tmp_path / seed).items() if name.endswith(".jpg")}
        for seed in ("1", "2")
    ]
    assert not pictures[0] & pictures[1]


def test_the_global_generator_neither_matters_nor_changes(tmp_path: Path) -> None:
    np.random.seed(0)
    write_synthetic(tmp_path / "one", make_params())
    after = np.random.random()
    write_synthetic(tmp_path / "two", make_params())
    np.random.seed(0)
    assert np.random.random() == after
    assert hash_files(tmp_path / "one") == hash_files(tmp_path / "two")


@pytest.mark.parametrize("pictures", [1, 2, 17])
def test_exactly_as_many_pictures_as_asked_are_written(tmp_path: Path, pictures: int) -> None:
    surfaces = write_synthetic(tmp_path, make_params(pictures=pictures))
    assert len(surfaces) == pictures
    assert {path.stem for path in tmp_path.rglob("*.jpg")} == set(surfaces)
    assert {path.stem for path in tmp_path.rglob("*.png")} == set(surfaces)


def test_a_larger_set_begins_with_the_pictures_of_a_smaller_one(tmp_path: Path) -> None:
    small = write_synthetic(tmp_path / "small", make_params(pictures=10))
    large = write_synthetic(tmp_path / "large", make_params(pictures=25))
    assert list(large.items())[:10] == list(small.items())
    assert hash_files(tmp_path / "small").items() <= hash_files(tmp_path / "large").items()


def test_the_folders_are_those_of_the_real_data_set(folder: Path, surfaces: object) -> None:
    folders = {f"MT_{kind}" for kind in ("Free", "Blowhole", "Break", "Crack", "Fray", "Uneven")}
    assert {path.name for path in folder.iterdir()} == folders


def test_every_surface_lies_in_one_class_folder(folder: Path, surfaces: Mapping[str, str]) -> None:
    classes = defaultdict(set)
    for path in folder.rglob("*.jpg"):
        classes[surfaces[path.stem]].add(path.parts[-3])
    assert all(len(names) == 1 for names in classes.values())


def test_a_mask_is_grey_and_as_large_as_its_picture(folder: Path, surfaces: object) -> None:
    for path in folder.rglob("*.jpg"):
        with Image.open(path) as picture, Image.open(path.with_suffix(".png")) as mask:
            assert (picture.mode, mask.mode, mask.size) == ("L", "L", picture.size)


def test_the_pictures_of_one_surface_differ_a_few_pixels_in_size(
    folder: Path, surfaces: Mapping[str, str]
) -> None:
    widths = defaultdict(set)
    for path in folder.rglob("*.jpg"):
        with Image.open(path) as picture:
            widths[surfaces[path.stem]].add(picture.width)
    assert all(max(sizes) - min(sizes) <= 10 for sizes in widths.values())
    assert any(len(sizes) > 1 for sizes in widths.values())


def test_a_clean_tile_has_an_empty_mask(folder: Path, surfaces: object) -> None:
    masks = [np.asarray(Image.open(path)) for path in (folder / "MT_Free").rglob("*.png")]
    assert len(masks) > 10
    assert not any(mask.any() for mask in masks)


def test_a_defect_tile_has_a_mask_that_is_anti_aliased(defect_shots: Shots) -> None:
    for surface, photograph in defect_shots:
        assert (photograph.mask > 127).sum() >= 20, surface.name
        assert ((photograph.mask > 0) & (photograph.mask < 255)).any(), surface.name


@pytest.mark.parametrize(
    ("kind", "median"),
    [("Blowhole", 0.0014), ("Crack", 0.0031), ("Break", 0.013), ("Fray", 0.15), ("Uneven", 0.24)],
)
def test_the_median_area_is_that_of_the_real_defects(
    defect_shots: Shots, kind: str, median: float
) -> None:
    areas = [(shot.mask > 127).mean() for surface, shot in defect_shots if surface.kind == kind]
    assert median / 1.7 < np.median(areas) < median * 1.7


@pytest.mark.parametrize("kind", ["Blowhole", "Crack"])
def test_a_small_defect_is_darker_than_what_surrounds_it(defect_shots: Shots, kind: str) -> None:
    contrasts = []
    for surface, shot in defect_shots:
        if surface.kind == kind:
            defect = shot.mask > 127
            near = ndimage.binary_dilation(defect, iterations=8)
            ring = near & ~ndimage.binary_dilation(defect, iterations=2)
            contrasts.append(shot.image[defect].mean() / shot.image[ring].mean() - 1)
    assert -0.55 < np.median(contrasts) < -0.2  # real: blowhole -0.42, crack -0.28
    assert max(contrasts) < -0.1


def test_an_exposure_has_the_brightness_of_the_real_one(defect_shots: Shots) -> None:
    brightness = defaultdict(list)
    for _, shot in defect_shots:
        brightness[shot.exposure].append(shot.image.mean())
    assert sorted(brightness) == [1, 2, 3, 4, 5, 6]
    for exposure, means in brightness.items():
        assert np.median(means) == pytest.approx(EXPOSURES[exposure - 1], rel=0.08)


def test_no_surface_is_photographed_twice_at_one_exposure(defect_shots: Shots) -> None:
    taken = [(surface.name, shot.exposure) for surface, shot in defect_shots]
    assert len(set(taken)) == len(taken)
    counts = np.unique([name for name, _ in taken], return_counts=True)[1]
    assert (counts.min(), counts.max()) == (1, 6)


def test_pictures_of_one_surface_correlate_and_others_do_not(defect_shots: Shots) -> None:
    same, different = [], []
    for index, (surface, shot) in enumerate(defect_shots[:60]):
        for other, other_shot in defect_shots[:index]:
            pair = same if other.name == surface.name else different
            pair.append(correlate(shot.image, other_shot.image))
    assert np.median(same) > 0.7
    assert min(same) > 0.5
    assert np.median(different) < 0.1
    assert max(different) < 0.3


def test_two_photographs_of_one_surface_have_their_own_noise(defect_shots: Shots) -> None:
    surface, rng = defect_shots[0][0], np.random.default_rng(0)
    first, second = (take_photograph(rng, surface, 4).image for _ in range(2))
    assert 0.7 < correlate(first, second) < 0.97


def test_the_sensor_noise_has_mean_zero_variance_one_and_no_memory() -> None:
    noise = draw_near_normal(np.random.default_rng(0), (400, 400))
    assert abs(noise.mean()) < 0.01  # four standard errors
    assert abs(noise.var() - 1) < 0.015
    assert abs((noise[:, 1:] * noise[:, :-1]).mean()) < 0.01


def test_twelve_pictures_hold_several_classes() -> None:
    assert len({surface.kind for surface, _ in draw_photographs(make_params())}) >= 3


def test_eighty_surfaces_hold_every_class_eight_times() -> None:
    kinds = [choose_kind(index, 0.5) for index in range(80)]
    assert {kind: kinds.count(kind) for kind in PAINTERS} == dict.fromkeys(PAINTERS, 8)
    assert kinds.count(FREE) == 40


@pytest.mark.parametrize(("clean_fraction", "clean"), [(0, 0), (0.3, 3), (0.7, 7), (1, 10)])
def test_the_clean_fraction_is_kept(clean_fraction: float, clean: int) -> None:
    kinds = [choose_kind(index, clean_fraction) for index in range(10)]
    assert kinds.count(FREE) == clean


def test_the_smallest_tiles_allowed_can_be_drawn() -> None:
    tiny = make_params(pictures=60, clean_fraction=0, width=(96, 96), height=(96, 96))
    for _, shot in draw_photographs(tiny):
        assert shot.image.shape == shot.mask.shape
        assert shot.mask.any()


@pytest.mark.parametrize(
    "wrong",
    [{"width": (50, 200)}, {"height": (400, 300)}, {"pictures": 0}, {"clean_fraction": 1.1}],
)
def test_params_that_cannot_be_drawn_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        make_params(**wrong)
