"""Lengths of training as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.lengths import Clock, parse_length

CLOCK = Clock(steps=600, steps_per_epoch=20)


@pytest.mark.parametrize(
    ("length", "steps"),
    [("2ep", 40), ("0.5ep", 10), ("500st", 500), ("30%", 180), ("0st", 0), ("0ep", 0), (" 1ep ", 20)],
)
def test_a_length_counts_out_to_optimizer_steps(length: str, steps: int) -> None:
    assert CLOCK.count(length) == steps


def test_a_length_above_zero_is_at_least_one_step() -> None:
    assert CLOCK.count("0.001ep") == 1


@pytest.mark.parametrize("length", ["", "3", "ep", "-1ep", "1 ep", "1epochs", "1e3st", "nan%", "1.ep", "१२st x"])
def test_what_is_no_length_says_which_forms_there_are(length: str) -> None:
    with pytest.raises(ValueError, match=r"^must be a length such as 2ep \(epochs\), 500st \(optimizer steps\) or 30%"):
        parse_length(length)


@given(st.integers(0, 10**6))
def test_steps_are_taken_as_they_are(steps: int) -> None:
    assert CLOCK.count(f"{steps}st") == steps
