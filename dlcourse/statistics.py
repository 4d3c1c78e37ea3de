"""Whether a difference is more than chance: McNemar's test, a bootstrap over items, Welch's and Wilson's intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

NORMAL = 1.959963984540054
"""The standard normal distribution's 97.5 % quantile."""
Hits = NDArray[np.bool_]
"""Bool [N]: which items a model has right, in an order that both models share."""


@dataclass(frozen=True)
class Interval:
    """A difference and the ends of its confidence interval, all in the unit of what was compared."""

    low: float
    difference: float
    high: float


@dataclass(frozen=True)
class Share:
    """A share and the ends of its interval, 0 to 1."""

    low: float
    share: float
    high: float


@dataclass(frozen=True)
class Discordance:
    """Items that one of two models alone has right, and how probable a split as uneven is if both err alike."""

    only_first: int
    only_second: int
    p_value: float


def mcnemar(first: Hits, second: Hits) -> Discordance:
    """McNemar's exact two-sided test of two models on the same items (McNemar 1947; Dietterich 1998, section 3.1).

    Of the items on which one model alone is right, each has it right with chance 1/2 if both err equally often.

    Args:
        first: bool [N], which items the first model has right.
        second: bool [N], likewise of the second.

    Raises:
        ValueError: the two are not of one length above 0.
    """
    gained, lost = _discordant(first, second)
    p_value = float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return Discordance(gained, lost, p_value)


def paired_bootstrap(first: Hits, second: Hits, *, level: float = 0.95) -> Interval:
    """Accuracy of `first` less that of `second`, with its percentile interval (Efron and Tibshirani 1993, chapter 13).

    Resampling items draws each one's difference, +1, 0 or -1, anew, so the sum over a resample has a distribution that
    can be written down. It is computed instead of sampled: no seed, and the same ends every time.

    Args:
        first: bool [N], which items the first model has right.
        second: bool [N], likewise of the second.
        level: share of the resamples between the ends, above 0 and below 1.

    Raises:
        ValueError: the two are not of one length above 0, or the level is out of range.
    """
    tail = _tail(level)
    gained, lost = _discordant(first, second)
    count = len(first)
    # Place i holds the chance of a sum i, the negative ones from the end, as a circular convolution wants it.
    one = np.zeros(1 << (2 * count).bit_length())
    one[[0, 1, -1]] = np.array([count - gained - lost, gained, lost]) / count
    sums = np.fft.irfft(np.fft.rfft(one) ** count, n=len(one))
    chances = np.concatenate([sums[-count:], sums[: count + 1]])
    low = int(np.searchsorted(chances.cumsum(), tail)) - count
    # Counted from above, so that exchanging the models mirrors the interval.
    high = count - int(np.searchsorted(chances[::-1].cumsum(), tail))
    return Interval(low / count, (gained - lost) / count, high / count)


def welch(first: Sequence[float], second: Sequence[float], *, level: float = 0.95) -> Interval:
    """Mean of `first` less that of `second`, with the interval for unequal variances (Welch 1947).

    Args:
        first: independent measurements, such as one number a seed.
        second: likewise, as many or another number of them.
        level: how often such an interval holds the true difference, above 0 and below 1.

    Raises:
        ValueError: there are fewer than two measurements of one side, or the level is out of range.
    """
    tail = _tail(level)
    for name, values in (("first", first), ("second", second)):
        if len(values) < 2:
            raise ValueError(f"{name} must hold at least 2 measurements to have a spread, not {len(values)}")
    shares = [float(np.var(values, ddof=1)) / len(values) for values in (first, second)]
    difference = float(np.mean(first) - np.mean(second))
    if not sum(shares):
        return Interval(difference, difference, difference)
    freedom = sum(shares) ** 2 / sum(
        share**2 / (len(values) - 1) for share, values in zip(shares, (first, second), strict=True)
    )
    reach = float(stats.t.isf(tail, freedom)) * math.sqrt(sum(shares))
    return Interval(difference - reach, difference, difference + reach)


def wilson(points: float, games: int) -> Share:
    """The share of points won, with its 95 % interval (Wilson 1927; Brown, Cai and DasGupta 2001, section 3.1).

    Args:
        points: games won; a draw is half a point.
        games: all of them, 1 or more.
    """
    if not 0 <= points <= games or not games:
        raise ValueError(f"points must be 0 to games and games 1 or more, not {points} of {games}")
    share, square = points / games, NORMAL**2
    middle = (points + square / 2) / (games + square)
    reach = NORMAL * math.sqrt(games * share * (1 - share) + square / 4) / (games + square)
    return Share(max(0.0, middle - reach), share, min(1.0, middle + reach))


def _tail(level: float) -> float:
    """The chance beyond each end of an interval."""
    if not 0 < level < 1:
        raise ValueError(f"level must be above 0 and below 1, not {level}")
    return (1 - level) / 2


def _discordant(first: Hits, second: Hits) -> tuple[int, int]:
    """How many items the first model alone has right, and how many the second alone."""
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise ValueError(
            f"first {list(first.shape)} and second {list(second.shape)} must hold one entry for each of the same items"
        )
    return int((first & ~second).sum()), int((second & ~first).sum())
