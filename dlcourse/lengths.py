"""Lengths of training as people say them: `2ep`, `0.5ep`, `500st`, `30%`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FORM = re.compile(r"(\d+(?:\.\d+)?)(ep|st|%)")


@dataclass(frozen=True)
class Clock:
    """How long a run is: `steps` optimizer steps in all, `steps_per_epoch` in an epoch."""

    steps: int
    steps_per_epoch: int

    def count(self, length: str) -> int:
        """Optimizer steps in `length`, rounded; 0 only for a length of 0."""
        number, unit = parse_length(length)
        whole = {"ep": self.steps_per_epoch, "st": 1, "%": self.steps / 100}[unit]
        return max(round(number * whole), 1 if number else 0)


def parse_length(length: str) -> tuple[float, str]:
    """`2ep` -> (2.0, "ep"): epochs (ep), optimizer steps (st) or a share of the run (%).

    Raises:
        ValueError: not of that form.
    """
    match = _FORM.fullmatch(str(length).strip())
    if not match:
        raise ValueError(f"must be a length such as 2ep (epochs), 500st (optimizer steps) or 30%, not {length!r}")
    return float(match[1]), match[2]
