"""Learning-rate schedules, with torch's own schedulers as the oracle, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from dlcourse.lengths import Clock
from dlcourse.training import schedules
from dlcourse.training.schedules import Schedule

STEPS, RATE = 60, 0.5
CLOCK = Clock(steps=STEPS, steps_per_epoch=10)

SHAPES: dict[str, Callable[..., Schedule]] = {
    name: getattr(schedules, name)
    for name in ("constant", "cosine", "linear", "multistep", "onecycle", "plateau", "step")
}
PAIRS: list[tuple[Schedule, Callable[[torch.optim.Optimizer], Any]]] = [
    (schedules.cosine(CLOCK, warmup="0st"), lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, STEPS)),
    (
        schedules.cosine(CLOCK, final=0.1, warmup="0st"),
        lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, STEPS, eta_min=0.1 * RATE),
    ),
    (
        schedules.onecycle(CLOCK),
        lambda optimizer: lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS, cycle_momentum=False),
    ),
    (
        schedules.onecycle(CLOCK, peak_at=0.5, start=0.1, final=0.01),
        lambda optimizer: lr_scheduler.OneCycleLR(
            optimizer, RATE, total_steps=STEPS, pct_start=0.5, div_factor=10, final_div_factor=10, cycle_momentum=False
        ),
    ),
    (
        schedules.multistep(CLOCK, milestones=["50%", "5ep"], gamma=0.3),
        lambda optimizer: lr_scheduler.MultiStepLR(optimizer, [30, 50], gamma=0.3),
    ),
    (
        schedules.step(CLOCK, every="7st", gamma=0.8),
        lambda optimizer: lr_scheduler.StepLR(optimizer, 7, gamma=0.8),
    ),
    (schedules.constant(CLOCK), lambda optimizer: lr_scheduler.ConstantLR(optimizer, factor=1.0)),
]


def an_optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=RATE)


@pytest.mark.parametrize(("ours", "torchs"), PAIRS)
def test_every_step_has_the_rate_that_torch_gives_it(
    ours: Schedule, torchs: Callable[[torch.optim.Optimizer], Any]
) -> None:
    optimizer = an_optimizer()
    oracle = torchs(optimizer)
    for number in range(STEPS):
        assert RATE * ours.factor(number) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9, abs=1e-12), number
        optimizer.step()
        oracle.step()


@given(
    st.lists(st.floats(-5, 5), max_size=40),
    st.integers(0, 4),
    st.sampled_from([0.0, 0.1]),
    st.sampled_from([0.0, 0.02]),
)
def test_plateau_falls_when_torchs_does(values: list[float], patience: int, min_delta: float, floor: float) -> None:
    ours = schedules.plateau(CLOCK, gamma=0.5, patience=patience, min_delta=min_delta, floor=floor)
    optimizer = an_optimizer()
    oracle = lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience, threshold=min_delta, threshold_mode="abs", min_lr=floor * RATE, eps=0
    )
    for value in values:
        ours.observe(value)
        oracle.step(value)
        assert RATE * ours.factor(5) == pytest.approx(optimizer.param_groups[0]["lr"])


def test_plateau_goes_on_from_its_saved_state_as_if_never_stopped() -> None:
    values = [3.0, 2.0, 2.0, 2.5, 2.1, 1.9, 1.9, 1.9, 1.9]
    straight, first, second = (schedules.plateau(CLOCK, patience=1) for _ in range(3))
    for value in values:
        straight.observe(value)
    for value in values[:4]:
        first.observe(value)
    second.load_state_dict(first.state_dict())
    for value in values[4:]:
        second.observe(value)
    assert second.state_dict() == straight.state_dict()
    assert straight.factor(0) < 1


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_warmup_rises_in_a_line_to_the_start_of_every_shape(name: str) -> None:
    plain = SHAPES[name](Clock(steps=50, steps_per_epoch=10), warmup="0st")
    warmed = SHAPES[name](CLOCK, warmup="1ep")
    assert [warmed.factor(number) for number in range(10)] == pytest.approx([(number + 1) / 11 for number in range(10)])
    if name != "multistep":  # its percentages are of the whole run
        assert [warmed.factor(10 + number) for number in range(50)] == [plain.factor(number) for number in range(50)]


def test_milestones_are_counted_from_the_end_of_the_warmup() -> None:
    schedule = schedules.multistep(CLOCK, milestones=["20st"], gamma=0.5, warmup="5st")
    assert [schedule.factor(number) for number in (24, 25)] == [1.0, 0.5]


@pytest.mark.parametrize("name", sorted(SHAPES))
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_run_of_a_few_steps_has_a_rate_for_each(name: str, steps: int) -> None:
    for warmup in ("0st", "100%"):
        schedule = SHAPES[name](Clock(steps=steps, steps_per_epoch=1), warmup=warmup)
        factors = [schedule.factor(number) for number in range(steps)]
        assert all(math.isfinite(factor) and 0 <= factor <= 1 for factor in factors)
        assert factors[0] > 0


@pytest.mark.parametrize("name", sorted(set(SHAPES) - {"plateau"}))
def test_a_pure_function_of_the_step_has_nothing_to_save(name: str) -> None:
    schedule = SHAPES[name](CLOCK)
    schedule.observe(1.0)
    assert schedule.state_dict() == {}


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("constant", {"warmup": "soon"}, "warmup must be a length"),
        ("cosine", {"final": 2.0}, "final must lie in 0 to 1, not 2.0"),
        ("cosine", {"final": math.nan}, "final must lie in 0 to 1"),
        ("step", {"every": "0st"}, "every must be at least one step"),
        ("step", {"every": "x"}, "every must be a length"),
        ("step", {"gamma": 0.0}, "gamma must be positive, not 0.0"),
        ("multistep", {"milestones": ["1ep", "b"]}, "milestones must be a length"),
        ("multistep", {"gamma": -1.0}, "gamma must be positive"),
        ("onecycle", {"peak_at": 1.0}, "peak_at must lie between 0 and 1, not 1.0"),
        ("onecycle", {"start": -0.1}, "start must lie in 0 to 1"),
        ("onecycle", {"final": 1.5}, "final must lie in 0 to 1"),
        ("plateau", {"patience": -1}, "patience must not be negative, not -1"),
        ("plateau", {"floor": 1.1}, "floor must lie in 0 to 1"),
        ("plateau", {"gamma": math.nan}, "gamma must be positive"),
    ],
)
def test_a_bad_value_is_refused_by_its_name(name: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}"):
        SHAPES[name](CLOCK, **arguments)
