"""loss: what the network is told to lower."""

import math
from typing import Any

import pytest
import torch
from segmentation_models_pytorch.losses import DiceLoss
from torch import Tensor
from torch.nn.functional import one_hot

from conftest import mask
from defectseg.network.loss import LossParams, SegmentationLoss

CLASSES = 2
TRUE = torch.from_numpy(mask("..... .11.. .11.2 ....2"))[None].long()
CLEAN = torch.zeros_like(TRUE)
PIXEL_LOSSES = pytest.mark.parametrize("pixel", ["cross_entropy", "focal"])


def loss_of(logits: Tensor, true_masks: Tensor, **changes: Any) -> Tensor:
    params = {"dice_weight": 1.0, "pixel": "cross_entropy", "focal_gamma": 2.0} | changes
    loss: Tensor = SegmentationLoss(LossParams.model_validate(params), CLASSES)(logits, true_masks)
    return loss


def sure_of(masks: Tensor, logit: float = 30.0) -> Tensor:
    """Logits (N, 1 + K, H, W) that put all probability on these masks."""
    return one_hot(masks, 1 + CLASSES).permute(0, 3, 1, 2).float() * logit


@PIXEL_LOSSES
def test_perfect_logits_cost_nothing(pixel: str):
    assert loss_of(sure_of(TRUE), TRUE, pixel=pixel).item() < 1e-3


@PIXEL_LOSSES
def test_a_missed_defect_costs_more_than_a_found_one(pixel: str):
    missed, found = sure_of(CLEAN, 4.0), sure_of(TRUE, 4.0)
    assert loss_of(missed, TRUE, pixel=pixel) > 5 * loss_of(found, TRUE, pixel=pixel)


# Four pixels, one of class 1, all probabilities 1/3.
CORNER = torch.from_numpy(mask("#. .."))[None].long()
UNDECIDED = torch.zeros(1, 1 + CLASSES, 2, 2)


def test_undecided_logits_cost_what_a_hand_finds():
    # Dice of class 1, in SMP's form with 1 added above and below:
    # (tp + 1) / (tp + fp / 2 + fn / 2 + 1) = (1/3 + 1) / (1/3 + 1/2 + 1/3 + 1) = 8/13.
    # Class 2 is nowhere: SMP's Dice loss is 0 there, and the mean is over both classes.
    dice = (1 - 8 / 13) / 2
    for weight in (0.0, 1.0, 4.0):
        cost = loss_of(UNDECIDED, CORNER, dice_weight=weight).item()
        assert cost == pytest.approx(math.log(3) + weight * dice)


def test_the_focal_loss_is_the_cross_entropy_times_what_the_softmax_misses():
    cost = loss_of(UNDECIDED, CORNER, dice_weight=0, pixel="focal", focal_gamma=2.0).item()
    assert cost == pytest.approx((2 / 3) ** 2 * math.log(3))


def test_a_focal_loss_of_gamma_0_is_the_cross_entropy():
    logits = torch.randn(
        1, 1 + CLASSES, *TRUE.shape[1:], generator=torch.Generator().manual_seed(0)
    )
    focal = loss_of(logits, TRUE, pixel="focal", focal_gamma=0.0).item()
    assert focal == pytest.approx(loss_of(logits, TRUE).item())


def gradient_on_clean_tiles(loss: Any) -> float:
    logits = torch.zeros(1, 1 + CLASSES, *CLEAN.shape[1:], requires_grad=True)
    loss(logits, CLEAN).backward()
    assert logits.grad is not None
    return logits.grad.abs().max().item()


def test_smp_dice_alone_teaches_nothing_on_a_clean_batch():
    dice = DiceLoss("multiclass", classes=[1, 2], smooth=1.0)
    assert gradient_on_clean_tiles(dice) == 0


@PIXEL_LOSSES
def test_a_clean_batch_still_teaches(pixel: str):
    assert gradient_on_clean_tiles(lambda x, y: loss_of(x, y, pixel=pixel)) > 1e-3


def test_the_focal_loss_counts_easy_pixels_less():
    easy, hard = sure_of(TRUE, 3.0), sure_of(CLEAN, 3.0)

    def easy_to_hard(**changes: Any) -> float:
        costs = [loss_of(logits, TRUE, dice_weight=0, **changes) for logits in (easy, hard)]
        return (costs[0] / costs[1]).item()

    assert easy_to_hard(pixel="focal") < 0.5 * easy_to_hard(pixel="cross_entropy")
    assert easy_to_hard(pixel="focal", focal_gamma=4.0) < easy_to_hard(pixel="focal")


def test_bfloat16_logits_are_judged_in_float32():
    logits = sure_of(TRUE, 2.0)
    assert loss_of(logits.bfloat16(), TRUE).dtype == torch.float32
    assert loss_of(logits.bfloat16(), TRUE).item() == pytest.approx(loss_of(logits, TRUE).item())
