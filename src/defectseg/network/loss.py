"""Logits and true masks in, one number to lower out: overlap (Dice) plus a loss of every pixel.

SMP's Dice skips a class that the batch does not show, so clean pictures teach it nothing: the pixel
loss is what teaches the network to keep still.
"""

from typing import Literal

from pydantic import Field
from segmentation_models_pytorch.losses import DiceLoss
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from defectseg.params import Section


class LossParams(Section):
    """params.yaml: train.loss."""

    dice_weight: float = Field(ge=0)
    pixel: Literal["cross_entropy", "focal"]
    focal_gamma: float = Field(ge=0)


class SegmentationLoss(nn.Module):
    """`dice_weight` × Dice over the defect classes + cross-entropy or focal over all pixels."""

    def __init__(self, params: LossParams, classes: int) -> None:
        super().__init__()
        self._dice_weight = params.dice_weight
        self._dice = DiceLoss("multiclass", classes=list(range(1, 1 + classes)), smooth=1.0)
        self._gamma = params.focal_gamma if params.pixel == "focal" else None

    def forward(self, logits: Tensor, true_masks: Tensor) -> Tensor:
        """Logits (N, 1 + K, S, S) and masks (N, S, S) int64 in 0..K."""
        logits = logits.float()
        if self._gamma is None:
            loss = cross_entropy(logits, true_masks)
        else:
            loss = focal_loss(logits, true_masks, self._gamma)
        if self._dice_weight:
            loss = loss + self._dice_weight * self._dice(logits, true_masks)
        return loss


def focal_loss(logits: Tensor, true_masks: Tensor, gamma: float) -> Tensor:
    """Cross-entropy in which a pixel counts by (1 - p)^gamma, p the softmax of its true class.

    Lin et al., "Focal Loss for Dense Object Detection", 2017. SMP's FocalLoss puts a sigmoid on
    each class instead, but what comes out of this network is read through a softmax.
    """
    log_p = log_softmax(logits, dim=1).gather(1, true_masks[:, None])
    missed = (1.0 - log_p.exp()).clamp_min(1e-6)  # at 0 a gamma below 1 has no finite slope
    return (missed**gamma * -log_p).mean()
