"""The straight schedule, with torch's LinearLR as the oracle."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.lengths import Clock
from dlcourse.training.schedules import linear


def test_a_run_of_four_steps_by_hand() -> None:
    schedule = linear(Clock(steps=4, steps_per_epoch=2))
    assert [schedule.factor(step) for step in range(4)] == [1.0, 0.75, 0.5, 0.25]


def test_the_line_begins_behind_the_warm_up() -> None:
    schedule = linear(Clock(steps=5, steps_per_epoch=5), final=0.5, warmup="1st")
    assert [schedule.factor(step) for step in range(5)] == [0.5, 1.0, 0.875, 0.75, 0.625]


@given(st.integers(1, 60), st.floats(0, 1))
def test_it_is_torchs(steps: int, final: float) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=1.0, end_factor=final, total_iters=steps)
    ours = linear(Clock(steps=steps, steps_per_epoch=7), final=final)
    for step in range(steps):
        assert ours.factor(step) == pytest.approx(theirs.get_last_lr()[0], abs=1e-6)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"final": 1.5}, r"^final must lie in 0 to 1, not 1.5"),
        ({"warmup": "soon"}, r"^warmup must be a length such as 2ep .*, not 'soon'"),
    ],
)
def test_arguments_out_of_range_are_named(wrong: dict[str, float | str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        linear(Clock(steps=10, steps_per_epoch=5), **wrong)  # type: ignore[arg-type]
