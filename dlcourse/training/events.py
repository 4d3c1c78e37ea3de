"""What the loop yields: numbers to write down, media to show, moments to save, the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dlcourse.media import Media
from dlcourse.metrics import Stats


@dataclass(frozen=True)
class Record:
    """Numbers at one step.

    Args:
        step: optimizer steps done.
        epoch: the same in epochs.
        split: what they were counted on.
        scalars: what the seed determines, by name.
        timing: seconds, samples per second and bytes: what the machine determines.
        stats: the statistics behind a validation's or test's scalars.
        improved: whether this validation is the best so far.
    """

    step: int
    epoch: float
    split: Literal["train", "val", "test"]
    scalars: dict[str, float]
    timing: dict[str, float] = field(default_factory=dict[str, float])
    stats: Stats | None = None
    improved: bool = False


@dataclass(frozen=True)
class Shown:
    """What the task shows of the model after the validation at `step`, by name; again where a run is resumed there."""

    step: int
    media: Mapping[str, Media]


@dataclass(frozen=True)
class Tick:
    """One optimizer step was made; nothing was read from the device."""

    step: int


@dataclass(frozen=True)
class Save:
    """The state is whole and finite: a checkpoint may be written. `best`: it is the best by validation so far."""

    step: int
    best: bool = False


@dataclass(frozen=True)
class Stopped:
    """The loop is over, and why: "done", "early_stop", "stop_at", "max_minutes" or the name of a signal."""

    step: int
    reason: str


Event = Record | Shown | Tick | Save | Stopped
