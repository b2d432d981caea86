"""average: the moving average of the weights is lent to the valid part, and taken back."""

import pytest
import torch

from defectseg.network.average import WARM_UP, decay_at, follow


def test_the_average_follows_fast_at_first_and_then_by_its_decay():
    assert decay_at(0, 0.99) == 1 / WARM_UP
    assert decay_at(9, 0.99) == pytest.approx(10 / 19)
    assert decay_at(10**6, 0.99) == 0.99


def test_one_step_moves_the_average_by_its_share_and_copies_counters():
    average = {"weight": torch.tensor([1.0, 3.0]), "batches": torch.tensor(4)}
    follow(average, {"weight": torch.tensor([2.0, 3.0]), "batches": torch.tensor(5)}, 0.75)
    assert average["weight"].tolist() == [1.25, 3.0]
    assert average["batches"].item() == 5


def test_many_steps_are_the_sum_of_all_weights_by_falling_shares():
    draw = torch.Generator().manual_seed(0)
    steps = torch.rand(30, generator=draw)
    average = {"weight": steps[:1].clone()}
    for step in steps[1:]:
        follow(average, {"weight": step[None]}, 0.9)
    shares = 0.1 * 0.9 ** torch.arange(28, -1, -1)
    expected = 0.9**29 * steps[0] + (shares * steps[1:]).sum()
    assert average["weight"].item() == pytest.approx(expected.item(), rel=1e-5)
