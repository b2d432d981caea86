"""neighbours: the nearest points to each query."""

import faiss
import numpy as np
import numpy.typing as npt
import pytest

from defectseg.data.surfaces.neighbours import find_nearest

Float = npt.NDArray[np.float32]
EVERY = 10**6  # points up to which all are compared
NONE = 0


def scattered(count: int, seed: int = 0, width: int = 16) -> Float:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


def pairs(count: int, seed: int = 0) -> Float:
    """Points of which 2 i and 2 i + 1 lie close together and all others far away."""
    middle = scattered(count // 2, seed)
    return np.repeat(middle, 2, axis=0) + 0.01 * scattered(count, seed + 1)


def test_distances_are_squared_and_the_nearest_comes_first():
    points = np.array([[0, 0], [3, 4], [1, 0]], dtype=np.float32)
    queries = np.array([[0, 0], [3, 3]], dtype=np.float32)
    ((distances, ids),) = find_nearest(points, [queries], 3)
    assert ids.tolist() == [[0, 2, 1], [1, 2, 0]]
    assert distances.tolist() == [[0, 1, 25], [1, 13, 18]]


def test_every_set_of_queries_has_its_own_answer():
    points = pairs(100)
    found = find_nearest(points, [points, points[::-1], points[:3]], 1)
    assert found[0][1][:, 0].tolist() == list(range(100))
    assert found[1][1][:, 0].tolist() == list(range(99, -1, -1))
    assert found[2][1][:, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("count", [40, 600, 3000])
def test_cells_lose_no_point_that_lies_close(count: int):
    points = pairs(count)
    ((_, ids),) = find_nearest(points, [points], 2, exact=NONE)
    partners = np.arange(count) ^ 1
    assert (np.sort(ids, axis=1) == np.sort([np.arange(count), partners], axis=0).T).all()


def test_cells_find_nearly_all_that_a_search_of_every_point_finds():
    points, queries = scattered(6000, width=40), scattered(200, seed=5, width=40)
    ((_, approximate),) = find_nearest(points, [queries], 5, exact=NONE)
    ((_, exact),) = find_nearest(points, [queries], 5, exact=EVERY)
    shared = [len(set(a) & set(b)) for a, b in zip(approximate, exact, strict=True)]
    assert 0.8 * 5 < np.mean(shared) < 5  # cells were left out, else this proves nothing


@pytest.mark.parametrize("exact", [NONE, EVERY])
def test_the_answer_is_the_same_each_time_on_any_number_of_threads(exact: int):
    points = scattered(2000)
    before = faiss.omp_get_max_threads()
    answers = []
    try:
        for threads in (1, 2, 3):
            faiss.omp_set_num_threads(threads)
            answers += find_nearest(points, [points], 9, exact)
            assert faiss.omp_get_max_threads() == threads  # as it was found
    finally:
        faiss.omp_set_num_threads(before)
    for distances, ids in answers[1:]:
        np.testing.assert_array_equal(distances, answers[0][0])
        np.testing.assert_array_equal(ids, answers[0][1])


@pytest.mark.parametrize("exact", [NONE, EVERY])
@pytest.mark.parametrize("count", [1, 2, 5, 33])
def test_fewer_points_than_cells_or_neighbours_are_all_found(exact: int, count: int):
    points = scattered(count)
    ((distances, ids),) = find_nearest(points, [points], count + 2, exact)
    assert distances.shape == ids.shape == (count, count + 2)
    assert ids[:, 0].tolist() == list(range(count))
    if count <= 5:  # no more than the cells that a query looks into
        assert (np.sort(ids[:, :count], axis=1) == np.arange(count)).all()
    assert (ids[:, count:] == -1).all()


@pytest.mark.parametrize("exact", [NONE, EVERY])
def test_one_and_the_same_point_many_times_is_found_as_often(exact: int):
    points = np.ones((100, 4), dtype=np.float32)
    ((distances, ids),) = find_nearest(points, [points[:2]], 100, exact)
    assert (np.sort(ids, axis=1) == np.arange(100)).all()
    assert (distances == 0).all()


def test_points_and_queries_may_be_views():
    points = scattered(50, width=32)
    ((_, ids),) = find_nearest(points[:, ::2], [points[::-1, ::2]], 1)
    assert ids[:, 0].tolist() == list(range(49, -1, -1))


def test_a_short_list_is_ranked_by_all_dimensions():
    points = scattered(400, width=300)  # more dimensions than the cells know
    queries = points + 0.5 * scattered(400, seed=9, width=300)
    ((distances, ids),) = find_nearest(points, [queries], 3, exact=NONE)
    full = ((queries[:, None] - points[ids]) ** 2).sum(axis=2)
    np.testing.assert_allclose(distances, full, rtol=1e-4)
    assert (np.diff(distances, axis=1) >= 0).all()
    ((_, every),) = find_nearest(points, [queries], 3, exact=EVERY)
    assert np.mean(ids == every) > 0.9
