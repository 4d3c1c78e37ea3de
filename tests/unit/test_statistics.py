"""Tests of differences agree with enumeration, with scipy's own resampling and with what is known by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dlcourse.statistics import Interval, mcnemar, paired_bootstrap, welch

PAIRS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)
NUMBERS = st.lists(st.floats(-100, 100), min_size=2, max_size=8)


def hits(*, both: int, first: int, second: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Two models' hits with these counts of items that both, one alone or neither has right."""
    counts = [both, first, second, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def columns(pairs: list[tuple[bool, bool]]) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.array(pairs, dtype=bool).T
    return first, second


def test_six_items_against_none_have_the_chance_of_six_heads_or_six_tails() -> None:
    found = mcnemar(*hits(both=90, first=6, second=0, neither=4))
    assert (found.only_first, found.only_second, found.p_value) == (6, 0, pytest.approx(2 / 64))


def test_models_that_never_differ_give_no_evidence() -> None:
    assert mcnemar(*hits(both=5, first=0, second=0, neither=2)).p_value == 1
    assert paired_bootstrap(*hits(both=5, first=0, second=0, neither=2)) == Interval(0, 0, 0)


def test_mcnemar_counts_every_way_in_which_the_discordant_items_could_have_fallen() -> None:
    for gained, lost in itertools.product(range(7), repeat=2):
        if not gained + lost:
            continue
        ways = [abs(sum(signs)) for signs in itertools.product((1, -1), repeat=gained + lost)]
        uneven = sum(way >= abs(gained - lost) for way in ways) / len(ways)
        found = mcnemar(*hits(both=3, first=gained, second=lost, neither=2))
        assert found.p_value == pytest.approx(uneven)


def test_mcnemar_comes_to_the_chi_squared_test_when_many_items_differ() -> None:
    gained, lost = 2150, 2000
    corrected = (abs(gained - lost) - 1) ** 2 / (gained + lost)
    found = mcnemar(*hits(both=20_000, first=gained, second=lost, neither=850))
    assert found.p_value == pytest.approx(stats.chi2.sf(corrected, df=1), rel=1e-3)


def test_the_bootstrap_is_the_one_of_all_resamples() -> None:
    first, second = hits(both=1, first=3, second=1, neither=1)
    gaps = first.astype(int) - second.astype(int)
    sums = np.array([sum(chosen) for chosen in itertools.product(gaps, repeat=len(gaps))])
    for level in (0.5, 0.8, 0.9, 0.95, 0.99):
        low, high = (
            np.quantile(sums, share, method="inverted_cdf") for share in ((1 - level) / 2, 1 - (1 - level) / 2)
        )
        found = paired_bootstrap(first, second, level=level)
        assert (found.low, found.difference, found.high) == (low / 6, 2 / 6, high / 6)


def test_the_bootstrap_agrees_with_resampling_as_many_items_as_a_test_split_has() -> None:
    first, second = hits(both=22_000, first=900, second=780, neither=1320)
    found = paired_bootstrap(first, second)
    draws = stats.multinomial(25_000, [900 / 25_000, 780 / 25_000, 1 - 1680 / 25_000]).rvs(200_000, random_state=1)
    low, high = np.quantile(draws[:, 0] - draws[:, 1], [0.025, 0.975]) / 25_000
    assert found.difference == pytest.approx(120 / 25_000)
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


def test_the_bootstrap_agrees_with_scipys() -> None:
    first, second = hits(both=150, first=30, second=12, neither=8)
    found = paired_bootstrap(first, second)

    def gap(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
        return one.mean(axis) - other.mean(axis)

    sampled = stats.bootstrap(
        (first, second), gap, paired=True, vectorized=True, method="percentile", n_resamples=20_000, random_state=1
    ).confidence_interval
    assert (found.low, found.high) == (pytest.approx(sampled.low, abs=0.006), pytest.approx(sampled.high, abs=0.006))


@given(PAIRS)
def test_exchanging_the_models_changes_signs_alone(pairs: list[tuple[bool, bool]]) -> None:
    first, second = columns(pairs)
    forth, back = mcnemar(first, second), mcnemar(second, first)
    assert (forth.only_first, forth.only_second) == (back.only_second, back.only_first)
    assert forth.p_value == pytest.approx(back.p_value)
    here, there = paired_bootstrap(first, second), paired_bootstrap(second, first)
    assert (here.low, here.difference, here.high) == (-there.high, -there.difference, -there.low)


@given(PAIRS)
def test_the_interval_holds_the_measured_difference(pairs: list[tuple[bool, bool]]) -> None:
    first, second = columns(pairs)
    found = paired_bootstrap(first, second)
    assert found.difference == pytest.approx(first.mean() - second.mean())
    assert -1 <= found.low <= found.difference <= found.high <= 1
    wider = paired_bootstrap(first, second, level=0.999)
    assert wider.low <= found.low and found.high <= wider.high


def test_welch_by_hand() -> None:
    # Means 2 and 5, variances 1 and 4, so 1/3 + 4/3 with (5/3)^2 / (1/18 + 16/18) = 2.941 degrees of freedom.
    found = welch([1.0, 2.0, 3.0], [3.0, 5.0, 7.0], level=0.9)
    reach = stats.t.ppf(0.95, 50 / 17) * (5 / 3) ** 0.5
    assert (found.low, found.difference, found.high) == pytest.approx((-3 - reach, -3, -3 + reach))


@given(NUMBERS, NUMBERS)
def test_welch_agrees_with_scipy(first: list[float], second: list[float]) -> None:
    spread = np.var(first, ddof=1) + np.var(second, ddof=1)
    if spread < 1e-6:  # scipy divides by it
        return
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    found = welch(first, second)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_measurements_without_spread_have_an_interval_without_width() -> None:
    assert welch([0.5, 0.5], [0.25, 0.25]) == Interval(0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("lengths", "shown"), [((3, 4), r"first \[3\] and second \[4\]"), ((0, 0), r"first \[0\] and second \[0\]")]
)
def test_items_that_are_not_the_same_are_refused(lengths: tuple[int, int], shown: str) -> None:
    first, second = (np.ones(length, dtype=bool) for length in lengths)
    with pytest.raises(ValueError, match=f"^{shown} must hold one entry for each"):
        mcnemar(first, second)
    with pytest.raises(ValueError, match=f"^{shown}"):
        paired_bootstrap(first, second)


def test_a_level_and_a_spread_are_asked_for() -> None:
    with pytest.raises(ValueError, match="^level must be above 0 and below 1, not 95"):
        paired_bootstrap(np.ones(2, dtype=bool), np.ones(2, dtype=bool), level=95)
    with pytest.raises(ValueError, match="^second must hold at least 2 measurements to have a spread, not 1"):
        welch([1.0, 2.0], [1.0])
