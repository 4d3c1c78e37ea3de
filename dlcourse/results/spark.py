"""Curves in the terminal, drawn with Unicode's block elements."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dlcourse.results.curves import Band, Curve, Numbers

BLOCKS = " ▁▂▃▄▅▆▇█"
"""An eighth of a character's height more each."""


def spark(
    curve: Curve | Band, *, width: int = 40, height: int = 1, span: tuple[float, float] | None = None, last: float = 0.0
) -> list[str]:
    """A curve as lines of text, the upper first; a gap where a value is not finite.

    Args:
        curve: of one run, or the mean of several.
        width: characters.
        height: lines; each parts the values eight times finer.
        span: the values at bottom and top; None for the curve's own lowest and highest.
        last: the optimizer step at the right edge; a curve that ends before it leaves room.

    Raises:
        ValueError: width or height is below 1.
    """
    if width < 1 or height < 1:
        raise ValueError(f"width and height must be 1 or more, not {width} and {height}")
    values = curve.mean if isinstance(curve, Band) else curve.values
    sampled = resampled(curve.steps.astype(np.float64), values, width=width, last=last)
    low, high = span or span_of([curve])
    full = 8 * height
    levels = [level(value, low=low, high=high, full=full) for value in sampled]
    return ["".join(BLOCKS[min(8, max(0, one - 8 * row))] for one in levels) for row in reversed(range(height))]


def resampled(steps: Numbers, values: Numbers, *, width: int, last: float) -> Numbers:
    """Float64 [width]: the mean of the values that fall into each column, or between two of them on the line.

    Nan where the curve has not begun, has ended, or is not finite.
    """
    found = np.full(width, math.nan)
    if not len(steps):
        return found
    end = max(last, float(steps[-1]))
    edges = np.linspace(0.0, end, width + 1) if end > 0 else np.arange(width + 1) + 0.5
    middles = (edges[:-1] + edges[1:]) / 2
    place = np.clip(np.searchsorted(edges, steps, side="left") - 1, 0, width - 1)
    known = np.interp(middles, steps, values)
    inside = (np.arange(width) >= place[0]) & (np.arange(width) <= place[-1])
    found[inside] = known[inside]
    counts = np.bincount(place, minlength=width)
    sums = np.bincount(place, weights=values, minlength=width)
    return np.where(counts > 0, sums / np.maximum(counts, 1), found)


def level(value: float, *, low: float, high: float, full: int) -> int:
    """How many eighths are filled: 1 to `full`, and 0 for what is not finite."""
    if not math.isfinite(value):
        return 0
    share = (value - low) / (high - low) if high > low else 0.5
    return 1 + round(min(1.0, max(0.0, share)) * (full - 1))


def span_of(curves: Sequence[Curve | Band]) -> tuple[float, float]:
    """The lowest and highest finite value of some curves; 0 and 0 if there is none."""
    values = np.concatenate([one.mean if isinstance(one, Band) else one.values for one in curves] or [np.empty(0)])
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
