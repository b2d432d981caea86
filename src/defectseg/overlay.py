"""A picture and a mask in, the picture with its defects tinted by class out."""

import numpy as np
import numpy.typing as npt

COLOURS = np.array(  # of the classes 1..: Okabe and Ito's palette, told apart by the colour-blind
    [(230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167)]
)


def overlay(picture: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Tint the defect pixels by their class: (H, W, C) and (H, W) → (H, W, 3)."""
    rgb = to_rgb(picture).astype(float)
    colours = COLOURS[(mask.astype(int) - 1) % len(COLOURS)]
    tinted = np.where((mask > 0)[..., None], 0.45 * rgb + 0.55 * colours, rgb)
    return tinted.round().astype(np.uint8)


def to_rgb(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(H, W, 1 or 3) → (H, W, 3)."""
    return np.broadcast_to(picture, (*picture.shape[:2], 3))
