"""picture_checks: copies and odd ones out."""

from dataclasses import replace

import pytest

from defectseg.data.quality.duplicates import Duplicate
from defectseg.data.quality.findings import Facts
from defectseg.data.quality.picture_checks import (
    GREY,
    SHARE,
    find_brightness_outliers,
    find_contrast_outliers,
    find_exact_duplicates,
    find_low_depth,
    find_near_duplicates,
    find_sharpness_outliers,
    find_size_outliers,
    robust_scores,
)
from facts import check_params, make_facts, make_measure, make_tile

PARAMS = check_params(outlier=6.0, duplicate=2.0)


def facts_with(name: str, values: list[float]) -> Facts:
    """Facts about pictures p0, p1, … of which one measure is given."""
    return make_facts({f"p{k}": make_measure(f"{k}", **{name: v}) for k, v in enumerate(values)})


def test_exact_duplicates_are_paired_with_the_first_of_them():
    measures = {name: make_measure(name[0]) for name in ("a1", "a2", "a3", "b1", "c1", "c2")}
    facts = make_facts(measures)
    relabelled = [
        replace(t, defect_class="dent", defect_px=5) if t.id == "c2" else t for t in facts.tiles
    ]
    redrawn = [replace(t, defect_px=7) if t.id == "a3" else t for t in relabelled]
    found = find_exact_duplicates(replace(facts, tiles=redrawn), PARAMS)
    assert found is not None
    assert found.pairs == (("a1", "a2"), ("a1", "a3"), ("c1", "c2"))
    assert found.pictures == ("a1", "a2", "a3", "c1", "c2")
    assert found.pair_details == (
        "labelled alike",
        "0 and 7 px of defect",
        "labelled clean and dent",
    )
    assert found.summary.startswith("3 pictures are copies, pixel for pixel, of 2 others")


def test_pictures_that_all_differ_are_no_duplicates():
    facts = make_facts({name: make_measure(name) for name in "abc"})
    assert find_exact_duplicates(facts, PARAMS) is None
    assert find_near_duplicates(facts, PARAMS) is None


def test_near_duplicates_are_named_most_alike_first():
    duplicates = (Duplicate("a", "b", 1.52), Duplicate("c", "d", 0.31), Duplicate("a", "c", 1.52))
    found = find_near_duplicates(make_facts({}, duplicates=duplicates), PARAMS)
    assert found is not None
    assert found.pairs == (("c", "d"), ("a", "b"), ("a", "c"))
    assert found.pair_details[0] == "0.3 grey levels apart"
    assert found.pictures == ("a", "b", "c", "d")
    assert "less than 2 grey levels" in found.summary


@pytest.mark.parametrize(
    ("find", "name", "odd"),
    [
        (find_brightness_outliers, "brightness", 200.0),
        (find_brightness_outliers, "brightness", 20.0),
        (find_contrast_outliers, "contrast", 20.0),
        (find_sharpness_outliers, "sharpness", 300.0),
        (find_sharpness_outliers, "sharpness", 1.0),
        (find_sharpness_outliers, "sharpness", 0.0),
        (find_size_outliers, "width", 10.0),
    ],
)
def test_one_odd_picture_is_found(find, name: str, odd: float):
    usual = [98.0, 99.0, 100.0, 101.0, 102.0, 103.0, 104.0, 97.0]
    assert find(facts_with(name, usual), PARAMS) is None
    found = find(facts_with(name, [*usual, odd]), PARAMS)
    assert found is not None
    assert found.pictures == ("p8",)
    assert found.details[0].endswith("above" if odd > 100 else "below")


def test_the_furthest_outlier_is_named_first_with_its_value_and_those_of_the_set():
    values = [97.0, 98.0, 99.0, 100.0, 102.0, 103.0, 104.0, 105.0, 30.0, 201.0]
    found = find_brightness_outliers(facts_with("brightness", values), PARAMS)
    assert found is not None
    # median 101, absolute distances 1 1 2 2 3 3 4 4 71 100: their median is 3
    assert found.pictures == ("p9", "p8")
    assert found.details == (
        "brightness 201, 22 standard deviations above",
        "brightness 30, 16 standard deviations below",
    )
    assert found.summary.startswith("2 pictures have an unusual brightness")
    assert "the median is 101" in found.summary


def test_an_unusual_area_is_shown_in_pixels():
    facts = make_facts(
        {f"p{k}": make_measure(f"{k}", width=400 if k < 9 else 4000) for k in range(10)}
    )
    found = find_size_outliers(facts, PARAMS)
    assert found is not None
    assert found.details[0].startswith("area 1\u202f200\u202f000 px, ")
    assert "the median is 120\u202f000 px" in found.summary


def test_a_set_without_pictures_has_no_outlier():
    assert find_brightness_outliers(make_facts({}), PARAMS) is None


def test_scores_are_distances_from_the_median_in_robust_deviations():
    # median 30, absolute distances 20 10 0 10 470: their median is 10
    scores = robust_scores([10, 20, 30, 40, 500], GREY)
    assert scores == pytest.approx([-20 / 14.826, -10 / 14.826, 0, 10 / 14.826, 470 / 14.826])


def test_of_ratios_twice_and_half_are_equally_far():
    scores = robust_scores([1, 2, 4, 8, 16], SHARE)
    assert scores == pytest.approx([-2 / 1.4826, -1 / 1.4826, 0, 1 / 1.4826, 2 / 1.4826])


def test_where_most_values_are_equal_the_mean_deviation_stands_in():
    scores = robust_scores([100] * 9 + [150], GREY)  # mean absolute deviation 5
    assert scores[-1] == pytest.approx(50 / (1.2533 * 5))


def test_two_kinds_of_pictures_are_no_outliers_of_each_other():
    scores = robust_scores([100] * 6 + [200] * 4, GREY)  # mean absolute deviation 40
    assert abs(scores).max() == pytest.approx(100 / (1.2533 * 40))


def test_a_difference_too_small_to_matter_is_no_outlier():
    assert robust_scores([100] * 99 + [101], GREY)[-1] == pytest.approx(1)
    assert robust_scores([1.0] * 99 + [1.02], SHARE)[-1] == pytest.approx(0.99, abs=0.01)


def test_equal_values_score_zero():
    assert robust_scores([7, 7, 7], GREY).tolist() == [0, 0, 0]


def test_pictures_of_16_bits_that_use_fewer_are_named():
    facts = make_facts({}, largest_16_bit={"b": 4095, "a": 3000})
    found = find_low_depth(facts, PARAMS)
    assert found is not None
    assert found.pictures == ("a", "b")
    assert found.details == ("largest value 3000", "largest value 4095")
    assert "use 12 bits, not the 16" in found.summary


@pytest.mark.parametrize(
    ("largest", "bit_depth"), [({}, 16), ({"a": 32768}, 16), ({"a": 4095, "b": 9}, 12)]
)
def test_pictures_that_use_the_bits_they_should_are_no_finding(
    largest: dict[str, int], bit_depth: int
):
    facts = make_facts({}, largest_16_bit=largest, bit_depth=bit_depth, tiles=[make_tile("a")])
    assert find_low_depth(facts, PARAMS) is None
