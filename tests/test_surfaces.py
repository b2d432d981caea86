"""surfaces: which photographs show the same physical surface."""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from defectseg.data.picture import decode_picture
from defectseg.data.surfaces.find import SurfaceFinder, SurfaceParams, Surfaces
from defectseg.data.synthetic.photographs import SyntheticParams, write_synthetic

Picture = npt.NDArray[np.uint8]


def surface_params(similarity: float = 0.23, **changes: Any) -> SurfaceParams:
    """As params.yaml has them, with some of them changed."""
    params = {"source": "pixels", "column": "surface", "regex": None, "neighbours": 16}
    return SurfaceParams.model_validate(params | {"similarity": similarity} | changes)


def search(
    pictures: Mapping[str, Picture], names: Mapping[str, str] | None = None, **changes: Any
) -> Surfaces:
    """All that is found out about pictures, added in the order given."""
    sizes = [(p.shape[1], p.shape[0]) for p in pictures.values()]
    finder = SurfaceFinder(surface_params(**changes), sizes)
    for name, picture in pictures.items():
        finder.add(name, picture, (names or {}).get(name, ""))
    return finder.find()


def find(pictures: Mapping[str, Picture], **changes: Any) -> dict[str, str]:
    """The surface of each picture."""
    return search(pictures, **changes).names


def grain(seed: int, height: int = 150, width: int = 140) -> npt.NDArray[np.float64]:
    """The relief of one surface, of mean 0 and deviation 1, with grains of a few pixels."""
    relief = np.random.default_rng(seed).normal(size=(height, width))
    relief = ndimage.gaussian_filter(relief, 1.5)
    return relief / relief.std()


def photograph(relief: npt.NDArray[np.float64], shift: int = 0, brightness: int = 120) -> Picture:
    """A grey picture (H - 20, W - 20, 1) of a relief, moved by a shift of up to 20 px.

    The noise of the sensor is another one for another relief, shift or brightness.
    """
    draw = np.random.default_rng([zlib.crc32(relief.tobytes()), shift, brightness])
    noise = draw.normal(0, 2, relief.shape)
    grey = brightness * (1 + 0.15 * relief) + noise
    rows, columns = (slice(shift, size - 20 + shift) for size in relief.shape)
    return np.clip(grey[rows, columns], 0, 255).astype(np.uint8)[:, :, None]


def groups(surfaces: Mapping[str, str]) -> set[frozenset[str]]:
    """The pictures of each surface, whatever its name."""
    return {frozenset(k for k in surfaces if surfaces[k] == name) for name in surfaces.values()}


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Picture], set]:
    """Sixty synthetic pictures, and the true groups of those that show one surface."""
    folder = tmp_path_factory.mktemp("synthetic")
    params = {"seed": 7, "pictures": 60, "clean_fraction": 0.5}
    sizes = {"width": (103, 632), "height": (222, 403)}
    truth = write_synthetic(folder, SyntheticParams.model_validate(params | sizes))
    files = sorted(folder.rglob("*.jpg"), key=lambda path: path.stem)
    return {p.stem: decode_picture(p.read_bytes(), 1) for p in files}, groups(truth)


def test_the_true_surfaces_of_the_synthetic_source_are_found_exactly(
    synthetic: tuple[dict[str, Picture], set],
):
    pictures, truth = synthetic
    assert (len(pictures), 15 < len(truth) < 30) == (60, True)
    assert groups(find(pictures)) == truth


def test_the_order_in_which_pictures_come_does_not_matter(
    synthetic: tuple[dict[str, Picture], set],
):
    pictures, _ = synthetic
    assert find(dict(reversed(pictures.items()))) == find(pictures)


def test_a_higher_similarity_splits_and_never_merges(synthetic: tuple[dict[str, Picture], set]):
    pictures, truth = synthetic
    found = groups(find(pictures, similarity=0.9))
    assert len(found) > len(truth)
    assert all(any(part <= whole for whole in truth) for part in found)


