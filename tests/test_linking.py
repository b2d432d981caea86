"""linking: the groups of pictures that are alike, each link proven."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from defectseg.data.surfaces.correlation import Flip, take_spectrum
from defectseg.data.surfaces.linking import Linker, Sketch

Float = npt.NDArray[np.float32]
FLIPS: list[Flip] = [(False, False), (True, False), (False, True), (True, True)]
SIDE = 100
THRESHOLD = 0.25


def photograph(seed: int, shift: int = 0, flip: Flip = (False, False)) -> Float:
    """A texture (90, 80) of a surface, moved by a shift of up to 20 px and mirrored."""
    grain = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(110, 100)), 1.2)
    part = grain[shift : shift + 90, shift : shift + 80] / grain.std()
    return part[:: -1 if flip[0] else 1, :: -1 if flip[1] else 1].astype(np.float32)


def linker(textures: Sequence[Float]) -> Linker:
    return Linker([Sketch(take_spectrum(t, SIDE), t.shape) for t in textures], SIDE)


def groups(textures: Sequence[Float], neighbours: int = 4) -> set[frozenset[int]]:
    found, _ = linker(textures).link(THRESHOLD, neighbours)
    return {frozenset(subset) for subset in found.subsets()}


@pytest.fixture(scope="module")
def mixed() -> list[Float]:
    """Picture i shows surface i % 5, at another shift and flip each time."""
    return [photograph(i % 5, 4 * (i // 5), FLIPS[i // 5 % 4]) for i in range(20)]


def test_pictures_of_one_surface_are_one_group_whatever_their_shift_and_flip(mixed: list[Float]):
    assert groups(mixed) == {frozenset(range(surface, 20, 5)) for surface in range(5)}


def test_links_are_what_was_measured_and_those_above_the_threshold_join(mixed: list[Float]):
    joined, measured = linker(mixed).link(THRESHOLD, 4)
    alike = [link for link in measured if link.match.similarity > THRESHOLD]
    assert len(alike) >= 15  # five groups of four take three links each
    assert all(link.first % 5 == link.second % 5 for link in alike)
    assert joined.n_subsets == 5


def test_a_threshold_that_nothing_passes_joins_nothing(mixed: list[Float]):
    joined, _ = linker(mixed).link(0.999, 4)
    assert joined.n_subsets == 20


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_pictures_have_no_pairs(count: int):
    joined, measured = linker([photograph(1)] * count).link(THRESHOLD, 4)
    assert (joined.n_subsets, measured) == (count, [])


def test_fewer_pictures_than_neighbours_are_all_candidates():
    textures = [photograph(1), photograph(2), photograph(1, 5)]
    found = linker(textures).find_candidates(200)
    pairs = set(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert pairs == {(0, 1), (0, 2), (1, 2)}
    assert groups(textures, 200) == {frozenset({0, 2}), frozenset({1})}


def test_pictures_that_are_joined_already_are_not_measured_again():
    textures = [photograph(1)] * 40
    candidates = linker(textures).find_candidates(16)
    joined, measured = linker(textures).link(THRESHOLD, 16)
    assert joined.n_subsets < 40
    assert len(measured) < len(candidates.first) / 2


def test_candidates_come_nearest_first_and_each_once(mixed: list[Float]):
    described = [take_spectrum(t, SIDE).description.astype(np.float32) for t in mixed]
    found = linker(mixed).find_candidates(3)
    rows = list(
        zip(found.first.tolist(), found.second.tolist(), found.crosswise.tolist(), strict=True)
    )
    distances = [
        float(np.sum(((described[one][::-1] if cross else described[one]) - described[other]) ** 2))
        for one, other, cross in rows
    ]
    assert np.diff(distances).min() > -1e-4
    assert len(set(rows)) == len(rows) <= 2 * 20 * 4
    assert all(first < second for first, second, _ in rows)


def test_the_nearest_candidates_show_one_surface_and_say_how_it_is_mirrored(mixed: list[Float]):
    found = linker(mixed).find_candidates(3)
    for first, second, crosswise in zip(
        found.first[:10].tolist(), found.second[:10].tolist(), found.crosswise[:10], strict=True
    ):
        assert first % 5 == second % 5
        one, other = FLIPS[first // 5], FLIPS[second // 5]
        assert crosswise == ((one[0] != one[1]) != (other[0] != other[1]))


@pytest.mark.parametrize("flip", FLIPS)
def test_a_comparison_finds_the_flip_and_the_shift(flip: Flip):
    (link,) = linker([photograph(1), photograph(1, 6, flip)]).compare([(0, 1)])
    assert (link.first, link.second, link.match.mirrored) == (0, 1, flip)
    assert link.match.shift == (6, 6)
    assert link.match.similarity > THRESHOLD


def test_pairs_are_compared_in_the_order_given_however_many(mixed: list[Float]):
    pairs = [(i % 20, (i * 7 + 3) % 20) for i in range(150)]
    links = list(linker(mixed).compare(pairs))
    assert [(link.first, link.second) for link in links] == pairs
    for link in links:
        same_surface = link.first % 5 == link.second % 5
        assert (link.match.similarity > THRESHOLD) == same_surface


def test_nothing_to_compare_is_nothing_found(mixed: list[Float]):
    assert list(linker(mixed).compare([])) == []


def test_one_neighbour_is_another_picture_and_not_the_picture_itself():
    textures = [photograph(1), photograph(1, 4), photograph(2), photograph(2, 4)]
    assert groups(textures, 1) == {frozenset({0, 1}), frozenset({2, 3})}
    found = linker(textures).find_candidates(1)
    unmirrored = zip(found.first[~found.crosswise], found.second[~found.crosswise], strict=True)
    assert set(unmirrored) == {(0, 1), (2, 3)}
