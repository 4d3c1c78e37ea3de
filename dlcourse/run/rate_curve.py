"""What the losses of a range test say of the learning rate (Smith 2017, arXiv:1506.01186, section 3.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcourse.results.curves import Numbers

FIRST = 5  # losses that are averaged at the start, and at the end of what was seen, to tell an explosion
TIMES = 3  # the loss has exploded where it is so many times what it was at the start
WIDTH = 0.15  # decades: standard deviation of the kernel that smooths the losses over the rate
BOTTOM = 0.05  # of the whole fall: so little above the lowest loss still is the bottom
BEGUN = 0.1  # of the whole fall: so much of it has to be made before the loss counts as falling
FALLEN = 1.5  # standard deviations of single losses: a smaller fall may be chance
RISEN = 0.5  # of the fall so far: a rise by so much ends what is read
SHARE = 0.1  # of the rate where the bottom ends that is suggested


@dataclass(frozen=True)
class Finding:
    """A curve and what is to be read in it.

    Args:
        rates: float64 [N], rising.
        losses: float64 [N], mean over the seeds; nan where a step was skipped.
        smooth: float64 [N], the same averaged over neighbouring rates.
        begins: the rate from which on the loss falls.
        steepest: where it falls fastest.
        bottom: the largest rate of those at which it is lowest.
        problem: why nothing can be suggested; None if something can.
    """

    rates: Numbers
    losses: Numbers
    smooth: Numbers
    begins: float
    steepest: float
    bottom: float
    problem: str | None = None

    @property
    def suggestion(self) -> float | None:
        """A tenth of `bottom`, to one digit; None if the curve has no minimum."""
        return one_digit(SHARE * self.bottom) if self.problem is None else None


def limit_of(losses: Sequence[float] | Numbers) -> float:
    """The loss above which training has exploded, by what it was in the first steps."""
    start = mean(np.asarray(losses[:FIRST], np.float64))
    return start + (TIMES - 1) * abs(start)


def has_exploded(losses: Sequence[float]) -> bool:
    """Whether the last losses are on average above what the first ones allow."""
    if len(losses) < 2 * FIRST:
        return False
    last = mean(np.asarray(losses[-FIRST:], np.float64))
    return last > limit_of(losses)


def judge(rates: Numbers, curves: Sequence[Numbers], *, exploded: bool) -> Finding:
    """Read the mean of several curves, as far as the shortest reaches.

    Args:
        rates: float64 [N], rising; those of every curve.
        curves: float64 [at most N] each, the loss of every step; nan where it was skipped.
        exploded: whether the shortest ended in an explosion.

    Raises:
        ValueError: there is no curve, or one without a loss.
    """
    shortest = min((len(curve) for curve in curves), default=0)
    if not shortest:
        raise ValueError("curves must hold a loss each")
    rates = rates[:shortest]
    stacked = np.stack([curve[:shortest] for curve in curves])
    known = ~np.isnan(stacked)
    counts = known.sum(axis=0)
    losses = np.where(counts > 0, np.where(known, stacked, 0.0).sum(axis=0) / np.maximum(counts, 1), math.nan)
    # An explosion's thousands would reach through the kernel to rates that did no harm.
    smooth = smoothed(rates, np.minimum(losses, limit_of(losses)))
    noise = 1.48 * float(np.median(np.abs(losses - smooth)[np.isfinite(losses)]))  # a standard deviation's stand-in
    read = smooth[: until_risen(smooth, noise=noise)]
    lowest, fall = int(read.argmin()), float(smooth[0] - read.min())
    above = np.flatnonzero(smooth[lowest:] > smooth[lowest] + BOTTOM * fall)
    end = lowest + int(above[0]) - 1 if len(above) else shortest - 1
    begun = int(np.argmax(smooth <= smooth[0] - BEGUN * fall))
    slopes = np.diff(smooth[: end + 1])
    steepest = int(slopes.argmin()) if len(slopes) else 0
    problem = None
    if not fall > FALLEN * noise:  # nor where the loss is no number
        problem = "the loss never fell by more than its noise: more steps=, a larger max=, or a model that learns"
        if exploded:
            problem = (
                f"the loss exploded at {rates[-1]:.2g} and fell before by no more than its noise: "
                "a smaller min=, or more steps="
            )
    elif not len(above) and not exploded:
        problem = (
            f"the loss has no minimum: it was still falling at the highest rate, {rates[-1]:.2g}: say a larger max="
        )
    return Finding(
        rates, losses, smooth, float(rates[begun]), float(rates[steepest]), float(rates[end]), problem=problem
    )


def until_risen(smooth: Numbers, *, noise: float) -> int:
    """How many values to read: up to where the loss has risen again by RISEN of its fall, which is where rates begin
    to do harm; what is lower behind that was reached by luck."""
    lowest = np.minimum.accumulate(smooth)
    fallen = smooth[0] - lowest
    risen = np.flatnonzero((fallen > FALLEN * noise) & (smooth - lowest > RISEN * fallen))
    return int(risen[0]) if len(risen) else len(smooth)


def smoothed(rates: Numbers, losses: Numbers) -> Numbers:
    """Float64 [N]: means of the losses weighted by a normal curve over the logarithm of the rate.

    It looks as far ahead as back, so that a minimum stays where it is; an average of the past alone would show it at a
    rate that is too high.
    """
    places = np.log10(rates)
    weights = np.exp(-0.5 * ((places[:, None] - places[None, :]) / WIDTH) ** 2)
    known = np.isfinite(losses)
    if not known.any():
        return np.full(len(losses), math.nan)
    return weights[:, known] @ losses[known] / np.maximum(weights[:, known].sum(axis=1), 1e-300)


def mean(values: Numbers) -> float:
    """The mean of those that are finite; infinite if none is."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else math.inf


def one_digit(rate: float) -> float:
    """A rate to one significant digit: more would claim to know more."""
    return float(f"{rate:.0e}")