@pytest.mark.parametrize("brightness", [50, 80, 190])
def test_the_exposure_does_not_matter(brightness: int):
    one, other = grain(1), grain(2)
    pictures = {
        "a": photograph(one),
        "b": photograph(one, brightness=brightness),
        "c": photograph(other, brightness=brightness),
    }
    assert groups(find(pictures)) == {frozenset("ab"), frozenset("c")}


@pytest.mark.parametrize("shift", [1, 7, 20])
def test_a_shift_does_not_matter(shift: int):
    one, other = grain(1), grain(2)
    pictures = {
        "a": photograph(one),
        "b": photograph(one, shift),
        "c": photograph(other, shift),
    }
    assert groups(find(pictures)) == {frozenset("ab"), frozenset("c")}


def test_straight_edges_that_all_tiles_share_do_not_make_one_surface_of_them():
    edges = np.zeros((150, 140))
    edges[[20, 60, 61, 120]], edges[:, [30, 90, 91]] = 8, -6
    pictures = {name: photograph(grain(seed) + edges) for seed, name in enumerate("abc")}
    assert groups(find(pictures)) == {frozenset("a"), frozenset("b"), frozenset("c")}


def test_one_and_the_same_ripple_on_two_surfaces_does_not_make_one_of_them():
    rows, columns = np.mgrid[:150, :140]
    ripple = np.sin(2 * np.pi * (rows + columns) / 9)  # as strong as the grain; period 9 px
    pictures = {name: photograph(grain(seed) + ripple) for seed, name in enumerate("abc")}
    assert groups(find(pictures)) == {frozenset("a"), frozenset("b"), frozenset("c")}


def test_siblings_join_through_a_picture_that_both_resemble():
    wide = grain(1, width=300)
    parts = {"a": wide[:, :160], "b": wide[:, 70:230], "c": wide[:, 140:]}
    pictures = {name: photograph(part) for name, part in parts.items()}
    assert groups(find({k: pictures[k] for k in "ac"})) == {frozenset("a"), frozenset("c")}
    assert groups(find(pictures)) == {frozenset("abc")}


def test_a_surface_is_named_after_the_first_of_its_pictures_by_id():
    one, other = grain(1), grain(2)
    pictures = {"p9": photograph(one), "p2": photograph(one, 3), "p5": photograph(other)}
    assert find(pictures) == {"p2": "surface_p2", "p9": "surface_p2", "p5": "surface_p5"}


def test_one_picture_is_one_surface():
    assert find({"a": photograph(grain(1))}) == {"a": "surface_a"}


def test_no_picture_is_no_surface():
    assert find({}) == {}


def test_tiny_pictures_are_taken_as_they_are():
    sizes = {"dot": (1, 1), "line": (1, 9), "little": (5, 4)}
    draw = np.random.default_rng(0)
    pictures = {
        name: draw.integers(0, 256, (*size, 1), dtype=np.uint8) for name, size in sizes.items()
    }
    assert len(groups(find(pictures | {"a": photograph(grain(1))}))) == 4


def test_flat_pictures_are_not_taken_for_one_surface():
    pictures = {name: np.full((120, 110, 1), 128, dtype=np.uint8) for name in "abc"}
    assert len(groups(find(pictures))) == 3


def test_fewer_pictures_than_neighbours_are_all_compared():
    one = grain(1)
    pictures = {"a": photograph(one), "b": photograph(one, 5), "c": photograph(grain(2))}
    assert groups(find(pictures, neighbours=200)) == {frozenset("ab"), frozenset("c")}


# Mirrored photographs, and how two pictures lie on each other.

FLIPS = [(False, False), (True, False), (False, True), (True, True)]


def mirror(picture: Picture, upside_down: bool, left_right: bool) -> Picture:
    return picture[:: -1 if upside_down else 1, :: -1 if left_right else 1]


