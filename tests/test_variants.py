"""variants: how engines are compared, by engines that say what the test tells them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from conftest import mask
from defectseg.data.tile import CLEAN, TileSet
from defectseg.errors import ModelOutputError
from defectseg.export.variants import Contender, Difference, Scores, compare, scores_of
from defectseg.inference.engine import Engine, Output
from defectseg.inference.operating_point import ClassPoint, OperatingPoint
from tiny import BLOWHOLE, CLASSES, CRACK, FREE, write_tiles

POINT = OperatingPoint(
    classes=tuple(ClassPoint(defect_class=c, threshold=0.5, min_area=100) for c in CLASSES),
    temperature=1.0,
    review=0.5,
    reject=0.8,
    rule="by hand",
)


@dataclass(frozen=True)
class Told:
    """An engine that gives one answer for every picture."""

    drawn: npt.NDArray[np.uint8]  # (H, W) in 0..2
    sure: float = 0.9  # the probability of what is drawn

    def run(self, pictures: npt.NDArray[np.uint8]) -> Output:
        """See `Engine.run`."""
        planes = [self.sure * (self.drawn == index) for index in (1, 2)]
        planes.insert(0, 1 - sum(planes))
        probability = np.repeat(np.stack(planes)[None], len(pictures), axis=0)
        said = np.where(self.sure >= 0.5, self.drawn, 0).astype(np.uint8)
        return Output(probability.astype(np.float32), np.repeat(said[None], len(pictures), axis=0))


class BySize:
    """One engine for pictures that lie, another for those that stand."""

    def __init__(self, lying: Engine, standing: Engine) -> None:
        self.lying, self.standing = lying, standing

    def run(self, pictures: npt.NDArray[np.uint8]) -> Output:
        """See `Engine.run`."""
        lies = pictures.shape[2] > pictures.shape[1]
        return (self.lying if lies else self.standing).run(pictures)


def found(trusted: Engine, other: Engine, tiles: TileSet) -> Difference:
    """How far one engine is from another."""
    _, differences = compare(trusted, [Contender("int8", "openvino", other)], tiles, 1, POINT)
    return differences[0]


@pytest.fixture
def cracks(tmp_path: Path) -> TileSet:
    """Two pictures (64, 128) that show the same crack of 6 × 1 blocks of 16 pixels."""
    return write_tiles(tmp_path, ["crack", "crack"])


def test_engines_that_agree_differ_by_nothing(cracks: TileSet):
    assert found(Told(CRACK), Told(CRACK), cracks) == Difference(
        variant="int8",
        engine="openvino",
        pictures=2,
        max_abs_probability_difference=0.0,
        dice_drop=0.0,
        iou_drop={"crack": 0.0, "blowhole": None},  # nowhere in truth or prediction
        flipped_pixel_fraction=0.0,
        verdicts_changed=0.0,
    )


def test_a_difference_below_every_threshold_changes_a_probability_alone(cracks: TileSet):
    less = found(Told(CRACK, 0.95), Told(CRACK, 0.85), cracks)
    assert less.max_abs_probability_difference == pytest.approx(0.1)
    assert (less.dice_drop, less.flipped_pixel_fraction, less.verdicts_changed) == (0, 0, 0)


def test_a_missed_half_of_the_crack_costs_a_third_of_its_dice(cracks: TileSet):
    half = CRACK.copy()
    half[:, :64] = 0  # 3 of the 6 blocks are left: dice = 2 · 3 / (3 + 6), IoU = 3 / 6
    lost = found(Told(CRACK), Told(half), cracks)
    assert lost.dice_drop == pytest.approx(1 / 3)
    assert lost.iou_drop == {"crack": pytest.approx(1 / 2), "blowhole": None}
    assert lost.largest_iou_drop == pytest.approx(1 / 2)
    assert lost.flipped_pixel_fraction == pytest.approx(3 / 32)  # of 4 × 8 blocks
    assert lost.max_abs_probability_difference == pytest.approx(0.9)
    assert lost.verdicts_changed == 0  # half a crack is a crack


def test_a_gain_is_a_negative_drop(cracks: TileSet):
    half = CRACK.copy()
    half[:, :64] = 0
    assert found(Told(half), Told(CRACK), cracks).dice_drop == pytest.approx(-1 / 3)


def test_it_is_the_final_mask_that_counts_without_regions_that_are_too_small(cracks: TileSet):
    specks = CRACK.copy()
    specks[0:9, 0:11] = 2  # 99 pixels: one less than min_area
    same = found(Told(CRACK), Told(specks), cracks)
    assert (same.dice_drop, same.flipped_pixel_fraction) == (0, 0)
    assert same.iou_drop["blowhole"] is None


def test_a_verdict_changes_with_the_score_alone(tmp_path: Path):
    tiles = write_tiles(
        tmp_path, ["crack", "crack", "crack", CLEAN], {"crack": CRACK, CLEAN: FREE.T}
    )
    unsure = BySize(Told(CRACK, 0.7), Told(FREE.T))  # review instead of reject, 3 of 4 pictures
    changed = found(BySize(Told(CRACK), Told(FREE.T)), unsure, tiles)
    assert changed.verdicts_changed == 0.75
    assert changed.dice_drop == 0


def test_a_class_that_only_one_of_the_engines_sees_has_no_drop(cracks: TileSet):
    both = CRACK.copy()
    both[48:, :16] = 2  # one block apart; it is nowhere in the truth
    assert found(Told(CRACK), Told(both), cracks).iou_drop["blowhole"] is None
    assert found(Told(both), Told(CRACK), cracks).iou_drop["blowhole"] is None
    assert found(Told(both), Told(both), cracks).iou_drop["blowhole"] == 0


def test_scores_are_pooled_over_pictures_of_other_sizes(tmp_path: Path):
    tiles = write_tiles(tmp_path, ["crack", "blowhole"], {"crack": CRACK, "blowhole": BLOWHOLE.T})
    trusted = BySize(Told(CRACK), Told(BLOWHOLE.T))
    blind = BySize(Told(CRACK), Told(FREE.T))  # misses 4 of 10 blocks: dice = 12 / 16
    scores, (lost,) = compare(trusted, [Contender("fp16", "onnxruntime", blind)], tiles, 1, POINT)
    assert scores == Scores(dice=1.0, iou={"crack": 1.0, "blowhole": 1.0})
    assert lost.dice_drop == pytest.approx(0.25)
    assert lost.iou_drop == {"crack": 0.0, "blowhole": 1.0}
    assert lost.flipped_pixel_fraction == pytest.approx(4 / 64)
    assert lost.verdicts_changed == 0.5


def test_contenders_are_held_against_the_trusted_engine_each_by_itself(cracks: TileSet):
    contenders = [
        Contender("fp32", "onnxruntime", Told(CRACK)),
        Contender("int8", "onnxruntime", Told(FREE)),
        Contender("int8", "openvino", Told(CRACK)),
    ]
    _, differences = compare(Told(CRACK), contenders, cracks, 1, POINT)
    assert [(d.variant, d.engine, d.dice_drop) for d in differences] == [
        ("fp32", "onnxruntime", 0.0),
        ("int8", "onnxruntime", 1.0),
        ("int8", "openvino", 0.0),
    ]


def test_one_contender_that_gives_no_number_is_marked_and_the_others_go_on(cracks: TileSet):
    broken = Contender("fp16", "onnxruntime", Told(CRACK, np.nan))
    good = Contender("fp32", "onnxruntime", Told(CRACK))
    _, (first, second) = compare(Told(CRACK), [broken, good], cracks, 1, POINT)
    assert first.max_abs_probability_difference is None
    assert second.max_abs_probability_difference == 0


def test_a_trusted_engine_that_gives_no_number_cannot_be_trusted(cracks: TileSet):
    with pytest.raises(ModelOutputError):
        compare(Told(CRACK, np.nan), [], cracks, 1, POINT)


def test_without_a_defect_anywhere_every_score_is_undefined(tmp_path: Path):
    tiles = write_tiles(tmp_path, [CLEAN])
    same = found(Told(FREE), Told(FREE), tiles)
    assert same.dice_drop is None
    assert same.largest_iou_drop is None


def test_scores_are_read_off_the_counts_of_pixels():
    truth, said = mask("1122"), mask("1102")
    counts = np.zeros((3, 3), dtype=np.int64)
    np.add.at(counts, (truth, said), 1)
    assert scores_of(counts, CLASSES) == Scores(
        dice=pytest.approx(6 / 7),
        iou={"crack": 1.0, "blowhole": 0.5},
    )
