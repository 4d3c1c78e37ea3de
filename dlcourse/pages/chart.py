"""Line charts as geometry that a template writes as SVG: sharp in print, in the page's colours by day and by night."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, SIDE = 520.0, 290.0, 340.0  # of a chart, and of a square one
LEFT, RIGHT, TOP, BOTTOM = 56.0, 14.0, 10.0, 44.0  # room for the axes' numbers
COLOURS = 6  # that the page has
MOST_MARKS = 80  # points that can still be told apart
LARGEST = 1e300  # a value that can still be drawn; twice the largest float64 is none
TICKS = 6  # about, on an axis

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Line:
    """One curve.

    Args:
        name: for the legend.
        x: float64 [M], ascending.
        y: float64 [M]; what is not finite is left out.
        low: float64 [M], the lower end of a band around it, or None.
        high: likewise the upper end.
        marked: whether its points are drawn if they are few.
    """

    name: str
    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None
    marked: bool = False


@dataclass(frozen=True)
class Stroke:
    """A line as it is drawn: paths in the chart's own units, and its points as (x, y, what the pointer is told)."""

    name: str
    colour: int
    dashed: bool
    path: str
    band: str
    marks: Sequence[tuple[str, str, str]] = ()


@dataclass(frozen=True)
class Chart:
    """Everything that the template draws; places are in units of the chart."""

    title: str
    xlabel: str
    ylabel: str
    width: float
    height: float
    xticks: Sequence[tuple[str, str]]
    yticks: Sequence[tuple[str, str]]
    strokes: Sequence[Stroke]
    diagonal: bool = False
    edges: tuple[float, float, float, float] = field(default=(0, 0, 0, 0))
    """Left, top, right and bottom of the drawing's frame."""


def draw(
    lines: Iterable[Line],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    unit: bool = False,
    diagonal: bool = False,
) -> Chart | None:
    """The chart of some lines; None if none has two points that can be drawn.

    Args:
        lines: the first ones get the page's colours, later ones the same with dashes.
        title: what stands above it.
        xlabel: below it.
        ylabel: beside it.
        unit: whether both axes go from 0 to 1, in a square.
        diagonal: whether chance is drawn.
    """
    whole = [kept for kept in map(finite, lines) if len(kept.x)]
    if not any(len(line.x) > 1 for line in whole):
        return None
    width, height = (SIDE, SIDE) if unit else (WIDTH, HEIGHT)
    xs = np.concatenate([line.x for line in whole])
    ys = np.concatenate([part for line in whole for part in (line.y, line.low, line.high) if part is not None])
    x_range = (0.0, 1.0) if unit else (min(0.0, float(xs.min())), float(xs.max()))
    y_range = (0.0, 1.0) if unit else padded(float(ys.min()), float(ys.max()))
    across = Axis(*x_range, start=LEFT, end=width - RIGHT)
    upward = Axis(*y_range, start=height - BOTTOM, end=TOP)
    return Chart(
        title=title, xlabel=xlabel, ylabel=ylabel, width=width, height=height,
        xticks=list(across.ticks()), yticks=list(upward.ticks()),
        strokes=[stroke(line, place, across=across, upward=upward) for place, line in enumerate(whole)],
        diagonal=diagonal, edges=(LEFT, TOP, width - RIGHT, height - BOTTOM),
    )  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` laid from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, values: Floats) -> Floats:
        """Where values stand."""
        extent = (self.high - self.low) or 1.0
        return self.start + (values - self.low) / extent * (self.end - self.start)

    def ticks(self) -> Iterator[tuple[str, str]]:
        """Place and text of round numbers."""
        for value in rounds(self.low, self.high):
            yield f"{float(self.at(np.array(value))):.1f}", f"{value:,.6g}".replace("-", "\u2212")


def rounds(low: float, high: float) -> list[float]:
    """A few round numbers between two."""
    extent = high - low
    if not extent > 0 or not math.isfinite(extent):
        return [low]
    rough = extent / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough), rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def padded(low: float, high: float) -> tuple[float, float]:
    """A little more than from `low` to `high`."""
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return (low if low == 0 else low - room), high + room


def finite(line: Line) -> Line:
    """The points that have a place on paper."""
    kept = np.isfinite(line.x) & (np.abs(line.y) <= LARGEST)
    low, high = (
        None if part is None else np.where(np.abs(part) <= LARGEST, part, line.y)[kept]
        for part in (line.low, line.high)
    )
    return Line(line.name, line.x[kept], line.y[kept], low, high, line.marked)


def stroke(line: Line, place: int, *, across: Axis, upward: Axis) -> Stroke:
    """One line as paths."""
    x, y = across.at(line.x), upward.at(line.y)
    band = ""
    if line.low is not None and line.high is not None:
        there = points(*thinned(x, upward.at(line.high)))
        back = points(*thinned(x, upward.at(line.low)))[::-1]
        band = f"M{'L'.join([*there, *back])}Z"
    marks = [
        (f"{left:.1f}", f"{top:.1f}", f"{step:,.6g}: {value:.4g}")
        for left, top, step, value in zip(x.tolist(), y.tolist(), line.x.tolist(), line.y.tolist(), strict=True)
    ]
    return Stroke(
        name=line.name,
        colour=place % COLOURS,
        dashed=place // COLOURS % 2 == 1,
        path="M" + "L".join(points(*thinned(x, y))),
        band=band,
        marks=marks if line.marked and len(marks) <= MOST_MARKS else (),
    )


def points(x: Floats, y: Floats) -> list[str]:
    """Each point as SVG writes it."""
    return [f"{left:.1f} {top:.1f}" for left, top in zip(x.tolist(), y.tolist(), strict=True)]


def thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The points that can be seen: of those in one half unit of width the first, lowest, highest and last."""
    if len(x) < 4:
        return x, y
    column = np.floor(2 * x).astype(np.int64)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(column)) + 1, [len(x)]])
    kept: list[int] = []
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        part = y[start:end]
        kept += sorted({start, start + int(part.argmin()), start + int(part.argmax()), end - 1})
    return x[kept], y[kept]
