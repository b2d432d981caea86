"""What a training says when memory runs out."""

import pytest
import torch

from defectseg.errors import TrainingError
from defectseg.network.learner import _memory_advice


def test_memory_that_runs_out_says_what_to_lower():
    with (
        pytest.raises(TrainingError, match=r"memory ran out; lower train\.batch_size first"),
        _memory_advice(),
    ):
        torch.empty(2**60)


def test_an_error_that_is_not_about_memory_stays_what_it_is():
    with pytest.raises(RuntimeError, match="size of tensor"), _memory_advice():
        torch.zeros(2) + torch.zeros(3)