@pytest.mark.parametrize("flip", FLIPS)
def test_a_mirrored_photograph_shows_the_same_surface(flip: tuple[bool, bool]):
    pictures = {"a": photograph(grain(1)), "b": mirror(photograph(grain(1), 6), *flip)}
    found = search(pictures | {"c": mirror(photograph(grain(2)), *flip)})
    assert groups(found.names) == {frozenset("ab"), frozenset("c")}
    assert found.siblings[0].mirrored == flip


@pytest.mark.parametrize("flip", FLIPS)
@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (12, -9), (-17, 4)])
def test_the_shift_lays_the_mirrored_second_picture_on_the_first(
    flip: tuple[bool, bool], rows: int, columns: int
):
    relief = grain(1, 260, 240)
    first = photograph(relief[20:, 20:], brightness=100)
    second = photograph(relief[20 + rows :, 20 + columns :], brightness=140)
    pair = search({"a": first, "b": mirror(second, *flip)}, similarity=0.1).siblings[0]
    assert (pair.first, pair.second, pair.mirrored) == ("a", "b", flip)
    assert np.abs(np.subtract(pair.shift, (rows, columns))).max() <= 2


@pytest.mark.parametrize("flip", FLIPS)
def test_rows_and_columns_that_fill_no_block_do_not_move_the_shift(flip: tuple[bool, bool]):
    relief = ndimage.zoom(grain(1, 136, 126), 2.5, order=1)  # pictures of (320, 295), reduced by 3
    first, second = photograph(relief), mirror(photograph(relief, brightness=140), *flip)
    pair = search({"a": first, "b": second}).siblings[0]
    assert (first.shape[0] % 3, first.shape[1] % 3) == (2, 1)
    assert pair.mirrored == flip
    assert np.abs(pair.shift).max() <= 1.5


def test_siblings_are_neighbours_in_brightness():
    names = {150: "a", 90: "b", 120: "c"}
    pictures = {name: photograph(grain(1), brightness=grey) for grey, name in names.items()}
    found = [(pair.first, pair.second) for pair in search(pictures).siblings]
    assert found == [("b", "c"), ("c", "a")]


def test_the_pairs_nearest_to_the_threshold_are_shown(
    synthetic: tuple[dict[str, Picture], set],
):
    nearest = search(synthetic[0]).nearest
    similarities = [pair.similarity for pair in nearest]
    assert similarities == sorted(similarities)
    assert 0 < len(nearest) <= 24
    assert similarities[0] < 0.23 < similarities[-1]


def test_of_many_pairs_those_nearest_below_and_above_the_threshold_are_shown(
    synthetic: tuple[dict[str, Picture], set],
):
    found = search(synthetic[0], similarity=0.75)
    below = [pair.similarity for pair in found.nearest if pair.similarity <= 0.75]
    above = [pair.similarity for pair in found.nearest if pair.similarity > 0.75]
    every = sorted(pair.similarity for pair in search(synthetic[0]).siblings)
    assert (len(below), len(above)) == (12, 12)
    assert below[0] > 0.5 < above[-1] < every[-1]
    assert below[-1] >= max(value for value in every if value <= 0.75)


# Surfaces that somebody names.


def test_named_surfaces_are_kept_whatever_the_pictures_show():
    pictures = {"a": photograph(grain(1)), "b": photograph(grain(1), 3), "c": photograph(grain(2))}
    names = {"a": "x", "b": "y", "c": "y"}
    found = search(pictures, names, source="column")
    assert found.names == names
    assert [(pair.first, pair.second) for pair in found.siblings] in ([("b", "c")], [("c", "b")])
    assert found.siblings[0].similarity < 0.23
    assert found.nearest == ()


def test_without_a_source_every_picture_is_a_surface_of_its_own():
    pictures = {"a": photograph(grain(1)), "b": photograph(grain(1), 3)}
    assert find(pictures, source="none") == {"a": "surface_a", "b": "surface_b"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "regex"}, "regex is empty"),
        ({"source": "column", "column": ""}, "column is empty"),
        ({"regex": "("}, "no regular expression"),
    ],
)
def test_a_source_needs_what_it_works_with(changes: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        surface_params(**changes)
