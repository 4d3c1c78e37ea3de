"""What the commands that play Go ask of their settings."""

from __future__ import annotations

from typing import Protocol

from dlcourse.errors import ConfigError

MOST_KOMI = 1000
"""Points; GTP sets no bound, and more than twice the largest board's points decides any game."""


class Playing(Protocol):
    """Settings of a command that plays."""

    @property
    def temperature(self) -> float:
        """0 plays the most probable move, 1 draws."""
        ...

    @property
    def komi(self) -> float:
        """Points for White."""
        ...


def check_playing(given: Playing, *others: tuple[str, str, bool]) -> None:
    """Refuse settings that are out of range.

    Args:
        given: the settings.
        others: of further ones the name, what it must be, and whether it is; they are told first.

    Raises:
        ConfigError: some are; a line for each.
    """
    checks = (
        *others,
        ("komi", f"a number up to {MOST_KOMI}", abs(given.komi) <= MOST_KOMI),
        ("temperature", "0 or more", 0 <= given.temperature < float("inf")),
    )
    problems = [f"{name} must be {wanted}, not {getattr(given, name)}" for name, wanted, holds in checks if not holds]
    if problems:
        raise ConfigError(*problems)
