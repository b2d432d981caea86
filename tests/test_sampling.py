"""sampling: which pictures training sees, and in which order."""

import numpy as np
import pytest

from defectseg.data.tile import CLEAN
from defectseg.errors import TrainingError
from defectseg.network.sampling import RatioSampler, draw_weights
from tiny import tile

TILES = (
    tile("a", "crack", "one"),
    tile("b", "crack", "one"),
    tile("c", "crack", "two"),
    tile("d", "blowhole", "three"),
    tile("e", CLEAN, "four"),
    tile("f", CLEAN, "five"),
    tile("g", CLEAN, "five"),
)


def batches(epoch: int = 0, seed: int = 0, pictures: int = 12) -> list[list[int]]:
    sampler = RatioSampler(draw_weights(TILES, 0.6), pictures, 4, seed)
    sampler.epoch = epoch
    return list(sampler)


def test_defects_share_their_part_by_class_then_surface_then_picture():
    # 0.6 / 2 classes = 0.3 each; crack: 0.15 a surface, of which `one` has two pictures.
    # The clean 0.4: 0.2 a surface, of which `five` has two pictures.
    expected = [0.075, 0.075, 0.15, 0.3, 0.2, 0.1, 0.1]
    assert draw_weights(TILES, 0.6) == pytest.approx(expected)


def test_a_surface_of_two_classes_counts_in_each():
    tiles = [tile("a", "crack", "one"), tile("b", CLEAN, "one"), tile("c", CLEAN, "two")]
    assert draw_weights(tiles, 0.5) == pytest.approx([0.5, 0.25, 0.25])


def test_without_clean_pictures_only_defects_are_drawn():
    assert draw_weights(TILES[:4], 0.6) == pytest.approx([0.125, 0.125, 0.25, 0.5])


def test_a_defect_fraction_of_one_never_draws_a_clean_picture():
    assert draw_weights(TILES, 1.0)[4:] == pytest.approx(0)


def test_the_drawn_pictures_have_the_chosen_ratio():
    drawn = np.concatenate(batches(pictures=4000))
    shares = np.bincount(drawn, minlength=len(TILES)) / len(drawn)
    assert shares == pytest.approx(draw_weights(TILES, 0.6), abs=0.03)


def test_a_part_without_a_defect_says_that_there_is_nothing_to_learn():
    message = r"none of the 2 train pictures shows a defect.*mask_threshold.*data_split\.fold"
    with pytest.raises(TrainingError, match=message):
        draw_weights([tile("e", CLEAN), tile("f", CLEAN)], 0.6)


def test_the_same_seed_and_epoch_draw_the_same():
    assert batches(epoch=3, seed=5) == batches(epoch=3, seed=5)


def test_another_epoch_and_another_seed_draw_another_order():
    assert batches(epoch=1) != batches(epoch=2)
    assert batches(seed=1) != batches(seed=2)


def test_an_epoch_has_whole_batches_and_at_least_one():
    assert [len(batch) for batch in batches(pictures=11)] == [4, 4]
    assert [len(batch) for batch in batches(pictures=1)] == [4]
    assert len(RatioSampler(draw_weights(TILES, 0.6), 11, 4, 0)) == 2
