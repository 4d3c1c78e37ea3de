"""How a page writes numbers, times and tables, in the language of its reader."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Words = Mapping[str, str]


@dataclass(frozen=True)
class Sheet:
    """A table whose cells are ready to be read.

    Args:
        title: what it is about; empty if what stands above says so.
        columns: the name of each column.
        rows: a cell for each column.
        notes: sentences below it.
        folded: whether it is shown only when asked for.
        words: whether its cells are words, which stand on the left, and no numbers.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    folded: bool = False
    words: bool = False


def number(value: float | None) -> str:
    """Four decimals, or four places of what is large; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if float(value).is_integer() and abs(value) >= 10:
        return f"{value:,.0f}" if abs(value) < 1e15 else f"{value:.3e}"
    size = abs(value)
    text = f"{value:.4f}" if size < 10 else f"{value:,.2f}" if size < 1e6 else f"{value:.3e}"
    return text.replace("-", "\u2212")


def share(value: float) -> str:
    """A probability in per cent; none is ever certain, whatever it would be rounded to."""
    text = f"{100 * value:.1f}\u00a0%"
    return {"100.0\u00a0%": ">\u00a099.9\u00a0%", "0.0\u00a0%": "<\u00a00.1\u00a0%"}.get(text, text)


def between(low: float, high: float) -> str:
    """The ends of an interval."""
    return f"[{number(low)}, {number(high)}]"


def lasting(seconds: float, *, words: Words) -> str:
    """A length of time in its two largest units."""
    whole = round(seconds)
    if whole < 60:
        return words["seconds"].format(seconds=whole)
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return words["minutes"].format(minutes=minutes, seconds=rest)
    hours, minutes = divmod(minutes, 60)
    return words["hours"].format(hours=f"{hours:,}", minutes=minutes)


def plain(value: object) -> str:
    """A setting's value as a config file writes it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
