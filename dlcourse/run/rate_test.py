"""The learning-rate range test: the usual training while the rate rises (Smith 2017, arXiv:1506.01186, section 3.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlcourse.config.settings import Checkpointing, EarlyStopping, Settings
from dlcourse.data.base import Splits
from dlcourse.errors import ConfigError, RunError
from dlcourse.lengths import Clock
from dlcourse.results.curves import Numbers
from dlcourse.run.parts import Parts
from dlcourse.run.prepare import begin, start_from
from dlcourse.run.rate_curve import has_exploded
from dlcourse.tasks.base import Task
from dlcourse.training.events import Record
from dlcourse.training.loop import Requests, fit
from dlcourse.training.plan import Plan
from dlcourse.training.runtime import Runtime
from dlcourse.training.schedules import Schedule
from dlcourse.training.state import State


@dataclass(frozen=True)
class Ramp:
    """Learning rates that rise exponentially from step to step.

    Args:
        low: the first step's.
        high: the last step's.
        steps: optimizer steps.

    Raises:
        ValueError: one of them is out of range.
    """

    low: float
    high: float
    steps: int

    def __post_init__(self) -> None:
        if not 0 < self.low < math.inf:
            raise ValueError(f"low must be positive, not {self.low}")
        if not self.low < self.high < math.inf:
            raise ValueError(f"high ({self.high}) must be above low ({self.low})")
        if self.steps < 2:
            raise ValueError(f"steps must be 2 or more, not {self.steps}")

    def rate(self, step: int) -> float:
        """The learning rate of optimizer step `step`, counted from 0."""
        return self.low * (self.high / self.low) ** (step / (self.steps - 1))

    @property
    def rates(self) -> Numbers:
        """Float64 [steps]."""
        return np.array([self.rate(step) for step in range(self.steps)])

    def schedule(self, clock: Clock, *, base: float) -> Schedule:
        """What multiplies the rates of all parameter groups, so that `base` becomes the ramp's."""
        return Schedule(lambda step, steps: self.rate(step) / base, clock)


@dataclass(frozen=True)
class RangeTest:
    """One range test.

    Args:
        seed: of the training.
        losses: float64 [at most the ramp's steps], nan where a step was skipped.
        exploded: whether it ended before the ramp did.
    """

    seed: int
    losses: Numbers
    exploded: bool


def rate_settings(optimizer: Mapping[str, Any]) -> dict[str, float]:
    """The learning rates among an optimizer's settings, which go up and down together: `lr`, and `..._lr` of others.

    Raises:
        ConfigError: there is none called lr.
    """
    found = {
        name: float(value)
        for name, value in optimizer.items()
        if (name == "lr" or name.endswith("_lr")) and isinstance(value, int | float) and not isinstance(value, bool)
    }
    if "lr" not in found:
        raise ConfigError("optimizer: it has no setting lr; name an optimizer that has one")
    return found


def try_rates(parts: Parts, splits: Splits, *, ramp: Ramp, base: float) -> RangeTest:
    """The range test of one seed's training, begun as `dlcourse train` would begin it.

    Args:
        parts: of which the optimizer was built with the rate `base`.
        splits: on the device.
        ramp: the rates.
        base: `optimizer.lr`.

    Raises:
        ConfigError: train has fewer items than a batch.
    """
    if parts.settings.batch_size > len(splits.train):
        raise ConfigError(
            f"batch_size={parts.settings.batch_size}: train has {len(splits.train)} items; "
            f"say batch_size={len(splits.train)} or less"
        )
    # The average of the weights changes no step, and would cost memory and time.
    _, state = begin(replace(parts, settings=replace(parts.settings, ema=0.0)), splits)
    start_from(parts, splits, state)
    return range_test(
        parts.task, splits, state, settings=parts.settings, runtime=parts.runtime, ramp=ramp, base=base
    )  # fmt: skip


def range_test(
    task: Task[Any, Any],
    splits: Splits,
    state: State,
    *,
    settings: Settings,
    runtime: Runtime,
    ramp: Ramp,
    base: float,
) -> RangeTest:
    """Train with rising rates until they end or the loss explodes.

    Args:
        task: what is trained.
        splits: on the device.
        state: before step 0; its schedule is replaced.
        settings: those of the training; what ends, validates, saves or freezes it is left out.
        runtime: where it computes.
        ramp: the rates.
        base: the rate that the ramp's stand in place of; every parameter group keeps its ratio to it.
    """
    # One step more than is made: the last step of a plan validates.
    settings = replace(
        settings, max_steps=ramp.steps + 1, max_minutes=None, stop_at=None, freeze=(), log_every=1,
        checkpoint=Checkpointing(every_minutes=None), early_stop=EarlyStopping(),
    )  # fmt: skip
    plan = Plan.make(settings, steps_per_epoch=splits.train.steps(settings.batch_size))
    plan = replace(plan, validate_every=ramp.steps + 1)
    state.schedule = ramp.schedule(plan.clock, base=base)
    losses: list[float] = []
    exploded = False
    try:
        for event in fit(task, splits, state, plan=plan, runtime=runtime, requests=Requests()):
            if isinstance(event, Record) and event.split == "train":
                losses.append(event.scalars.get("loss", math.nan))
            exploded = has_exploded(losses)
            if exploded or len(losses) == ramp.steps:
                break
    except RunError:  # the loop's own word for a loss or weight that is not finite
        losses.append(math.inf)
        exploded = True
    return RangeTest(settings.seed, np.array(losses), exploded)
