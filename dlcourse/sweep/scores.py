"""What a trial is judged by: its validation number, how it failed, and which of two is better."""

from __future__ import annotations

import math

from dlcourse.sweep.journal import Ended


def told(ended: Ended) -> str:
    """How a trial failed, in a few words."""
    return ended.problem if ended.exit_code < 0 else f"exit code {ended.exit_code}: {ended.problem}"


def score(ended: Ended, metric: str | None) -> float | None:
    """The number that a trial is judged by; None if it has none, or none that is finite."""
    name = metric or (ended.decisive[0] if ended.decisive else None)
    number = None if name is None or ended.failed else ended.val.get(name)
    return number if number is not None and math.isfinite(number) else None


def merit(ended: Ended, metric: str | None) -> float | None:
    """The same number, turned so that more is better."""
    from dlcourse.results.comparison import direction  # scipy, which it needs, takes half a second

    number, decisive = score(ended, metric), ended.decisive
    if number is None or decisive is None:
        return None
    return -number if direction(metric or decisive[0], decisive) == "min" else number
