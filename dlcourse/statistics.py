"""Whether a difference is more than chance: tests over items and over seeds, and the intervals that go with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, stdtr, stdtrit  # scipy.stats takes a second to import

NORMAL = 1.959963984540054
"""The standard normal distribution's 97.5 % quantile."""
Hits = NDArray[np.bool_]
"""Bool [N]: which items a model has right, in an order that both models share."""
MOST_SPLITS = 50_000  # of measurements into two sides, which the permutation test goes through in a tenth of a second
ROUNDING = 1e-12  # of the largest number: a spread below it is the arithmetic's


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
class MeanDifference:
    """A difference of means with its interval, and how probable one as large is if there is none.

    Args:
        interval: in the unit of what was measured.
        p_value: two-sided; None where no measurement differs from another of its side but the sides differ, which
            leaves nothing to judge chance by.
    """

    interval: Interval
    p_value: float | None


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
    p_value = min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5)))
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


def mean_interval(values: Sequence[float], *, level: float = 0.95) -> tuple[float, float]:
    """The ends of the t interval of a mean (Student 1908).

    Args:
        values: independent measurements, such as one number a seed.
        level: how often such an interval holds the true mean, above 0 and below 1.

    Raises:
        ValueError: there are fewer than two measurements, or the level is out of range.
    """
    tail = _tail(level)
    _check_counts(values=values)
    mean, reach = float(np.mean(values)), _reach(tail, _variance(values) / len(values), len(values) - 1)
    return mean - reach, mean + reach


def welch(first: Sequence[float], second: Sequence[float], *, level: float = 0.95) -> Interval:
    """Mean of `first` less that of `second`, with the interval for unequal variances (Welch 1947).

    Args:
        first: independent measurements, such as one number a seed.
        second: likewise, as many or another number of them.
        level: how often such an interval holds the true difference, above 0 and below 1.

    Raises:
        ValueError: there are fewer than two measurements of one side, or the level is out of range.
    """
    return welch_test(first, second, level=level).interval


def welch_test(first: Sequence[float], second: Sequence[float], *, level: float = 0.95) -> MeanDifference:
    """`welch` with its p-value; arguments and errors are the same."""
    _check_counts(first=first, second=second)
    shares = [_variance(values) / len(values) for values in (first, second)]
    difference, square = float(np.mean(first) - np.mean(second)), sum(shares)
    parts = [share**2 / (len(values) - 1) for share, values in zip(shares, (first, second), strict=True)]
    return _tested(difference, square=square, freedom=square**2 / sum(parts) if square else 1.0, level=level)


def pooled_test(first: Sequence[float], second: Sequence[float], *, level: float = 0.95) -> MeanDifference:
    """Mean of `first` less that of `second` if both scatter alike: Student's test, which one side of one is enough for.

    One measurement against several is the test of Crawford and Howell (1998).

    Args:
        first: independent measurements.
        second: likewise.
        level: how often such an interval holds the true difference, above 0 and below 1.

    Raises:
        ValueError: a side is empty, both hold one measurement, or the level is out of range.
    """
    freedom = len(first) + len(second) - 2
    if not first or not second or not freedom:
        raise ValueError(f"first and second must hold 1 and 2 or more, not {len(first)} and {len(second)}")
    variance = sum(_variance(values) * (len(values) - 1) for values in (first, second)) / freedom
    square = variance * (1 / len(first) + 1 / len(second))
    return _tested(float(np.mean(first) - np.mean(second)), square=square, freedom=freedom, level=level)


def paired_test(first: Sequence[float], second: Sequence[float], *, level: float = 0.95) -> MeanDifference:
    """Mean difference of measurements that belong together in pairs, such as of one seed (Student 1908).

    Args:
        first: measurements.
        second: their partners, in the same order.
        level: how often such an interval holds the true difference, above 0 and below 1.

    Raises:
        ValueError: there are fewer than two pairs, a measurement has no partner, or the level is out of range.
    """
    gaps = [one - other for one, other in zip(first, second, strict=True)]
    _check_counts(first=first)
    if max(gaps) - min(gaps) <= ROUNDING * max(map(abs, (*first, *second))):
        gaps = [gaps[0]] * len(gaps)
    return _tested(float(np.mean(gaps)), square=_variance(gaps) / len(gaps), freedom=len(gaps) - 1, level=level)


def permutation_test(first: Sequence[float], second: Sequence[float]) -> float | None:
    """How often a random division of all measurements into such sides parts their means as far (Fisher 1935).

    Every division is counted, so the value is exact and supposes nothing of how they scatter. None if there are more
    than 50,000 divisions, where Welch's test needs no help.

    Raises:
        ValueError: a side is empty.
    """
    if not first or not second:
        raise ValueError(f"first and second must hold 1 or more each, not {len(first)} and {len(second)}")
    values = np.array([*first, *second], dtype=np.float64)
    if math.comb(len(values), len(first)) > MOST_SPLITS:
        return None
    values -= values.mean()
    # With the mean at 0 the sum of one side says how far the means are apart, in the same unit for every division.
    sums = np.abs(values[np.array(list(combinations(range(len(values)), len(first))))].sum(axis=1))
    return float((sums >= sums[0] - ROUNDING * np.abs(values).sum()).mean())


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several tests, raised so that the chance of any false one stays below the level (Holm 1979)."""
    found, raised = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        raised = max(raised, min(1.0, (len(p_values) - rank) * p_values[place]))
        found[place] = raised
    return found


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


def _check_counts(**sides: Sequence[float]) -> None:
    """Raise ValueError if there is a side without spread."""
    for name, values in sides.items():
        if len(values) < 2:
            raise ValueError(f"{name} must hold at least 2 measurements to have a spread, not {len(values)}")


def _variance(values: Sequence[float]) -> float:
    """The unbiased variance; 0 where measurements differ by no more than rounding, or there is one."""
    if max(values) - min(values) <= ROUNDING * max(map(abs, values)):
        return 0.0
    return float(np.var(values, ddof=1))


def _reach(tail: float, square: float, freedom: float) -> float:
    """Half the width of a t interval.

    Args:
        tail: the chance beyond each end.
        square: of the standard error.
        freedom: degrees of freedom.
    """
    return -float(stdtrit(freedom, tail)) * math.sqrt(square)


def _tested(difference: float, *, square: float, freedom: float, level: float) -> MeanDifference:
    """The t test of a difference whose squared standard error is `square`."""
    reach = _reach(_tail(level), square, freedom)
    interval = Interval(difference - reach, difference, difference + reach)
    if not square:
        return MeanDifference(interval, None if difference else 1.0)
    return MeanDifference(interval, 2 * float(stdtr(freedom, -abs(difference) / math.sqrt(square))))


def _discordant(first: Hits, second: Hits) -> tuple[int, int]:
    """How many items the first model alone has right, and how many the second alone."""
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise ValueError(
            f"first {list(first.shape)} and second {list(second.shape)} must hold one entry for each of the same items"
        )
    return int((first & ~second).sum()), int((second & ~first).sum())
