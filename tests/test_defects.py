"""defects: regions drawn by hand; each digit of a drawing is a defect probability in tenths."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from conftest import mask
from defectseg.inference.defects import Defect, find_defects, find_regions
from defectseg.inference.operating_point import ClassPoint, OperatingPoint

Float = npt.NDArray[np.float32]
Mask = npt.NDArray[np.uint8]
GRIDS = arrays(
    np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 9)
)


def tenths(drawing: str) -> Float:
    """Probabilities (H, W) in [0, 1) as drawn."""
    return (mask(drawing) / np.float32(10)).astype(np.float32)


def at(
    review: float = 0.5,
    reject: float = 0.9,
    thresholds: tuple[float, ...] = (0.5, 0.5),
    areas: tuple[int, ...] = (1, 1),
    odds_ratios: tuple[float, ...] = (1.0, 1.0),
) -> OperatingPoint:
    """An operating point of two classes."""
    each = zip(("crack", "blowhole"), thresholds, areas, odds_ratios, strict=True)
    return OperatingPoint(
        classes=tuple(
            ClassPoint(defect_class=n, threshold=t, min_area=a, odds_ratio=o) for n, t, a, o in each
        ),
        temperature=1.0,
        review=review,
        reject=reject,
        rule="drawn",
    )


def find(defect: Float, kind: Mask, point: OperatingPoint) -> tuple[tuple[Defect, ...], Mask]:
    """The defects of a picture whose pixels are of a kind (H, W) in 1..2, and the mask of those."""
    likely = [defect * (kind == index) for index in (1, 2)]
    probability = np.stack([1 - defect, *likely]).astype(np.float32)
    thresholds = np.array(point.thresholds, np.float32)[kind - 1]
    return find_defects(probability, defect, np.where(defect >= thresholds, kind, 0), point)


def drawn(drawing: str, point: OperatingPoint, kind: str = "") -> tuple[tuple[Defect, ...], Mask]:
    """The same of a drawing; every pixel is a crack unless kinds are drawn."""
    defect = tenths(drawing)
    return find(defect, mask(kind) if kind else np.ones(defect.shape, np.uint8), point)


def test_pixels_that_touch_at_a_corner_are_one_defect():
    defects, _ = drawn("8... .8.. ..8. .8..", at())
    assert [defect.area_px for defect in defects] == [4]
    defects, _ = drawn("8.8. .... 8.8.", at())
    assert [defect.area_px for defect in defects] == [1, 1, 1, 1]


def test_a_region_of_the_minimal_area_is_a_defect_and_one_pixel_less_is_none():
    defects, kept = drawn("888.88. .......", at(areas=(3, 1)))
    assert [(defect.area_px, defect.box) for defect in defects] == [(3, (0, 0, 3, 1))]
    assert kept.tolist() == mask("###.... .......").tolist()


@pytest.mark.parametrize(("area", "score"), [(1, 0.9), (2, 0.8), (3, 0.8), (4, 0.6)])
def test_the_score_is_the_probability_of_the_surest_pixel_but_those_that_make_the_area(
    area: int, score: float
):
    defects, _ = drawn("8968", at(areas=(area, 1)))
    assert [defect.score for defect in defects] == pytest.approx([score])


def test_a_box_ends_behind_the_last_pixel():
    (defect,), _ = drawn("..... ..8.. ..88. .....", at())
    assert defect.box == (2, 1, 4, 3)  # x1, y1, x2, y2
    (corner,), _ = drawn("... ..8", at())
    assert corner.box == (2, 1, 3, 2)


def test_the_centre_of_a_pixel_is_half_way_between_its_edges():
    (defect,), _ = drawn("8.. ...", at())
    assert defect.centroid == (0.5, 0.5)  # x, y
    (defect,), _ = drawn("..... ..8.. ..88. .....", at())
    assert defect.centroid == pytest.approx((2 + 1 / 3 + 0.5, 1 + 2 / 3 + 0.5))


def test_the_surest_defect_comes_first_and_of_equals_the_left_one():
    defects, _ = drawn("6.9.7.9", at())
    assert [(defect.score, defect.box[0]) for defect in defects] == [
        (pytest.approx(0.9), 2),
        (pytest.approx(0.9), 6),
        (pytest.approx(0.7), 4),
        (pytest.approx(0.6), 0),
    ]


def test_the_mask_has_the_defects_and_nothing_else():
    defects, kept = drawn("88.66.8 8...... .......", at(review=0.7, areas=(2, 1)))
    assert len(defects) == 1  # 0.6 is not sure enough, one pixel too small
    assert (kept.dtype, kept.tolist()) == (np.uint8, mask("##..... #...... .......").tolist())


def test_classes_that_touch_are_one_defect_of_that_with_most_pixels():
    defects, kept = drawn("8899 8866 ...9", at(areas=(2, 1)), kind="1122 1112 1112")
    (defect,) = defects
    assert (defect.defect_class, defect.box, defect.area_px) == ("crack", (0, 0, 4, 3), 9)
    assert defect.score == pytest.approx(0.9)  # of the blowhole: no verdict changes
    assert kept.tolist() == mask("1111 1111 ...1").tolist()
    (equal,), _ = drawn("8899", at(), kind="1122")
    assert equal.defect_class == "crack"  # the first class of equals


def test_classes_apart_stay_defects_of_their_own_beside_some_that_touch():
    defects, kept = drawn("899.8.8 .......", at(), kind="1221222 1111111")
    assert [(one.defect_class, one.box) for one in defects] == [
        ("blowhole", (0, 0, 3, 1)),
        ("blowhole", (4, 0, 5, 1)),
        ("blowhole", (6, 0, 7, 1)),
    ]
    assert kept.tolist() == mask("222.2.2 .......").tolist()


def test_what_is_too_small_or_unsure_is_not_joined():
    defects, kept = drawn("8896", at(review=0.7, areas=(1, 2)), kind="1121")
    assert [(one.defect_class, one.area_px) for one in defects] == [("crack", 2)]
    assert kept.tolist() == mask("11..").tolist()


def test_a_weak_region_that_touches_another_class_stays_one_of_its_own():
    defects, kept = drawn("844", at(review=0.3), kind="122")
    assert [(one.defect_class, one.area_px) for one in defects] == [("crack", 1), ("blowhole", 2)]
    assert kept.tolist() == mask("122").tolist()


def test_a_weak_region_that_touches_what_became_of_its_class_is_not_told_twice():
    # the crack in the middle becomes part of the blowhole: so do the faint pixels beside it
    (defect,), kept = drawn("9984 99..", at(review=0.3), kind="2212 2222")
    assert (defect.defect_class, defect.area_px) == ("blowhole", 5)
    assert kept.tolist() == mask("222. 22..").tolist()


def test_each_class_has_its_own_minimal_area():
    defects, kept = drawn("8899", at(areas=(3, 2)), kind="1122")
    assert [defect.defect_class for defect in defects] == ["blowhole"]
    assert kept.tolist() == mask("..22").tolist()


def test_a_region_reaches_review_or_is_no_defect():
    assert drawn("8", at(review=0.75))[0][0].score == pytest.approx(0.8)
    defects, kept = drawn("7", at(review=0.75))
    assert (defects, kept.any()) == ((), False)


def test_the_size_of_the_mask_is_that_of_the_threshold_wherever_review_is():
    for review in (0.5, 0.65, 0.85):
        (defect,), kept = drawn("5694.", at(review=review))
        assert (defect.area_px, kept.tolist()) == (3, mask("###..").tolist())


def test_a_region_between_review_and_the_threshold_is_a_weak_defect():
    (defect,), kept = drawn("44.", at(review=0.3, areas=(2, 1)))
    assert (defect.score, defect.area_px) == (0.4, 2)
    assert kept.tolist() == mask("##.").tolist()


@pytest.mark.parametrize(
    ("probability", "score"), [(0.47, 0.45), (0.45, 0.45), (0.44, 0.4), (0.31, 0.3), (0.3, 0.3)]
)
def test_a_weak_defect_scores_the_level_below_its_probability(probability: float, score: float):
    defect = np.full((2, 2), probability, np.float32)
    (found,), _ = find(defect, np.ones((2, 2), np.uint8), at(review=0.3))
    assert found.score == score


def test_between_two_levels_review_takes_what_reaches_the_upper_one():
    assert len(drawn("4", at(review=0.36))[0]) == 1  # 0.4 is the next level
    defect = np.full((1, 1), 0.39, np.float32)
    assert find(defect, np.ones((1, 1), np.uint8), at(review=0.36))[0] == ()


def test_where_no_level_is_between_review_and_the_threshold_nothing_is_weak():
    point = at(review=0.51, thresholds=(0.54, 0.54))
    assert find(np.full((3, 3), 0.53, np.float32), np.ones((3, 3), np.uint8), point)[0] == ()


def test_a_weak_defect_is_drawn_by_its_surest_pixels():
    (defect,), kept = drawn("34443 .....", at(review=0.3, areas=(2, 1)))
    assert (defect.score, defect.box) == (0.4, (1, 0, 4, 1))
    assert defect.centroid == (2.5, 0.5)
    assert kept.tolist() == mask(".###. .....").tolist()


def test_a_weak_defect_has_the_place_of_the_whole_picture():
    (defect,), kept = drawn("...... ...... ..3433", at(review=0.3))
    assert (defect.box, defect.centroid) == ((3, 2, 4, 3), (3.5, 2.5))
    assert kept.tolist() == mask("...... ...... ...#..").tolist()


def test_two_peaks_of_one_weak_region_are_two_defects():
    defects, kept = drawn("4434", at(review=0.3))
    assert [(defect.score, defect.box) for defect in defects] == [
        (0.4, (0, 0, 2, 1)),
        (0.4, (3, 0, 4, 1)),
    ]
    assert kept.tolist() == mask("##.#").tolist()


def test_peaks_that_are_too_small_alone_are_joined_by_what_lies_between():
    (defect,), kept = drawn("434", at(review=0.3, areas=(2, 1)))
    assert (defect.score, defect.area_px) == (0.3, 3)
    (defect,), kept = drawn("838", at(review=0.3, areas=(2, 1)))  # even at the threshold
    assert (defect.score, kept.tolist()) == (0.3, mask("###").tolist())


def test_a_weak_region_around_a_strong_one_is_not_told_twice():
    (defect,), kept = drawn("34843", at(review=0.3))
    assert (defect.score, defect.area_px) == (pytest.approx(0.8), 1)
    assert kept.tolist() == mask("..#..").tolist()


def test_a_weak_region_apart_from_a_strong_one_is_a_defect_of_its_own():
    defects, kept = drawn("8.4", at(review=0.3))
    assert [defect.score for defect in defects] == pytest.approx([0.8, 0.4])
    assert kept.tolist() == mask("#.#").tolist()


def test_a_strong_region_that_is_too_small_is_still_part_of_a_weak_one():
    # one pixel at the threshold, but four are needed: with its neighbours there are five
    (defect,), kept = drawn("44844", at(review=0.3, areas=(4, 1)))
    assert (defect.score, defect.area_px) == (0.4, 5)
    assert kept.tolist() == mask("#####").tolist()


def test_a_weak_region_below_review_is_nothing():
    assert drawn("33333", at(review=0.4))[0] == ()


def test_only_the_class_whose_threshold_is_above_review_has_weak_regions():
    point = at(review=0.4, thresholds=(0.8, 0.3))
    defects, kept = drawn("55.55.33", point, kind="11122222")
    assert [(defect.defect_class, defect.box) for defect in defects] == [
        ("crack", (0, 0, 2, 1)),
        ("blowhole", (3, 0, 5, 1)),
    ]
    assert kept.tolist() == mask("11.22...").tolist()


def test_a_picture_without_a_defect_has_none():
    for point in (at(), at(review=0.2)):
        defects, kept = drawn("111 111", point)
        assert defects == ()
        assert (kept.dtype, kept.tolist()) == (np.uint8, mask("... ...").tolist())


def test_a_picture_of_one_pixel_may_be_a_defect():
    (defect,), kept = drawn("9", at())
    assert defect == Defect("crack", pytest.approx(0.9), (0, 0, 1, 1), (0.5, 0.5), 1)
    assert kept.tolist() == [[1]]


def test_a_picture_without_pixels_has_no_defect():
    defects, kept = find(np.zeros((0, 5), np.float32), np.ones((0, 5), np.uint8), at(review=0.3))
    assert (defects, kept.shape) == ((), (0, 5))


def test_the_mask_that_came_is_left_as_it_was():
    probability = np.stack([1 - tenths("8.8"), tenths("8.8")])
    came = mask("#.#")
    find_defects(probability, tenths("8.8"), came, at(review=0.85, thresholds=(0.5, 0.5)))
    assert came.tolist() == mask("#.#").tolist()


def test_regions_of_a_mask_keep_their_own_pixels_where_their_boxes_overlap():
    regions = list(find_regions(mask("#### ...# ##.#") > 0, tenths("5678 1119 43.9"), 1))
    assert [int(region.inside.sum()) for region in regions] == [6, 2]
    assert [region.probability for region in regions] == pytest.approx([0.9, 0.4])
    assert regions[1].place == (slice(2, 3), slice(0, 2))


@given(GRIDS, st.data())
@settings(deadline=None, max_examples=150)
def test_defects_and_their_mask_agree_whatever_the_picture(grid: Mask, data: st.DataObject):
    kind = data.draw(arrays(np.uint8, grid.shape, elements=st.integers(1, 2)))
    levels = st.integers(0, 10).map(lambda tenth: tenth / 10 + 0.05)
    review, *thresholds = (min(1.0, data.draw(levels)) for _ in range(3))
    areas = (data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5)))
    point = at(review, 1.0, tuple(thresholds), areas)
    defect = (grid / np.float32(10)).astype(np.float32)
    defects, kept = find(defect, kind, point)
    assert np.count_nonzero(kept) == sum(one.area_px for one in defects)  # none lies on another
    for number, name in enumerate(point.names, start=1):  # who reads the mask sees the same list
        _, regions = ndimage.label(kept == number, np.ones((3, 3)))
        assert regions == sum(one.defect_class == name for one in defects)
    assert set(kept[kept > 0]) == {point.names.index(one.defect_class) + 1 for one in defects}
    for one in defects:
        x1, y1, x2, y2 = one.box
        number = point.names.index(one.defect_class)
        inside = (kept[y1:y2, x1:x2] == number + 1) & (defect[y1:y2, x1:x2] >= one.score)
        assert one.score >= review
        assert np.count_nonzero(inside) >= min(areas)  # the surest part may be of another class
        assert one.area_px >= point.classes[number].min_area
        assert x1 < one.centroid[0] < x2
        assert y1 < one.centroid[1] < y2


def test_a_faint_region_of_a_class_that_is_seldom_sure_is_a_defect_and_one_of_another_is_none():
    point = at(thresholds=(0.1, 0.6), odds_ratios=(9.0, 1.0))
    defects, kept = drawn("1..1", point, kind="1112")
    assert [(one.defect_class, one.box) for one in defects] == [("crack", (0, 0, 1, 1))]
    assert defects[0].score == pytest.approx(0.5)  # odds of 9 × 0.1 / 0.9
    assert kept.tolist() == [[1, 0, 0, 0]]


def test_below_its_threshold_a_class_is_looked_for_at_the_levels_that_score_enough():
    point = at(thresholds=(0.6, 0.6), odds_ratios=(9.0, 1.0))
    assert [one.score for one in drawn("2", point)[0]] == pytest.approx([9 / 13])  # 9 × 0.2 / 0.8
    assert not drawn("2", point, kind="2")[0]
