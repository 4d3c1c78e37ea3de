"""The lengths at which successive halving stops arms: as they were said, or derived from how long trainings are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

from dlcourse.config.compose import compose
from dlcourse.config.overrides import Words
from dlcourse.errors import ConfigError
from dlcourse.lengths import parse_length
from dlcourse.sweep.space import Space

SAME = ("data", "task", "epochs", "max_steps", "validate_every")
"""What all arms must share if one number after one length is to rank them."""
NAMES = {"ep": "epochs", "st": "max_steps"}


@dataclass(frozen=True)
class Training:
    """How long a training is, and how often it is validated.

    Args:
        length: in `unit`.
        unit: ep or st.
        every: between two validations, as the setting has it, such as 0.5ep.
    """

    length: int
    unit: str
    every: str

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Self:
        """What a composed config says."""
        steps = config["max_steps"]
        length, unit = (config["epochs"], "ep") if steps is None else (steps, "st")
        return cls(int(length), unit, str(config["validate_every"]))

    @property
    def said(self) -> str:
        """The setting that decides the length."""
        return f"{NAMES[self.unit]}={self.length}"

    def count(self, length: str) -> Fraction | None:
        """A length in this training's unit; None if it is in the other one.

        Raises:
            ValueError: it is none.
        """
        number, unit = parse_length(length)
        if unit == "%":
            return Fraction(str(number)) / 100 * self.length
        return Fraction(str(number)) if unit == self.unit else None


def training_of(space: Space, words: Sequence[str]) -> Training:
    """How long the arm that has these words beside the shared ones is trained.

    Raises:
        ConfigError: Hydra refuses the words.
    """
    return Training.read(compose([*space.fixed, *words], config_dirs=Words(space.flags, ()).config_dirs))


def said(text: str, training: Training) -> tuple[str, ...]:
    """The stops that `rungs=1ep,3ep,9ep` names; the end of the training may stand last and is left out.

    Raises:
        ConfigError: they are no lengths, do not rise, lie behind the end or before the first validation.
    """
    stops = [stop.strip() for stop in text.strip("[]").split(",")]
    counts: list[Fraction] = []
    for stop in stops:
        try:
            count = training.count(stop)
        except ValueError as error:
            raise ConfigError(f"rungs: each {error}") from error
        if count is None:
            raise ConfigError(
                f"rungs: {stop} cannot be held against {training.said}; write such as 10{training.unit}, or 10%"
            )
        counts.append(count)
    if any(one >= other for one, other in zip([Fraction(0), *counts], counts, strict=False)):
        raise ConfigError(f"rungs must rise from above 0, not {text}")
    if counts[-1] > training.length:
        raise ConfigError(f"rungs: {stops[-1]} lies behind the end, {training.said}")
    every = training.count(training.every)
    if every is not None and counts[0] < every:
        raise ConfigError(
            f"rungs: {stops[0]} comes before the first validation; write validate_every={stops[0]}, or a longer rung"
        )
    if counts[-1] == training.length:
        stops.pop()
    if not stops:
        raise ConfigError(f"rungs: {text} is the end, {training.said}; name lengths before it")
    return tuple(stops)


def derived(training: Training, *, eta: int, arms: int) -> tuple[str, ...]:
    """The whole length divided by `eta` again and again, at validations, as long as there are arms to drop.

    Raises:
        ConfigError: there is no room for a rung, or too few arms.
    """
    every = training.count(training.every)
    if every is None:
        raise ConfigError(
            f"rungs: they cannot be derived from {training.said} and validate_every={training.every}; name them, such "
            f"as rungs=10{training.unit},30{training.unit}"
        )
    if arms < eta:
        raise ConfigError(f"halving={eta} needs {eta} arms or more, not {arms}")
    stops: list[str] = []
    length = Fraction(training.length)
    while length / eta >= every and arms >= eta:
        length, arms = length / eta, arms // eta
        stops.append(f"{float(length // every * every):.12g}{training.unit}")
    if not stops:
        raise ConfigError(
            f"halving={eta}: a rung at a {eta}th of {training.said} would come before the first validation "
            f"(validate_every={training.every}); train longer, validate more often, or lower halving="
        )
    return tuple(reversed(stops))


def misfits(keys: Sequence[str]) -> list[str]:
    """A line for each setting that halving cannot vary.

    Args:
        keys: of the sweep's axes.
    """
    wrong = [key for key in keys if key.lstrip("+") in SAME]
    return [f"{key}: halving ranks arms by one number after the same length, so all need one {key}" for key in wrong]
