"""Rates in, when to send each request out; times of replies in, percentiles, knee and recovery out.

A reply's latency counts from the moment at which its request was due, not from when it was sent:
a generator that waits for a slow server would else leave out just the slow moments.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Phase:
    """A stretch of time with one offered rate."""

    rate: float  # requests/s
    seconds: float

    def __post_init__(self) -> None:
        if not (self.rate > 0 and self.seconds > 0):
            raise ValueError(
                f"phase of {self.rate} requests/s for {self.seconds} s; expected both above 0"
            )


def send_times(phases: Sequence[Phase], poisson_seed: int | None = None) -> list[float]:
    """When each request is due, seconds from the start, in order.

    Args:
        poisson_seed: None sends evenly; a number draws the gaps from the exponential distribution.
    """
    times, start = [], 0.0
    draw = None if poisson_seed is None else random.Random(poisson_seed)
    for phase in phases:
        end = start + phase.seconds
        if draw is None:
            count = ceil(phase.rate * phase.seconds - 1e-9)
            times += [start + number / phase.rate for number in range(count)]
        else:
            due = start + draw.expovariate(phase.rate)
            while due < end:
                times.append(due)
                due += draw.expovariate(phase.rate)
        start = end
    return times


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that at least `percent` % of them do not exceed.

    Raises:
        ValueError: There are no values, or the percentage is not in (0, 100].
    """
    if not values or not 0 < percent <= 100:
        raise ValueError(
            f"percentile {percent} of {len(values)} values; expected at least one value, and a "
            "percentage above 0 and up to 100"
        )
    return sorted(values)[ceil(percent * len(values) / 100 - 1e-9) - 1]


def find_knee(holds: Callable[[float], bool], low: float, high: float, steps: int) -> float:
    """The highest rate that holds, by bisection between two rates.

    `low` is halved until it holds; a `high` that holds is the answer.

    Returns:
        The highest rate tried that held; 0 if not even a sixteenth of `low` does.
    """
    tried = low
    while not holds(tried):
        high, tried = tried, tried / 2
        if tried < low / 16:
            return 0.0
    if high > tried and holds(high):
        return high
    held = tried
    for _ in range(steps):
        middle = (held + high) / 2
        if holds(middle):
            held = middle
        else:
            high = middle
    return held


def seconds_to_normal(
    after: Sequence[tuple[float, float]], limit: float, percent: float = 99
) -> float | None:
    """How long after an overload the latency is normal again, in whole seconds.

    Args:
        after: When each request was due, seconds after the overload, and its latency; a latency
            of infinity is a request that got no good reply.
        limit: Normal is a percentile of at most this.

    Returns:
        The first second from which on all that follows is normal; None = never.
    """
    last = int(max(due for due, _ in after)) if after else -1
    for second in range(last + 1):
        rest = [latency for due, latency in after if due >= second]
        if percentile(rest, percent) <= limit:
            return float(second)
    return None
