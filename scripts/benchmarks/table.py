"""Rows of the table: the repetitions of two arms, how they compare, and whether that meets the target."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import sub, truediv

HEAD = ("benchmark", "ours", "peer", "ratio (median, min-max)", "target", "met?")


@dataclass(frozen=True)
class Comparison:
    """How one repetition of ours stands to the same repetition of the peer.

    Args:
        of: (ours, peer) to a number.
        form: how that number is written.
        sign: the side of the target on which it should lie, ">=" or "<=".
        neutral: what it is when both are equal.
    """

    of: Callable[[float, float], float]
    form: str
    sign: str
    neutral: float

    def meets(self, value: float, target: float) -> bool:
        """Whether a value lies on the right side of the target."""
        return value >= target if self.sign == ">=" else value <= target


def saved(ours: float, peer: float) -> float:
    """How many times the peer costs what ours costs."""
    return peer / ours


# Named functions, because rows travel between processes.
GAIN = Comparison(truediv, "{:.2f}x", ">=", 1.0)  # of speeds: how many times faster
SAVING = Comparison(saved, "{:.1f}x", ">=", 1.0)  # of costs: how many times cheaper
COST = Comparison(truediv, "{:.3f}x", "<=", 1.0)  # of costs: how many times dearer
ADDED = Comparison(sub, "{:+.3f} ms", "<=", 0.0)  # of milliseconds: how many more


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        benchmark: what was measured.
        unit: of every repetition, such as "ms/step".
        ours: one number a repetition.
        peer: likewise, measured in the same rounds; empty where there is nothing to compare with.
        comparison: how the two are compared.
        target: what the median of the comparison should reach; None is a row for information.
    """

    benchmark: str
    unit: str
    ours: tuple[float, ...]
    peer: tuple[float, ...] = ()
    comparison: Comparison = GAIN
    target: float | None = None

    def __post_init__(self) -> None:
        if not self.ours:
            raise ValueError("ours must have at least one repetition")
        if self.peer and len(self.peer) != len(self.ours):
            raise ValueError(
                f"peer has {len(self.peer)} repetitions, ours {len(self.ours)}: they are compared in pairs"
            )
        if self.target is not None and not self.peer:
            raise ValueError(f"target {self.target} is one of a comparison, which needs a peer")

    @property
    def compared(self) -> tuple[float, ...]:
        """The comparison of each repetition."""
        return tuple(self.comparison.of(ours, peer) for ours, peer in zip(self.ours, self.peer, strict=False))

    @property
    def verdict(self) -> str:
        """yes or no by the median, and how many rounds met the target; unresolved if the spread covers equality."""
        values = self.compared
        if not values:
            return "-"
        if self.target is None:
            return "unresolved" if min(values) <= self.comparison.neutral <= max(values) else "-"
        word = "yes" if self.comparison.meets(statistics.median(values), self.target) else "no"
        return f"{word} ({sum(self.comparison.meets(value, self.target) for value in values)} of {len(values)})"

    def cells(self) -> tuple[str, ...]:
        """The line's cells, in the order of HEAD."""
        form, values = self.comparison.form, self.compared
        return (
            self.benchmark,
            f"{figure(statistics.median(self.ours))} {self.unit}",
            f"{figure(statistics.median(self.peer))} {self.unit}" if self.peer else "-",
            spread(values, form) if values else "-",
            "-" if self.target is None else f"{self.comparison.sign} {form.format(self.target)}",
            self.verdict,
        )

    def plain(self) -> dict[str, object]:
        """Everything as JSON holds it, every repetition included."""
        return {
            "benchmark": self.benchmark,
            "unit": self.unit,
            "ours": list(self.ours),
            "peer": list(self.peer),
            "compared": list(self.compared),
            "target": self.target,
            "met": self.verdict,
        }


def render(rows: Sequence[Row]) -> str:
    """A Markdown table."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    written = [
        "| " + " | ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    rule = "| " + " | ".join("-" * width for width in widths) + " |"
    return "\n".join([written[0], rule, *written[1:]])


def spread(values: Sequence[float], form: str) -> str:
    """`median (min to max)`."""
    return f"{form.format(statistics.median(values))} ({form.format(min(values))} to {form.format(max(values))})"


def figure(value: float) -> str:
    """Three significant digits, thousands in full."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def interleaved(arms: Mapping[str, Callable[[], float]], *, repetitions: int) -> dict[str, tuple[float, ...]]:
    """Every arm's numbers: each round runs every arm once, every other round backwards, so drift hits all alike."""
    taken: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(repetitions):
        names = list(arms) if number % 2 == 0 else list(reversed(arms))
        for name in names:
            taken[name].append(arms[name]())
    return {name: tuple(numbers) for name, numbers in taken.items()}
