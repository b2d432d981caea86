"""Two models' scores of the same pictures in, how sure each difference is out.

Two questions are asked of every metric. How large is the difference: a bootstrap over surfaces with
the same weights for both models. Could it be chance: the two models are swapped on randomly chosen
surfaces; where neither is better this gives as large a difference as often as not, which is exact
for any number of surfaces and any metric. n pictures, S surfaces, B draws.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from scipy import stats

from defectseg.comparison.ranked import RankedTable
from defectseg.evaluation.metrics import resample

Float = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int_]
CONFIDENCE = 0.95
CHANCE = 0.035  # of swaps: three gates together are then rarely worse by chance (docs/compare.md)
BLOCK = 250  # draws at once: bounds the memory
EQUAL = 1e-12  # differences closer than this are the same number, rounded


@dataclass(frozen=True)
class Evidence:
    """What the pictures say of one metric; NaN where undefined."""

    base: float
    head: float
    low: float  # 95 % interval of head - base
    high: float
    chance: float  # share of the swaps that give as large a difference, 0..1
    surfaces: int  # how many have any influence on the metric

    @property
    def difference(self) -> float:
        """Head - base."""
        return self.head - self.base

    @property
    def is_sure(self) -> bool:
        """Neither the interval nor the swaps leave it to chance."""
        is_apart = self.low > 0 or self.high < 0
        return is_apart and self.chance <= CHANCE


def weigh_evidence(
    base: RankedTable,
    head: RankedTable,
    surfaces: Sequence[str],
    classes: Sequence[str],
    draws: int,
    seed: int,
) -> dict[str, Evidence]:
    """Evidence on every metric of `ScoreTable.scores`.

    Args:
        base, head: The same n pictures in the same order.
        surfaces: (n,).
        draws: Of the bootstrap, and as many swaps.
    """
    ones = np.ones((1, len(surfaces)))
    values = [table.scores(ones, classes) for table in (base, head)]
    influence = count_influence(base, head, surfaces, classes)
    spread = bootstrap_differences(base, head, resample(surfaces, draws, seed), classes)
    swapped = swap_models(base, head, surfaces, classes, draws, seed)
    found = {}
    for name in values[0]:
        first, second = (float(value[name][0]) for value in values)
        low, high = expanded_interval(spread[name], influence[name])
        chance = share_as_large(swapped[name], second - first)
        found[name] = Evidence(first, second, low, high, chance, influence[name])
    return found


def expanded_interval(values: Float, surfaces: int) -> tuple[float, float]:
    """Percentiles far enough apart for a small number of surfaces.

    Plain percentiles are too narrow: as if the variance were known, and too small by (S - 1) / S.
    Hesterberg, "What teachers should know about the bootstrap", The American Statistician, 2015.
    """
    known = values[~np.isnan(values)]
    if surfaces < 2 or not len(known):
        return np.nan, np.nan
    tail = (1 - CONFIDENCE) / 2
    reach = np.sqrt(surfaces / (surfaces - 1)) * stats.t.ppf(tail, surfaces - 1)
    share = 100 * float(stats.norm.cdf(reach))
    low, high = np.percentile(known, (share, 100 - share))
    return float(low), float(high)


def share_as_large(swapped: Float, difference: float) -> float:
    """How often swaps (B,) give as large a difference; NaN if there is none."""
    if np.isnan(difference):
        return np.nan
    as_large = np.isnan(swapped) | (np.abs(swapped) >= abs(difference) - EQUAL)
    return float(as_large.mean())


def bootstrap_differences(
    base: RankedTable, head: RankedTable, weights: Float, classes: Sequence[str]
) -> dict[str, Float]:
    """Head - base (B,) of every metric for the same weights (B, n) of both."""
    blocks = range(0, len(weights), BLOCK)
    return _join(
        _difference(base, head, (block, block), classes)
        for block in (weights[start : start + BLOCK] for start in blocks)
    )


def swap_models(
    base: RankedTable,
    head: RankedTable,
    surfaces: Sequence[str],
    classes: Sequence[str],
    draws: int,
    seed: int,
) -> dict[str, Float]:
    """Differences (B,) when base and head change places on each surface by the toss of a coin.

    Every way that the coins can fall, where they are no more than `draws`; the first is no swap.
    """
    column = np.unique(np.asarray(surfaces), return_inverse=True)[1]
    both = stack(base, head)
    tossed = toss(np.unique(column[find_differing(base, head)]), column.max() + 1, draws, seed)
    found = []
    for start in range(0, len(tossed), BLOCK):
        stays = 1.0 - tossed[start : start + BLOCK, column]
        first = np.concatenate([stays, 1 - stays], axis=1)
        found.append(_difference(both, both, (first, 1 - first), classes))
    return _join(found)


def toss(differing: Ints, surfaces: int, draws: int, seed: int) -> npt.NDArray[np.uint8]:
    """Which surfaces (B, S) are swapped, 0 or 1, of those on which the models differ."""
    if 2 ** min(len(differing), 60) <= draws:
        ways = np.arange(2 ** len(differing))[:, None] >> np.arange(len(differing)) & 1
    else:
        coin = np.random.default_rng([seed, 1])
        ways = coin.integers(0, 2, (draws + 1, len(differing)))
        ways[0] = 0
    tossed = np.zeros((len(ways), surfaces), dtype=np.uint8)
    tossed[:, differing] = ways
    return tossed


def find_differing(base: RankedTable, head: RankedTable) -> npt.NDArray[np.bool_]:
    """The pictures (n,) of which the two models say anything different."""
    differs = np.zeros(len(base.score), dtype=bool)
    for field in fields(RankedTable):
        first, second = getattr(base, field.name), getattr(head, field.name)
        is_same = (first == second) | ((first != first) & (second != second))  # NaN is NaN
        differs |= ~is_same.reshape(len(differs), -1).all(axis=1)
    return differs


def stack(base: RankedTable, head: RankedTable) -> RankedTable:
    """One table (2 n) with the rows of both."""
    rows = {
        field.name: np.concatenate([getattr(base, field.name), getattr(head, field.name)])
        for field in fields(RankedTable)
    }
    return RankedTable(**rows)


def count_influence(
    base: RankedTable, head: RankedTable, surfaces: Sequence[str], classes: Sequence[str]
) -> dict[str, int]:
    """How many surfaces a metric of either model rests on.

    Those without which it changes, and those that alone would define it.
    """
    names, each = np.asarray(surfaces), np.array(sorted(set(surfaces)))
    whole = [table.scores(np.ones((1, len(names))), classes) for table in (base, head)]
    counts = dict.fromkeys(whole[0], 0)
    for start in range(0, len(each), BLOCK):
        alone = (names[None, :] == each[start : start + BLOCK, None]).astype(float)
        counted = {name: np.zeros(len(alone), dtype=bool) for name in counts}
        for table, values in zip((base, head), whole, strict=True):
            lone, others = table.scores(alone, classes), table.scores(1 - alone, classes)
            for name, value in values.items():
                moved = ~(np.abs(others[name] - value) <= EQUAL) & ~np.isnan(value)
                counted[name] |= moved | ~np.isnan(lone[name])
        counts = {name: counts[name] + int(counted[name].sum()) for name in counts}
    return counts


def _difference(
    base: RankedTable, head: RankedTable, weights: tuple[Float, Float], classes: Sequence[str]
) -> dict[str, Float]:
    first, second = base.scores(weights[0], classes), head.scores(weights[1], classes)
    return {name: second[name] - first[name] for name in first}


def _join(blocks: Iterable[dict[str, Float]]) -> dict[str, Float]:
    parts = list(blocks)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
