"""Logits and true masks in, one number to lower out: overlap (Dice) plus a loss of every pixel.

SMP's Dice skips a class that the batch does not show, so clean pictures teach it nothing: the pixel
loss is what teaches the network to keep still.
"""

from typing import Literal

from pydantic import Field
from segmentation_models_pytorch.losses import DiceLoss, FocalLoss
from torch import Tensor, nn

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
        focal = FocalLoss("multiclass", gamma=params.focal_gamma)
        self._pixel = focal if params.pixel == "focal" else nn.CrossEntropyLoss()

    def forward(self, logits: Tensor, true_masks: Tensor) -> Tensor:
        """Logits (N, 1 + K, S, S) and masks (N, S, S) int64 in 0..K."""
        logits = logits.float()
        loss: Tensor = self._pixel(logits, true_masks)
        if self._dice_weight:
            loss = loss + self._dice_weight * self._dice(logits, true_masks)
        return loss
