"""evidence: how sure a difference is."""

import numpy as np
import pytest

from defectseg.comparison.evidence import (
    count_influence,
    expanded_interval,
    share_as_large,
    swap_models,
    weigh_evidence,
)
from defectseg.comparison.ranked import RankedTable
from defectseg.confusion import any_defect

DRAWS = 4000


def table(*found: int, clean: int = 0) -> RankedTable:
    """Defect pictures of 10 px, of which so many are found; then clean pictures."""
    confusion = np.zeros((len(found) + clean, 2, 2))
    for index, tp in enumerate(found):
        confusion[index] = [[90, 0], [10 - tp, tp]]
    confusion[len(found) :, 0, 0] = 100
    defect = np.arange(len(confusion)) < len(found)
    tp = np.array([*found, *[0] * clean])
    return RankedTable(
        confusion=confusion,
        dice=any_defect(confusion).dice,
        score=tp / 10,
        defect_class=np.where(defect, "crack", "clean"),
        defect=defect,
        escape=defect & (tp == 0),
        false_alarm=np.zeros(len(confusion), dtype=bool),
        review=np.zeros(len(confusion), dtype=bool),
        found=np.stack([defect, tp > 3, tp > 5, np.zeros(len(confusion))], axis=1).astype(float),
    )


def names(count: int) -> list[str]:
    return [f"s{number}" for number in range(count)]


def weigh(base: RankedTable, head: RankedTable, surfaces: list[str]):
    return weigh_evidence(base, head, surfaces, ("crack",), DRAWS, 0)


def test_the_same_worse_result_on_six_surfaces_is_sure_and_on_five_it_may_be_chance():
    # All of n surfaces point one way: by chance in 2 of 2 ** n cases, 0.031 and 0.0625.
    for count, is_sure in ((6, True), (5, False)):
        base, head = table(*[8] * count, 8), table(*[0] * count, 8)
        found = weigh(base, head, names(count + 1))["escape_rate"]
        assert found.difference == pytest.approx(count / (count + 1))
        assert found.low > 0
        assert found.chance == 2 / 2**count  # every way is tried
        assert found.is_sure is is_sure


def test_six_pictures_of_one_surface_are_one_piece_of_evidence():
    base, head = table(*[8] * 7), table(*[0] * 6, 8)
    found = weigh(base, head, ["s0"] * 6 + ["s1"])["escape_rate"]
    assert found.chance == 1.0  # either both stay or both change places: always as large
    assert not found.is_sure


def test_swaps_are_those_of_every_toss_of_the_coins():
    base, head = table(8, 8, 8, 5), table(4, 4, 4, 5)  # on one surface they agree
    for draws in (4000, 7):
        swapped = swap_models(base, head, names(4), ("crack",), draws, 0)["recall_pooled"]
        values, counts = np.unique(swapped.round(6), return_counts=True)
        assert swapped[0] == pytest.approx(-0.3)  # the first is no swap
        assert set(values) <= {-0.3, -0.1, 0.1, 0.3}
        assert len(swapped) == 8
        if draws == 4000:
            assert counts.tolist() == [1, 3, 3, 1]


def test_among_many_surfaces_the_coins_are_fair():
    base, head = table(*[8] * 20), table(*[4] * 20)
    swapped = swap_models(base, head, names(20), ("crack",), 4000, 0)["recall_pooled"]
    assert len(swapped) == 4001
    assert swapped[0] == pytest.approx(-0.4)
    # The sum of 20 coins of ±0.02: mean 0, standard deviation 0.02 × √20
    assert swapped[1:].mean() == pytest.approx(0, abs=0.005)
    assert swapped[1:].std() == pytest.approx(0.0894, abs=0.004)


def test_the_bootstrap_gives_both_models_the_same_weights():
    draw = np.random.default_rng(0)
    found = draw.integers(2, 9, 40)
    base, head = table(*found), table(*(found + 1))  # a pixel more on every picture
    result = weigh(base, head, names(40))["recall_pooled"]
    assert (result.low, result.high) == pytest.approx((0.1, 0.1))
    assert result.is_sure


def test_the_interval_is_wider_than_percentiles_by_what_few_surfaces_ask_for():
    values = np.random.default_rng(0).normal(0, 1, 200_000)
    low, high = expanded_interval(values, 5)
    # sqrt(5 / 4) × the 97.5 % quantile of Student's t with 4 degrees of freedom, 2.776
    assert (low, high) == pytest.approx((-3.104, 3.104), abs=0.12)
    assert expanded_interval(values, 100_000) == pytest.approx((-1.96, 1.96), abs=0.02)
    assert np.isnan(expanded_interval(values, 1)).all()


def test_only_the_surfaces_that_a_metric_rests_on_count():
    base, head = table(8, 8, 8, clean=4), table(8, 8, 0, clean=4)
    counts = count_influence(base, head, names(7), ("crack",))
    assert counts["escape_rate"] == 3
    assert counts["false_alarm_rate"] == 4
    assert counts["recall_pooled"] == 3
    assert counts["pixel_accuracy"] == 7


def test_what_cannot_be_computed_in_a_swap_counts_as_chance():
    swapped = np.array([0.1, np.nan, -0.5, 0.2, 0.0])
    assert share_as_large(swapped, 0.3) == pytest.approx(2 / 5)  # NaN and -0.5
    assert share_as_large(swapped, -0.2) == pytest.approx(3 / 5)
    assert np.isnan(share_as_large(swapped, np.nan))
