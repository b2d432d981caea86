"""The weights of a running training in, their moving average out: steadier than any one step.

Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992; Tarvainen and
Valpola, "Mean teachers are better role models", 2017.
"""

from fastai.callback.core import Callback
from torch import Tensor

WARM_UP = 10  # steps: the average begins to follow fast, or it would be that of random weights


class WeightAverage(Callback):
    """Averages the weights over the steps; lends the average to the valid part and what follows."""

    order = 25  # after each step of the optimizer, before anything is scored

    def __init__(self, decay: float, average: dict[str, Tensor]) -> None:
        """Args: decay: 0 = no average. average: of an interrupted training, else empty."""
        self._decay, self.average = decay, average
        self._live: dict[str, Tensor] = {}

    def before_fit(self) -> None:
        """Start from the first weights; lend what a checkpoint kept, for it is drawn again."""
        if not self._decay:
            return
        first = self._copy()
        if self.average:
            self.average = {k: self.average[k].to(own.device) for k, own in first.items()}
            self._lend()
        else:
            self.average = first

    def after_batch(self) -> None:
        """Follow by one step."""
        if self.training and self._decay:
            step = self.epoch * len(self.dls.train) + self.iter
            follow(self.average, self.model.state_dict(), decay_at(step, self._decay))

    def before_validate(self) -> None:
        """Lend the average."""
        if self._decay:
            self._lend()

    def before_train(self) -> None:
        """Take it back."""
        if self._live:
            self.model.load_state_dict(self._live)
            self._live = {}

    def _lend(self) -> None:
        self._live = self._copy()
        self.model.load_state_dict(self.average)

    def weights(self) -> dict[str, Tensor]:
        """Those that the optimizer moves, whichever the network holds now."""
        return self._live or dict(self.model.state_dict())

    def _copy(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.model.state_dict().items()}


def decay_at(step: int, decay: float) -> float:
    """The share of the average that stays at a step, counted from 0."""
    return min(decay, (1 + step) / (WARM_UP + step))


def follow(average: dict[str, Tensor], weights: dict[str, Tensor], decay: float) -> None:
    """Move an average towards weights, in place; counters are copied."""
    for name, value in weights.items():
        if value.dtype.is_floating_point:
            average[name].lerp_(value.detach(), 1 - decay)
        else:
            average[name].copy_(value)
