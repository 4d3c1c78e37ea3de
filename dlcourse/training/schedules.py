"""Learning-rate schedules: functions from the optimizer step to a factor on the base rate of every group."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from dlcourse.lengths import Clock, parse_length


class Schedule:
    """A factor for every optimizer step, counted from 0, with a linear warm-up before any shape.

    Args:
        shape: (step, steps) after the warm-up, both counted from its end, to a factor.
        clock: how long the run is.
        warmup: length of the rise from nearly 0 to the base rate, such as 5ep, 500st or 3%.
    """

    def __init__(self, shape: Callable[[int, int], float], clock: Clock, *, warmup: str = "0st") -> None:
        checked_length("warmup", warmup)
        self.warmup = clock.count(warmup)
        self.steps = max(1, clock.steps - self.warmup)
        self.shape = shape

    def factor(self, step: int) -> float:
        """What multiplies the base learning rates in optimizer step `step`."""
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        return self.shape(step - self.warmup, self.steps)

    def observe(self, value: float) -> None:
        """A validation was made; `value` is its deciding number, lower is better."""

    def state_dict(self) -> dict[str, float]:
        """What a resumed run cannot compute again: nothing, for a pure function of the step."""
        return {}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take up what `state_dict` gave."""


class Plateau(Schedule):
    """A factor that falls when validation stops getting better (as torch's ReduceLROnPlateau, absolute threshold)."""

    def __init__(
        self, clock: Clock, *, gamma: float, patience: int, min_delta: float, floor: float, warmup: str
    ) -> None:
        super().__init__(lambda step, steps: self.current, clock, warmup=warmup)
        self.gamma, self.patience, self.min_delta, self.floor = gamma, patience, min_delta, floor
        self.current, self.best, self.waited = 1.0, math.inf, 0

    def observe(self, value: float) -> None:
        if value < self.best - self.min_delta:
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.current, self.waited = max(self.current * self.gamma, self.floor), 0

    def state_dict(self) -> dict[str, float]:
        return {"current": self.current, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.current, self.best, self.waited = state["current"], state["best"], int(state["waited"])


def constant(clock: Clock, *, warmup: str = "0st") -> Schedule:
    """The base learning rate throughout.

    Args:
        clock: how long the run is.
        warmup: length of a linear rise to the base rate, such as 5ep, 500st or 3%.
    """
    return Schedule(lambda step, steps: 1.0, clock, warmup=warmup)


def step(clock: Clock, *, every: str = "10ep", gamma: float = 0.1, warmup: str = "0st") -> Schedule:
    """Times gamma again and again (as torch's StepLR).

    Args:
        clock: how long the run is.
        every: length between two falls, such as 10ep or 4000st.
        gamma: what each fall multiplies the rate by.
        warmup: length of a linear rise to the base rate, such as 5ep, 500st or 3%.
    """
    period = clock.count(checked_length("every", every))
    if period < 1:
        raise ValueError(f"every must be at least one step, not {every!r}")
    positive("gamma", gamma)
    return Schedule(lambda step, steps: gamma ** (step // period), clock, warmup=warmup)


def multistep(
    clock: Clock, *, milestones: Sequence[str] = ("50%", "75%"), gamma: float = 0.1, warmup: str = "0st"
) -> Schedule:
    """Times gamma at each milestone (as torch's MultiStepLR).

    Args:
        clock: how long the run is.
        milestones: where the rate falls, counted from the end of the warm-up: lengths such as 50%, 15ep or 4000st.
        gamma: what each fall multiplies the rate by.
        warmup: length of a linear rise to the base rate, such as 5ep, 500st or 3%.
    """
    positive("gamma", gamma)
    falls = [clock.count(checked_length("milestones", milestone)) for milestone in milestones]
    return Schedule(lambda step, steps: gamma ** sum(step >= fall for fall in falls), clock, warmup=warmup)


def cosine(clock: Clock, *, final: float = 0.0, warmup: str = "20%") -> Schedule:
    """Half a cosine (Loshchilov and Hutter 2017, without restarts).

    Args:
        clock: how long the run is.
        final: the share of the base rate at the end.
        warmup: length of a linear rise to the base rate, such as 5ep, 500st or 3%.
    """
    share("final", final)
    return Schedule(lambda step, steps: half_cosine(1.0, final, step / steps), clock, warmup=warmup)


def linear(clock: Clock, *, final: float = 0.0, warmup: str = "0st") -> Schedule:
    """A straight line from the base learning rate down to a share of it (as torch's LinearLR).

    Args:
        clock: how long the run is.
        final: the share of the base rate at the end.
        warmup: length of a linear rise to the base rate, such as 5ep, 500st or 3%.
    """
    share("final", final)
    return Schedule(lambda step, steps: 1 + (final - 1) * step / steps, clock, warmup=warmup)


def onecycle(
    clock: Clock, *, peak_at: float = 0.3, start: float = 0.04, final: float = 4e-6, warmup: str = "0st"
) -> Schedule:
    """Up and down once in two half cosines (Smith and Topin 2018; as torch's OneCycleLR); the base rate is the peak.

    Args:
        clock: how long the run is.
        peak_at: share of the run that climbs.
        start: share of the peak at the first step.
        final: share of the peak at the last step.
        warmup: length of a linear rise before the cycle, such as 5ep, 500st or 3%.
    """
    if not 0 < peak_at < 1:
        raise ValueError(f"peak_at must lie between 0 and 1, not {peak_at}")
    share("start", start)
    share("final", final)

    def shape(step: int, steps: int) -> float:
        peak = max(1.0, peak_at * steps - 1)
        if step <= peak:
            return half_cosine(start, 1.0, step / peak)
        return half_cosine(1.0, final, min(1.0, (step - peak) / max(1.0, steps - 1 - peak)))

    return Schedule(shape, clock, warmup=warmup)


def plateau(
    clock: Clock,
    *,
    gamma: float = 0.1,
    patience: int = 3,
    min_delta: float = 0.0,
    floor: float = 0.0,
    warmup: str = "0st",
) -> Schedule:
    """Times gamma when validation stops getting better.

    Args:
        clock: how long the run is.
        gamma: what each fall multiplies the rate by.
        patience: validations without improvement that are borne before a fall.
        min_delta: how much better counts as better.
        floor: the share of the base rate below which it never falls.
        warmup: length of a linear rise to the base rate, such as 5ep, 500st or 3%.
    """
    positive("gamma", gamma)
    if patience < 0:
        raise ValueError(f"patience must not be negative, not {patience}")
    share("floor", floor)
    return Plateau(clock, gamma=gamma, patience=patience, min_delta=min_delta, floor=floor, warmup=warmup)


def half_cosine(start: float, end: float, progress: float) -> float:
    """From `start` to `end` as `progress` goes from 0 to 1, flat at both ends."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def checked_length(name: str, length: str) -> str:
    """`length` if it is one; ValueError that starts with the argument's name otherwise."""
    try:
        parse_length(length)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None
    return length


def positive(name: str, value: float) -> None:
    """Raise ValueError unless value > 0."""
    if not value > 0:
        raise ValueError(f"{name} must be positive, not {value}")


def share(name: str, value: float) -> None:
    """Raise ValueError unless 0 <= value <= 1."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in 0 to 1, not {value}")
