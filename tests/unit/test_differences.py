"""Tests over seeds agree with scipy, and with simulation: how often they err and how often their intervals hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dlcourse.statistics import (
    MeanDifference,
    holm,
    mean_interval,
    paired_test,
    permutation_test,
    pooled_test,
    welch_test,
)

DRAWS = 3000
SPREAD = st.floats(-100, 100).map(lambda value: round(value, 3))
SIDE = st.lists(SPREAD, min_size=2, max_size=6).filter(lambda values: max(values) - min(values) > 0.01)

PAIRS = st.lists(st.tuples(SPREAD, SPREAD), min_size=2, max_size=6).filter(
    lambda pairs: bool(np.ptp([one - other for one, other in pairs]) > 0.01)
)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def within(share: float, wanted: float) -> bool:
    """Whether a share of DRAWS is as near as chance lets it be, four standard errors."""
    return abs(share - wanted) < 4 * math.sqrt(wanted * (1 - wanted) / DRAWS)


def test_the_interval_of_three_seeds_by_hand() -> None:
    # Mean 0.92, standard deviation 0.01, and 4.3027 is the t distribution's 97.5 % quantile with two degrees.
    low, high = mean_interval([0.91, 0.92, 0.93])
    assert (low, high) == pytest.approx((0.92 - 4.3026527 * 0.01 / 3**0.5, 0.92 + 4.3026527 * 0.01 / 3**0.5))


@given(SIDE)
def test_a_means_interval_agrees_with_scipy(values: list[float]) -> None:
    expected = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    assert mean_interval(values) == pytest.approx(expected)


@given(SIDE, SIDE)
def test_welchs_p_value_agrees_with_scipy(first: list[float], second: list[float]) -> None:
    assert welch_test(first, second).p_value == pytest.approx(stats.ttest_ind(first, second, equal_var=False)[1])


@given(SPREAD, SIDE)
def test_one_run_against_several_is_students_test(single: float, several: list[float]) -> None:
    expected = stats.ttest_ind([single], several, equal_var=True)
    ends = expected.confidence_interval(0.95)
    found = pooled_test([single], several)
    assert found.p_value == pytest.approx(expected[1])
    assert (found.interval.low, found.interval.high) == pytest.approx((ends.low, ends.high))


@given(
    st.lists(st.tuples(SPREAD, SPREAD), min_size=2, max_size=6).filter(lambda p: np.ptp([a - b for a, b in p]) > 0.01)
)
def test_pairs_agree_with_scipy(pairs: list[tuple[float, float]]) -> None:
    first, second = zip(*pairs, strict=True)
    expected = stats.ttest_rel(first, second)
    ends = expected.confidence_interval(0.95)
    found = paired_test(first, second)
    assert found.p_value == pytest.approx(expected[1])
    assert (found.interval.low, found.interval.high) == pytest.approx((ends.low, ends.high))


@pytest.mark.parametrize("sizes", [(3, 3), (2, 4), (2, 6), (5, 5)])
def test_permutations_agree_with_scipys(sizes: tuple[int, int]) -> None:
    first, second = normal(sizes[0], seed=1) + 1, normal(sizes[1], seed=2)

    def gap(one: np.ndarray, other: np.ndarray) -> float:
        return float(abs(np.mean(one) - np.mean(other)))

    # So many resamples are more than there are divisions, so scipy counts them all.
    expected = stats.permutation_test((first, second), gap, alternative="greater", n_resamples=9999)
    assert permutation_test(list(first), list(second)) == pytest.approx(expected.pvalue)


def test_three_seeds_that_all_beat_three_others_are_two_of_twenty_divisions() -> None:
    assert permutation_test([4.0, 5.0, 6.0], [1.0, 2.0, 3.0]) == 2 / 20
    assert permutation_test([0.1] * 10, [0.2] * 10) is None  # 184,756 divisions


def test_the_means_interval_holds_it_in_95_of_100() -> None:
    held = [low <= 0 <= high for low, high in (mean_interval(row) for row in normal(DRAWS, 3).tolist())]
    assert within(float(np.mean(held)), 0.95)


@pytest.mark.parametrize(("test", "sizes"), [(pooled_test, (1, 4)), (paired_test, (4, 4))])
def test_exact_tests_hold_and_err_as_often_as_they_say(
    test: Callable[[Sequence[float], Sequence[float]], MeanDifference], sizes: tuple[int, int]
) -> None:
    shares = errors(test, sizes=sizes, scale=1.0)
    assert within(shares[0], 0.95)
    assert within(shares[1], 0.05)


@pytest.mark.parametrize(("sizes", "scale"), [((3, 3), 1.0), ((5, 5), 3.0), ((4, 8), 2.0)])
def test_welch_errs_no_more_often_than_it_says(sizes: tuple[int, int], scale: float) -> None:
    held, false = errors(welch_test, sizes=sizes, scale=scale)
    assert 0.935 < held < 0.98
    assert 0.02 < false < 0.065


def errors(
    test: Callable[[Sequence[float], Sequence[float]], MeanDifference], *, sizes: tuple[int, int], scale: float
) -> tuple[float, float]:
    """How often the interval holds a difference of 0 that is true, and how often it is called more than chance."""
    first, second = normal(DRAWS, sizes[0], seed=3).tolist(), (scale * normal(DRAWS, sizes[1], seed=4)).tolist()
    found = [test(one, other) for one, other in zip(first, second, strict=True)]
    held = float(np.mean([one.interval.low <= 0 <= one.interval.high for one in found]))
    return held, float(np.mean([one.p_value is not None and one.p_value < 0.05 for one in found]))


def test_permutations_never_err_more_often_than_they_say_whatever_the_scatter() -> None:
    values = np.random.default_rng(5).exponential(size=(600, 8)) ** 2
    found = [permutation_test(row[:4], row[4:]) for row in values.tolist()]
    assert np.mean([one is not None and one <= 0.06 for one in found]) < 0.06 + 4 * math.sqrt(0.06 * 0.94 / 600)


def test_holm_by_hand() -> None:
    # 3 x 0.01; 2 x 0.03; 0.04 is raised to the one before it.
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []


def test_holm_keeps_any_false_alarm_below_the_level() -> None:
    false = np.random.default_rng(6).uniform(size=(DRAWS, 5))
    alarms = [min(holm(row)) < 0.05 for row in false.tolist()]
    assert within(float(np.mean(alarms)), 1 - (1 - 0.01) ** 5)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_raises_every_value_and_keeps_their_order(p_values: list[float]) -> None:
    raised = holm(p_values)
    assert all(one <= other <= 1 for one, other in zip(p_values, raised, strict=True))
    places = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(np.array(raised)[places]) >= 0)


def test_measurements_without_spread_give_nothing_to_judge_by() -> None:
    same = [0.1 + 0.2] * 2
    assert welch_test([0.5, 0.5, 0.5], [0.25, 0.25]).p_value is None
    assert welch_test([0.3, *same], [*same, 0.3]).p_value in (None, 1.0)  # rounding is no spread
    assert paired_test([1.0, 2.0], [0.0, 1.0]).p_value is None
    assert pooled_test([0.5], [0.5, 0.5]).p_value == 1


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (lambda: mean_interval([1.0]), "^values must hold at least 2 measurements"),
        (lambda: welch_test([1.0, 2.0], [1.0]), "^second must hold at least 2"),
        (lambda: welch_test([1.0, 2.0], [1.0, 3.0], level=5), "^level must be above 0"),
        (lambda: pooled_test([1.0], [1.0]), "^first and second must hold 1 and 2 or more, not 1 and 1"),
        (lambda: paired_test([1.0], [2.0]), "^first must hold at least 2"),
        (lambda: permutation_test([], [2.0]), "^first and second must hold 1 or more each, not 0 and 1"),
    ],
)
def test_too_few_measurements_are_refused(call: Callable[[], object], shown: str) -> None:
    with pytest.raises(ValueError, match=shown):
        call()
