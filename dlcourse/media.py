"""What a task can show beside a validation's numbers: figures, curves, texts and tables that others write down."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor


@dataclass(frozen=True)
class Picture:
    """A figure drawn only when somebody looks: `draw()` gives a matplotlib Figure."""

    draw: Callable[[], Figure]


@dataclass(frozen=True)
class PrecisionRecall:
    """A precision-recall curve: `hits` bool [N] (is the class), `scores` float [N] in 0..1."""

    hits: Tensor
    scores: Tensor


@dataclass(frozen=True)
class Text:
    """Something to read, in Markdown: two spaces at the end of a line break it."""

    markdown: str


Media = Picture | PrecisionRecall | Text


@dataclass(frozen=True)
class Sketch:
    """What a task shows of a model in training.

    Args:
        media: by name.
        scalars: finite numbers by name.
    """

    media: Mapping[str, Media] = field(default_factory=dict[str, Media])
    scalars: Mapping[str, float] = field(default_factory=dict[str, float])


Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Numbers in rows.

    Args:
        title: what it is about.
        columns: the name of each column.
        rows: a cell for each column; None where there is no number.
        notes: what a reader must know of the columns, and what is left out.

    Raises:
        ValueError: a row has not as many cells as there are columns.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"rows must have {len(self.columns)} cells as there are columns, not {len(row)}")

    def to_plain(self) -> dict[str, object]:
        """Plain data for JSON, each row by the names of its columns; what is no finite number is None."""
        rows = [dict(zip(self.columns, map(_plain, row), strict=True)) for row in self.rows]
        return {"title": self.title, "rows": rows, "notes": list(self.notes)}


def _plain(cell: Cell) -> Cell:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell
