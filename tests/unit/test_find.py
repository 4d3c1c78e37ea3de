"""`dlcourse find`: the range test on a loss whose best rate is known, and batch sizes under a made-up memory."""

from __future__ import annotations

import hashlib
import itertools
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from dlcourse.cli import main
from dlcourse.commands.completion import complete
from dlcourse.config.settings import Settings
from dlcourse.data.base import Draw, Split, Splits
from dlcourse.errors import ConfigError
from dlcourse.lengths import Clock
from dlcourse.metrics import Stats
from dlcourse.pages.finding import rate_lines
from dlcourse.results.curves import Numbers
from dlcourse.run.batch_sizes import Bench, Measured, Room, climb, sizes
from dlcourse.run.parts import Parts
from dlcourse.run.rate_curve import has_exploded, judge, smoothed
from dlcourse.run.rate_test import Ramp, RangeTest, range_test, rate_settings, try_rates
from dlcourse.tasks.base import Task
from dlcourse.training import memory, optimizers, schedules
from dlcourse.training.muon import muon
from dlcourse.training.runtime import Runtime
from dlcourse.training.state import State

CURVATURES = (10.0, 4.0, 1.0, 0.5)
EDGE = 2 / max(CURVATURES)
"""Gradient descent on a quadratic grows without limit above twice the inverse of its largest curvature."""


@dataclass(frozen=True)
class Numbered:
    indices: Tensor

    @property
    def inputs(self) -> tuple[Tensor]:
        return (torch.zeros(len(self.indices)),)

    @property
    def weight(self) -> float:
        return float(len(self.indices))


class Items(Split[Numbered]):
    """So many items without content; counts what is fetched to train on."""

    def __init__(self, count: int) -> None:
        self.count, self.fetched = count, list[int]()

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(str(self.count).encode()).hexdigest()

    def __len__(self) -> int:
        return self.count

    def fetch(self, indices: Tensor, *, draw: Draw | None = None) -> Numbered:
        self.fetched += [len(indices)] if draw else []
        return Numbered(indices)

    def to(self, device: torch.device, *, memory_format: torch.memory_format = torch.contiguous_format) -> Self:
        return self


class Bowl(nn.Module):
    """A point in as many directions as there are curvatures."""

    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.ones(2, len(CURVATURES)))

    def forward(self, inputs: Tensor) -> Tensor:
        return 0.5 * (torch.tensor(CURVATURES) * self.place.square()).sum() + 0 * inputs.sum()


class Quadratic(Task[Numbered, Stats]):
    takes: ClassVar[str] = "numbers"
    best: ClassVar[tuple[str, str]] = ("loss", "min")

    def loss(self, model: nn.Module, batch: Numbered) -> Tensor:
        return model(*batch.inputs)

    def evaluate(self, model: nn.Module, batch: Numbered) -> Stats:
        return cast("Stats", None)


class Hungry(Quadratic):
    """Runs out of memory in batches of more than 24 items, as a GPU does."""

    def loss(self, model: nn.Module, batch: Numbered) -> Tensor:
        if len(batch.indices) > 24:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().loss(model, batch)


SPLITS = Splits(train=Items(64), val=Items(8), test=Items(8))


def parts_of(task: Task[Any, Any], **settings: Any) -> Parts:
    model = Bowl()
    given_settings: dict[str, Any] = {"batch_size": 8, **settings}
    return Parts(
        settings=Settings(**given_settings), choices={}, data=cast("Any", None), task=task, model=model,
        runtime=Runtime(device="cpu", threads=1).settle(model), optimizer=plain(model, lr=0.3),
        schedule=schedules.constant, init=(),
    )  # fmt: skip


def plain(model: nn.Module, *, lr: float) -> torch.optim.Optimizer:
    return optimizers.sgd(model.named_parameters(), lr=lr, momentum=0.0, nesterov=False, weight_decay=0.0)


def bowl_tested(ramp: Ramp, *, lr: float = 0.3, **settings: Any) -> RangeTest:
    model = Bowl()
    given_settings: dict[str, Any] = {"batch_size": 8, **settings}
    optimizer = plain(model, lr=lr)
    state = State(model, optimizer, schedules.constant(Clock(1, 1)), torch.amp.GradScaler("cpu", enabled=False))
    return range_test(
        Quadratic(), SPLITS, state, settings=Settings(**given_settings),
        runtime=Runtime(device="cpu", threads=1).settle(model), ramp=ramp, base=lr,
    )  # fmt: skip


@pytest.mark.parametrize("steps", [100, 200, 400])
@pytest.mark.parametrize("high", [10.0, 100.0])
def test_the_suggestion_for_a_quadratic_lies_below_its_edge_and_within_a_decade(steps: int, high: float) -> None:
    ramp = Ramp(1e-5, high, steps)
    done = bowl_tested(ramp)
    found = judge(ramp.rates, [done.losses], exploded=done.exploded)
    assert found.suggestion is not None and EDGE / 10 <= found.suggestion < EDGE
    assert found.begins < found.suggestion < found.bottom


def test_every_step_has_the_rate_of_the_ramp_whatever_the_optimizer_was_built_with() -> None:
    ramp = Ramp(1e-3, 0.1, 50)
    expected = torch.ones(2, len(CURVATURES))
    losses: list[float] = []
    for rate in np.geomspace(1e-3, 0.1, 50):
        losses.append(float(0.5 * (torch.tensor(CURVATURES) * expected.square()).sum()))
        expected = expected - float(rate) * torch.tensor(CURVATURES) * expected
    for lr in (0.3, 7.0):
        assert bowl_tested(ramp, lr=lr).losses == pytest.approx(losses, rel=1e-4)


def test_what_would_end_or_validate_a_training_is_left_out() -> None:
    ramp = Ramp(1e-4, 1e-2, 30)
    settings: dict[str, Any] = {
        "max_steps": 3,
        "stop_at": "2st",
        "max_minutes": 1e-9,
        "validate_every": "1st",
        "log_every": 7,
    }
    done = bowl_tested(ramp, **settings)
    assert len(done.losses) == 30 and not done.exploded


def test_a_freeze_is_left_out_of_a_range_test() -> None:
    ramp = Ramp(1e-4, 1e-2, 30)
    assert np.array_equal(bowl_tested(ramp, freeze=("place@2st",)).losses, bowl_tested(ramp).losses)


def test_the_test_stops_where_the_loss_explodes_finite_or_not() -> None:
    done = bowl_tested(Ramp(1e-3, 10.0, 200))
    assert done.exploded and len(done.losses) < 200
    done = bowl_tested(Ramp(1e20, 1e30, 20))
    assert done.exploded and not math.isfinite(done.losses[-1])
    assert bowl_tested(Ramp(1e20, 1e30, 100), on_nonfinite="skip").exploded


def test_one_loss_is_no_explosion() -> None:
    assert not has_exploded([1.0] * 5 + [9.0] + [1.0] * 4)
    assert has_exploded([1.0] * 5 + [4.0] * 5)
    assert not has_exploded([9.0] * 5)


@given(st.floats(1e-6, 1e-3), st.floats(2, 1e6), st.integers(2, 400), st.floats(1e-6, 1e3))
def test_a_ramp_rises_by_the_same_ratio_from_end_to_end(low: float, ratio: float, steps: int, base: float) -> None:
    ramp = Ramp(low, low * ratio, steps)
    assert ramp.rates[0] == pytest.approx(low) and ramp.rates[-1] == pytest.approx(low * ratio)
    ratios = ramp.rates[1:] / ramp.rates[:-1]
    assert ratios == pytest.approx(ratio ** (1 / (steps - 1))) and ratios.min() > 1
    schedule = ramp.schedule(Clock(steps + 1, 10), base=base)
    assert [base * schedule.factor(step) for step in range(steps)] == pytest.approx(list(ramp.rates))


def test_parameter_groups_keep_their_ratio() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4, 2))
    optimizer = muon(model.named_parameters(), lr=0.02, other_lr=0.05)
    ramp = Ramp(1e-4, 1.0, 9)
    schedule = ramp.schedule(Clock(10, 10), base=0.02)
    state = State(model, optimizer, schedule, torch.amp.GradScaler("cpu", enabled=False), step=4)
    state.set_rates()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.01, 0.025, 0.025])
    assert rate_settings({"_target_": "x", "lr": 0.02, "other_lr": 0.05, "betas": [0.9]}) == {
        "lr": 0.02, "other_lr": 0.05,
    }  # fmt: skip
    with pytest.raises(ConfigError, match="no setting lr"):
        rate_settings({"_target_": "x", "rate": 0.1})


def curve_of(*, lowest: float, noise: float = 0.02, seed: int = 0) -> Numbers:
    """Losses that fall from 2.3 to 1.3 at `lowest` and rise again, over Ramp(1e-5, 10, 200)."""
    places = np.log10(Ramp(1e-5, 10.0, 200).rates)
    generator = np.random.default_rng(seed)
    return 2.3 - np.exp(-((places - math.log10(lowest)) ** 2)) + noise * generator.standard_normal(200)


@pytest.mark.parametrize("seed", range(5))
def test_a_tenth_of_the_minimum_is_suggested(seed: int) -> None:
    curves = [curve_of(lowest=0.2, seed=3 * seed + number) for number in range(3)]
    found = judge(Ramp(1e-5, 10.0, 200).rates, curves, exploded=False)
    assert 0.2 <= found.bottom < 0.5 and 0.01 < found.steepest < 0.2
    assert found.suggestion in (0.02, 0.03, 0.04, 0.05)
    assert found.problem is None


def test_smoothing_moves_no_minimum() -> None:
    rates = Ramp(1e-5, 10.0, 200).rates
    assert int(smoothed(rates, curve_of(lowest=0.2, noise=0.0)).argmin()) == int(
        curve_of(lowest=0.2, noise=0.0).argmin()
    )


def test_what_is_lower_behind_a_rise_is_not_taken() -> None:
    curve = curve_of(lowest=0.01)
    curve[-15:] = 1.0
    assert judge(Ramp(1e-5, 10.0, 200).rates, [curve], exploded=False).bottom < 0.05


@pytest.mark.parametrize("seed", range(8))
def test_without_a_minimum_nothing_is_suggested_and_the_reason_told(seed: int) -> None:
    ramp = Ramp(1e-5, 10.0, 200)
    falling = curve_of(lowest=30.0, seed=seed)
    flat = 2.3 + 0.05 * np.random.default_rng(seed).standard_normal(200)
    growing = np.concatenate([flat[:10], np.geomspace(2.3, 60, 12)])
    for curve, exploded, reason in (
        (falling, False, "still falling"),
        (flat, False, "never fell"),
        (growing, True, "smaller min="),
    ):
        found = judge(ramp.rates, [curve], exploded=exploded)
        assert found.suggestion is None and reason in (found.problem or "")
        assert not any("^" in line for line in rate_lines(found, low=ramp.low, high=ramp.high, width=40))


def test_skipped_steps_leave_the_curve_readable() -> None:
    curve = curve_of(lowest=0.2)
    curve[::7] = math.nan
    assert judge(Ramp(1e-5, 10.0, 200).rates, [curve], exploded=False).suggestion in (0.02, 0.03, 0.04)


def test_the_drawn_curve_has_its_arrow_below_the_rate() -> None:
    ramp = Ramp(1e-4, 1.0, 200)
    found = judge(ramp.rates, [curve_of(lowest=0.2)], exploded=False)
    found = replace(found, bottom=0.1)
    lines = rate_lines(found, low=ramp.low, high=ramp.high, width=41)
    assert lines[-1].index("^") == lines[-2].index("0.01")


def test_a_batch_that_train_cannot_fill_is_refused() -> None:
    with pytest.raises(ConfigError, match="batch_size=65: train has 64 items"):
        try_rates(parts_of(Quadratic(), batch_size=65), SPLITS, ramp=Ramp(1e-3, 1.0, 30), base=0.3)


@given(st.integers(1, 40), st.integers(1, 5000))
def test_sizes_rise_to_the_largest_by_no_more_than_double(least: int, more: int) -> None:
    found = list(sizes(least=least, most=least + more))
    assert found[0] == least and found[-1] == least + more
    assert all(low < high <= 2 * low for low, high in itertools.pairwise(found))
    assert list(sizes(least=2, most=100)) == [2, 4, 8, 16, 24, 32, 48, 64, 96, 100]


@given(st.integers(0, 10**6), st.floats(0, 1e4), st.floats(1e3, 1e6), st.floats(1, 1e4), st.booleans())
def test_no_size_is_tried_in_main_memory_that_would_exceed_the_limit(
    held: int, fixed: float, limit: float, each: float, stale: bool
) -> None:
    """Whatever is held, needed at once and a sample; with a peak of the past in the meter or without."""
    room = Room(held, held + round(limit), forgiving=False)
    tried: list[int] = []

    def measure(size: int) -> Measured:
        tried.append(size)
        return Measured(size, size, held + round(max(fixed + each * size, limit / 3 if stale else 0)), 0.0)

    climbed = climb(sizes(least=2, most=4096), measure, room=room, seconds=60)
    assert all(fixed + each * size <= limit + 1 for size in tried[1:])
    assert climbed.reason == "max" or climbed.stopped_at is not None
    if not stale and fixed == 0 and climbed.reason == "memory" and climbed.measured:
        assert each * (climbed.stopped_at or 0) > limit - 2  # and nothing is left out that would fit


def test_memory_that_runs_out_is_survived_where_it_may_run_out() -> None:
    bench = Bench(parts_of(Hungry()), SPLITS, share=0.8)
    assert bench.room.held > 0 and (bench.room.limit or 0) > bench.room.held
    climbed = climb(sizes(least=bench.least, most=64), bench.measure, room=bench.room, seconds=60)
    assert [one.batch_size for one in climbed.measured] == [2, 4, 8, 16, 24]
    assert (climbed.reason, climbed.stopped_at, climbed.bytes_there) == ("memory", 32, None)
    assert climbed.largest.samples_per_second > 0 and climbed.largest.peak > 0


def test_accumulation_is_part_of_what_is_measured() -> None:
    splits = Splits(train=Items(128), val=Items(8), test=Items(8))
    bench = Bench(parts_of(Hungry(), accumulate=4), splits, share=0.8)
    climbed = climb(sizes(least=bench.least, most=128), bench.measure, room=bench.room, seconds=60)
    assert bench.least == 8 and climbed.largest.batch_size == 96 and climbed.stopped_at == 128
    assert 24 in cast("Items", splits.train).fetched


def test_measuring_learns_nothing() -> None:
    parts = parts_of(Quadratic())
    bench = Bench(parts, SPLITS, share=0.8)
    assert bench.measure(16) is not None
    assert torch.equal(next(parts.model.parameters()), torch.ones(2, len(CURVATURES)))


def test_every_size_is_measured_with_all_weights_trained() -> None:
    model = Bowl()
    model.register_parameter("spare", nn.Parameter(torch.zeros(1)))  # so that the freeze leaves something to train
    parts = replace(parts_of(Quadratic(), freeze=("place@1st",)), model=model, optimizer=plain(model, lr=0.3))
    bench = Bench(parts, SPLITS, share=0.8)
    for size in (8, 16):
        assert bench.measure(size) is not None
        assert model.place.requires_grad


def test_time_that_would_not_do_ends_the_climb() -> None:
    def measure(size: int) -> Measured:
        return Measured(size, size, 1, size / 10)

    climbed = climb(sizes(least=2, most=4096), measure, room=Room(0, None, forgiving=False), seconds=10)
    assert climbed.reason == "time" and climbed.stopped_at == 48
    assert [one.batch_size for one in climbed.measured] == [2, 4, 8, 16, 24, 32]


def test_the_knee_is_the_smallest_size_that_others_beat_by_little() -> None:
    speeds = {8: 50.0, 16: 100.0, 32: 109.0, 64: 105.0}
    climbed = climb(
        iter(speeds), lambda size: Measured(size, speeds[size], 0, 0), room=Room(0, None, forgiving=True), seconds=1
    )
    assert climbed.knee(0.1).batch_size == 16 and climbed.knee(0.05).batch_size == 32
    assert climbed.largest.batch_size == 64


def test_a_control_group_may_leave_less_than_the_machine_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "SELF", tmp_path)
    (tmp_path / "cgroup").write_text("0::/jobs/mine\n")
    group = tmp_path / "groups" / "jobs"
    (group / "mine").mkdir(parents=True)
    for path, limit, current in ((group, "5000", "3000"), (group / "mine", "max", "2900")):
        (path / "memory.max").write_text(f"{limit}\n")
        (path / "memory.current").write_text(f"{current}\n")
        (path / "memory.stat").write_text("anon 2000\ninactive_file 500\n")
    assert memory.free() == 2500
    assert memory.held() == 0  # nothing there says


def test_the_words_of_find_are_completed() -> None:
    assert "lr" in complete("dlcourse find l")
    assert complete("dlcourse find lr optimizer.l") == ["optimizer.lr="]
    assert complete("dlcourse find batch_size mem") == ["memory="]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["lr", "optimizer.lrr=1"], "optimizer.lrr: sgd takes no such argument; did you mean 'lr'?"),
        (["lr", "min=1", "max=0.1"], "max (0.1) must be above min (1)"),
        (["lr", "min=20"], "max (10) must be above min (20)"),
        (["lr", "steps=5"], "steps must be 20 or more, not 5"),
        (["lr", "setps=50"], "setps: there is no such argument; did you mean 'steps'?"),
        (["lr", "gain=0.2"], "gain is an argument of dlcourse find batch_size; leave it out"),
        (["lr", "-m", "seed=1,2"], "-m: find looks at one setting at a time; leave it out"),
        (["lr", "resume=latest"], "resume: find keeps no run; leave it out"),
        (["rl"], "what must be lr or batch_size, not 'rl'"),
        ([], "what is missing"),
        (["batch_size", "batch_size=8"], "batch_size= is what is looked for; max= is the largest that is tried"),
        (["batch_size", "max=1"], "max=1, and the smallest batch that is tried has 2"),
        (["batch_size", "max=8.5"], "max must be a whole number of samples, not 8.5"),
        (["batch_size", "memory=2"], "memory must be a share above 0 and up to 1, not 2"),
    ],
)
def test_a_wrong_word_costs_one_line(
    words: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["find", *words]) == 2
    assert line in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
