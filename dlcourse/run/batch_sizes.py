"""Which batch sizes fit into memory and how fast each trains: some steps of the real training at each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from dlcourse.config.settings import Checkpointing, EarlyStopping
from dlcourse.data.base import Splits
from dlcourse.lengths import Clock
from dlcourse.run.parts import Parts
from dlcourse.run.prepare import begin
from dlcourse.training.loop import Requests, fit
from dlcourse.training.plan import Plan
from dlcourse.training.runtime import Runtime, is_out_of_memory
from dlcourse.training.schedules import Schedule
from dlcourse.training.state import State

WARM_UP = 2  # steps before the clock starts: caches fill, algorithms are chosen
FEWEST, MOST = 3, 50  # timed steps
ENOUGH = 0.5  # seconds of timed steps after which no more are made
LEAST = 2  # samples: batch norm refuses a single one


@dataclass(frozen=True)
class Measured:
    """What a batch size does.

    Args:
        batch_size: samples in one optimizer step.
        samples_per_second: in training, validation apart.
        peak: bytes, the most that was held in a training step and in validating one batch.
        seconds: that the measuring took.
    """

    batch_size: int
    samples_per_second: float
    peak: int
    seconds: float


@dataclass(frozen=True)
class Room:
    """How much memory there is.

    Args:
        held: bytes that are held before a batch is made: data, weights, the optimizer's memory.
        limit: bytes that may be held in all; None if nothing says.
        forgiving: whether running out is an error and no more, as on a GPU; main memory that runs out may end the
            program.
    """

    held: int
    limit: int | None
    forgiving: bool

    def predicted(self, last: Measured, batch_size: int) -> int:
        """Bytes at a larger batch size, if all that is held beside `held` grows with it: rather more than less."""
        return self.held + round(max(0, last.peak - self.held) * batch_size / last.batch_size)

    def refuses(self, peak: int) -> bool:
        """Whether that is more than may be held."""
        return self.limit is not None and peak > self.limit


@dataclass(frozen=True)
class Climb:
    """The sizes that were measured, and why no larger one was.

    Args:
        measured: in rising order, all of which fit.
        reason: "memory", "time" or "max".
        stopped_at: the size that was not reached; None if there is none.
        bytes_there: what `stopped_at` would hold or held, by measuring or prediction; None if memory ran out there.
    """

    measured: tuple[Measured, ...]
    reason: str
    stopped_at: int | None = None
    bytes_there: int | None = None

    @property
    def largest(self) -> Measured:
        """The largest that fits."""
        return self.measured[-1]

    def knee(self, gain: float) -> Measured:
        """The smallest size that no other trains faster than by a share of `gain`."""
        fastest = max(one.samples_per_second for one in self.measured)
        return next(one for one in self.measured if one.samples_per_second * (1 + gain) >= fastest)


def sizes(*, least: int, most: int) -> Iterator[int]:
    """Doubling from `least` on, with what lies between from 16 on (16, 24, 32, 48, ...), and `most` as the last."""
    size = least
    while size < most:
        yield size
        if size >= 16 and size * 3 // 2 < most:
            yield size * 3 // 2
        size *= 2
    yield most


def climb(candidates: Iterator[int], measure: Callable[[int], Measured | None], *, room: Room, seconds: float) -> Climb:
    """Measure sizes in rising order until memory or time would not do for the next.

    Args:
        candidates: rising.
        measure: gives None where memory ran out.
        room: what may be held.
        seconds: that may be spent in all; the first size is measured whatever it takes.
    """
    done: list[Measured] = []
    for size in candidates:
        if done:
            bytes_there = room.predicted(done[-1], size)
            if not room.forgiving and room.refuses(bytes_there):
                return Climb(tuple(done), "memory", size, bytes_there)
            longer = done[-1].seconds * size / done[-1].batch_size
            if sum(one.seconds for one in done) + longer > seconds:
                return Climb(tuple(done), "time", size)
        found = measure(size)
        if found is None or room.refuses(found.peak):
            return Climb(tuple(done), "memory", size, None if found is None else found.peak)
        done.append(found)
    return Climb(tuple(done), "max")


class Bench:
    """A model on its device, whose training is measured at one batch size after another; nothing is learnt.

    Args:
        parts: checked.
        splits: on the device.
        share: of the free memory that may be used.

    Raises:
        ConfigError: the device cannot compute this model in this precision.
    """

    def __init__(self, parts: Parts, splits: Splits, *, share: float) -> None:
        self._parts, self._splits = parts, splits
        _, self._state = begin(parts, splits)
        self.least = LEAST * parts.settings.accumulate
        self._train(self.least, fewest=1, seconds=0.0)  # the optimizer's memory stays from here on
        runtime: Runtime = parts.runtime
        runtime.restart_peak()
        held, free = runtime.held_memory(), runtime.free_memory()
        self.room = Room(held, None if free is None else held + round(share * free), runtime.place.type != "cpu")

    def measure(self, size: int) -> Measured | None:
        """Train and validate with batches of `size`; None if memory ran out."""
        runtime, began = self._parts.runtime, time.monotonic()
        runtime.restart_peak()
        try:
            speed = self._train(size, fewest=FEWEST, seconds=ENOUGH)
            self._validate(size)
        except (RuntimeError, MemoryError) as error:
            if not (isinstance(error, MemoryError) or is_out_of_memory(error)):
                raise
            speed = None
        if speed is None:  # behind the `except`, whose traceback holds on to the tensors
            self._state.optimizer.zero_grad(set_to_none=True)
            runtime.restart_peak()
            return None
        return Measured(size, speed, runtime.peak_memory(), time.monotonic() - began)

    def _train(self, size: int, *, fewest: int, seconds: float) -> float:
        """Samples per second of `fewest` to MOST steps, as many as `seconds` hold, after those that warm up."""
        parts, state = self._parts, self._state
        settings = replace(
            parts.settings, batch_size=size, max_steps=WARM_UP + MOST + 1, max_minutes=None, stop_at=None, freeze=(),
            log_every=WARM_UP + MOST + 1, checkpoint=Checkpointing(every_minutes=None), early_stop=EarlyStopping(),
        )  # fmt: skip
        plan = Plan.make(settings, steps_per_epoch=self._splits.train.steps(size))
        plan = replace(plan, validate_every=settings.max_steps or 1)
        still(state, plan.clock)
        began = time.monotonic()
        for _ in fit(
            parts.task, self._splits, state, plan=plan, runtime=parts.runtime, requests=Requests()
        ):  # fmt: skip
            timed = state.step - WARM_UP
            if timed == 0:
                parts.runtime.wait()
                began = time.monotonic()
            elif timed == MOST or (timed >= fewest and time.monotonic() - began >= seconds):
                parts.runtime.wait()
                break
        return (state.step - WARM_UP) * size / max(time.monotonic() - began, 1e-9)

    @torch.inference_mode()
    def _validate(self, size: int) -> None:
        """One batch as validation would take it: a language model normalises over all words only there."""
        parts, val = self._parts, self._splits.val
        model = self._state.judged
        model.eval()
        with parts.runtime.autocast():
            parts.task.evaluate(model, val.fetch(val.batches_in_order(size)[0]))
        self._state.model.train()
        parts.runtime.wait()


def still(state: State, clock: Clock) -> None:
    """Begin anew with a rate of 0: what does not learn cannot diverge, and takes the same time."""
    state.schedule = Schedule(lambda step, steps: 0.0, clock)
    state.step, state.skipped = 0, 0
    state.losses.clear()
