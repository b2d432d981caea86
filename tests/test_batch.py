"""batch: what is no batch of pictures is told so before an engine sees it."""

from typing import Any

import numpy as np
import pytest

from defectseg.inference.batch import refuse_wrong_batch


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (5, 7, 9, 3)])
def test_pictures_of_any_number_and_size_pass(shape: tuple[int, ...]):
    refuse_wrong_batch(np.zeros(shape, np.uint8), 3)


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ([[0]], "pictures is a list; expected uint8 pictures (N, H, W, 1) as a NumPy array"),
        (None, "pictures is a NoneType; "),
        (
            np.zeros((1, 2, 2, 1), np.float32),
            "pictures is float32 (1, 2, 2, 1); expected uint8 pictures (N, H, W, 1); scale the ",
        ),
        (np.zeros((1, 2, 2, 1), np.int8), "pictures is int8 "),
        (np.zeros((2, 2, 1), np.uint8), "a single picture needs picture[None]"),
        (np.zeros((1, 1, 2, 2, 1), np.uint8), "pictures is uint8 (1, 1, 2, 2, 1); "),
        (np.zeros((1, 2, 2, 3), np.uint8), ": the model was trained on grey pictures"),
        (np.zeros((0, 2, 2, 1), np.uint8), "pictures is uint8 (0, 2, 2, 1); "),
        (np.zeros((1, 0, 2, 1), np.uint8), "(N, H, W, 1), none of them 0"),
        (np.zeros((1, 2, 0, 1), np.uint8), ", none of them 0"),
    ],
)
def test_anything_else_is_told_what_came_and_what_was_expected(pictures: Any, message: str):
    with pytest.raises(ValueError) as caught:
        refuse_wrong_batch(pictures, 1)
    assert message in str(caught.value)


def test_a_model_of_colours_says_so():
    with pytest.raises(ValueError, match="trained on RGB pictures"):
        refuse_wrong_batch(np.zeros((1, 2, 2, 1), np.uint8), 3)
