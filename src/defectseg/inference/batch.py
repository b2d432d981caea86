"""An array that a caller calls pictures in, an error that says what is wrong with it out."""

from typing import Any

import numpy as np
import numpy.typing as npt


def refuse_wrong_batch(pictures: npt.NDArray[Any], channels: int) -> None:
    """Raises: ValueError: It is not uint8 (N, H, W, C) with at least one picture and one pixel."""
    expected = f"expected uint8 pictures (N, H, W, {channels})"
    if not isinstance(pictures, np.ndarray):
        raise ValueError(f"pictures is a {type(pictures).__name__}; {expected} as a NumPy array")
    came = f"pictures is {pictures.dtype} {pictures.shape}; {expected}"
    if pictures.dtype != np.uint8:
        raise ValueError(f"{came}; scale the values to 0..255 first")
    if pictures.ndim != 4:
        raise ValueError(f"{came}; a single picture needs picture[None]")
    if pictures.shape[3] != channels:
        kind = "grey" if channels == 1 else "RGB"
        raise ValueError(f"{came}: the model was trained on {kind} pictures")
    if 0 in pictures.shape:
        raise ValueError(f"{came}, none of them 0")
