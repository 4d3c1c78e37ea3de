"""What the finders draw: loss over learning rate, speed and memory over batch size; as a figure and as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlcourse.results.curves import Curve, Numbers
from dlcourse.results.plots import COLOURS
from dlcourse.results.spark import spark
from dlcourse.run.batch_sizes import Climb
from dlcourse.run.rate_curve import Finding

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN = COLOURS[:3]
MARGIN = 9  # characters left of a curve


def rate_lines(found: Finding, *, low: float, high: float, width: int, height: int = 8) -> list[str]:
    """The smoothed loss over the rate's logarithm, a line of decades below it, and an arrow at the suggestion.

    Args:
        found: what was read in the curve.
        low: the left edge's rate.
        high: the right edge's.
        width: characters of the curve.
        height: lines of the curve.
    """

    def column(rate: float) -> int:
        return round((width - 1) * math.log(rate / low) / math.log(high / low))

    top = shown_top(found)
    span = (float(found.smooth.min()), top)
    # In thousandths of the width, since a curve's steps are whole.
    places = np.array([round(1000 * math.log(rate / low) / math.log(high / low)) for rate in found.rates]) + 1
    curve = Curve(places.astype(np.int64), places.astype(np.float64), np.minimum(found.smooth, top))
    rows = spark(curve, width=width, height=height, span=span, last=1001.0)
    labels = {0: f"{span[1]:.3g}", height - 1: f"{span[0]:.3g}"}
    lines = [f"{labels.get(number, ''):>{MARGIN - 1}} {row}".rstrip() for number, row in enumerate(rows)]
    axis = [" "] * (width + 8)
    for decade in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1):
        label = f"{10.0**decade:g}"
        place = min(column(10.0**decade), width + 7 - len(label))
        axis[place : place + len(label)] = label
    lines.append(" " * MARGIN + "".join(axis).rstrip())
    if found.suggestion is not None and low <= found.suggestion <= high:
        lines.append(" " * (MARGIN + column(found.suggestion)) + f"^ {found.suggestion:g}")
    return lines


def rate_figure(found: Finding, curves: Sequence[Numbers], *, rates: Numbers, title: str) -> Figure:
    """The losses of every seed, their smoothed mean, the usable rates and the one that is suggested."""
    figure, axes = empty(title)
    for curve in curves:
        axes.plot(rates[: len(curve)], finite(curve), color="#999999", linewidth=0.6, alpha=0.6)
    axes.plot(found.rates, found.smooth, color=BLUE, linewidth=2, label="smoothed mean of the seeds")
    if found.suggestion is not None:
        low = min(found.begins, found.suggestion)
        axes.axvspan(low, found.bottom, color=BLUE, alpha=0.08, linewidth=0, label="usable")
        axes.axvline(found.bottom, color=ORANGE, linestyle="--", label=f"lowest up to {found.bottom:.2g}")
        axes.axvline(found.suggestion, color=GREEN, label=f"suggested: {found.suggestion:g}")
    axes.set_xscale("log")
    axes.set_xlim(rates[0], rates[-1])
    bottom, top = float(found.smooth.min()), shown_top(found)
    room = 0.1 * (top - bottom) or 0.1
    axes.set_ylim(bottom - room, top + room)
    axes.set_xlabel("optimizer.lr, which rises from step to step")
    axes.set_ylabel("training loss")
    axes.legend(edgecolor="none", fontsize=8, loc="lower left")
    return figure


def size_figure(found: Climb, *, knee: int, limit: int | None, title: str) -> Figure:
    """Samples per second, and memory with its limit, over the batch size."""
    from matplotlib.ticker import NullLocator

    figure, axes = empty(title)
    measured = found.measured
    at = [one.batch_size for one in measured]
    axes.plot(at, [one.samples_per_second for one in measured], marker=".", color=BLUE)
    axes.axvline(knee, color=GREEN, linewidth=1, label=f"more gains little from {knee} on")
    axes.axvline(found.largest.batch_size, color=ORANGE, linestyle="--", label=f"largest: {found.largest.batch_size}")
    axes.set_xscale("log", base=2)
    axes.set_xticks(at[:: 1 + len(at) // 12], [str(one) for one in at[:: 1 + len(at) // 12]])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0)
    axes.set_xlabel("batch_size")
    axes.set_ylabel("samples per second", color=BLUE)
    memory = axes.twinx()
    memory.plot(at, [one.peak / 2**20 for one in measured], marker=".", linestyle=":", color="#555555")
    highest = max(one.peak for one in measured)
    if limit is not None and limit < 1.15 * highest:
        memory.axhline(limit / 2**20, color="#555555", linewidth=0.8, label="memory that may be held")
        memory.legend(frameon=False, fontsize=8, loc="upper left")
    memory.set_ylim(0, 1.15 * highest / 2**20)
    memory.set_ylabel("peak memory, MiB (dotted)", color="#555555")
    axes.legend(edgecolor="none", fontsize=8, loc="lower right")
    return figure


def empty(title: str) -> tuple[Figure, Axes]:
    """A figure with one plot in it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, parse_math=False, fontsize=10)
    axes.grid(alpha=0.25)
    return figure, axes


def shown_top(found: Finding) -> float:
    """The largest loss that is worth a place: a little above the start, not an explosion's."""
    start, bottom, highest = float(found.smooth[0]), float(found.smooth.min()), float(found.smooth.max())
    return min(highest, start + max(0.5 * (start - bottom), 0.1 * abs(start)))


def finite(values: Numbers) -> Numbers:
    """The values, those that are infinite as gaps."""
    return np.where(np.isfinite(values), values, np.nan)
