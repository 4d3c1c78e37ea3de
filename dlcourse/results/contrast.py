"""Two groups of runs against each other: over seeds where there are several, over test items of one run each."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlcourse.results.predictions import NoPredictions, paired_hits
from dlcourse.results.record import RunRecord
from dlcourse.statistics import (
    Discordance,
    MeanDifference,
    mcnemar,
    mean_interval,
    paired_bootstrap,
    paired_test,
    permutation_test,
    pooled_test,
    welch_test,
)

Basis = Literal["seeds", "folds", "one", "items", "none"]
BY_ITEMS = "accuracy"
"""The metric that is a mean over items which are right or wrong, one by one."""


@dataclass(frozen=True)
class Summary:
    """A metric over the runs of a group.

    Args:
        mean: over its measurements.
        sd: their standard deviation; None of a single one.
        n: how many there are.
        low: the lower end of the mean's 95 % t interval; None of a single one.
        high: the upper end.
    """

    mean: float
    sd: float | None
    n: int
    low: float | None
    high: float | None


def summarize(values: Sequence[float]) -> Summary:
    """Mean, spread and interval of independent measurements.

    Raises:
        ValueError: there are none.
    """
    if not values:
        raise ValueError("values must hold 1 measurement or more, not 0")
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return Summary(mean, None, 1, None, None)
    return Summary(mean, float(np.std(values, ddof=1)), len(values), *mean_interval(values))


@dataclass(frozen=True)
class Arm:
    """One group's measurements of one metric.

    Args:
        name: what sentences call it.
        records: its runs that count.
        values: what tells a run of the group from its others, such as the seed -> what it measured; never empty.
        folds: how many folds of cross-validation its runs are; 0 if they are none.
    """

    name: str
    records: tuple[RunRecord, ...]
    values: Mapping[Hashable, float]
    folds: int = 0


@dataclass(frozen=True)
class Contrast:
    """What is known of a difference.

    Args:
        first: the name of one arm.
        second: of the other.
        counts: how many measurements each has.
        difference: mean of the first less mean of the second.
        basis: "seeds", several runs on both sides; "folds", the same folds on both sides; "one", one run against
            several; "items", one run each on the same test items; "none", one run each and nothing else.
        tested: the interval and p-value; None without a basis.
        exact: the p-value of the permutation test over runs; None without one.
        paired: the difference by seed, if both arms have the same ones.
        discordance: of one run each, items that one alone has right.
        items: how many test items there are, if they are the basis.
        why: of no basis, why the items could not be compared.
    """

    first: str
    second: str
    counts: tuple[int, int]
    difference: float
    basis: Basis
    tested: MeanDifference | None = None
    exact: float | None = None
    paired: MeanDifference | None = None
    discordance: Discordance | None = None
    items: int = 0
    why: str = ""

    @property
    def p_value(self) -> float | None:
        """What decides: of McNemar's test over items, else of the t test over runs; None if there is no test."""
        if self.discordance is not None:
            return self.discordance.p_value
        return None if self.tested is None else self.tested.p_value

    @property
    def least(self) -> float:
        """The smallest p-value that the permutation test can give with so many runs."""
        ways = math.comb(sum(self.counts), self.counts[0])
        return (2 if self.counts[0] == self.counts[1] else 1) / ways


def contrast(first: Arm, second: Arm, *, metric: str, full: bool = True) -> Contrast:
    """Test the difference of two arms as well as their runs allow.

    Args:
        first: one arm.
        second: the other.
        metric: what was measured, with its split; `test.accuracy` of one run each can be tested item by item.
        full: also what only tells more of the difference than the p-value that decides, and takes its time.
    """
    one, other = list(first.values.values()), list(second.values.values())
    counts = (len(one), len(other))
    difference = math.fsum(one) / len(one) - math.fsum(other) / len(other)
    if max(counts) == 1:
        return over_items(first, second, metric=metric, difference=difference, full=full)
    alike = first.values.keys() == second.values.keys()
    if alike and min(first.folds, second.folds) > 1:
        # A fold that is hard is hard for both sides: without pairs that would count as chance.
        paired = paired_test(one, [second.values[label] for label in first.values])
        return Contrast(first.name, second.name, counts, difference, "folds", paired)
    exact = permutation_test(one, other) if full else None
    if min(counts) == 1:
        tested = pooled_test(one, other)
        return Contrast(first.name, second.name, counts, difference, "one", tested, exact)
    paired = None
    if alike:
        paired = paired_test(one, [second.values[label] for label in first.values])
    return Contrast(first.name, second.name, counts, difference, "seeds", welch_test(one, other), exact, paired)


def over_items(first: Arm, second: Arm, *, metric: str, difference: float, full: bool) -> Contrast:
    """One run each: McNemar's test and the paired bootstrap over the test items, if they can be had."""
    plain = Contrast(first.name, second.name, (1, 1), difference, "none")
    if metric != f"test.{BY_ITEMS}":
        return because(plain, f"{metric.replace('.', ' ')} is not tested item by item (test.{BY_ITEMS} is)")
    try:
        one, other = paired_hits(first.records[0], second.records[0])
    except NoPredictions as error:
        return because(plain, error.problems[0])
    measured = float(one.mean() - other.mean())
    if abs(measured - difference) > 1e-6:
        return because(plain, "predictions.npz does not give the accuracy that was recorded")
    found = mcnemar(one, other)
    tested = MeanDifference(paired_bootstrap(one, other), found.p_value) if full else None
    return Contrast(
        first.name, second.name, (1, 1), difference, "items", tested, discordance=found, items=len(one)
    )  # fmt: skip


def because(plain: Contrast, why: str) -> Contrast:
    """The contrast with the reason why there is no test."""
    return Contrast(plain.first, plain.second, plain.counts, plain.difference, "none", why=why)
