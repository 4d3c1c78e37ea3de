"""Where handicap stones traditionally stand (GTP version 2, draft 2, section 4.1.1)."""

from __future__ import annotations

SMALLEST = 7
"""Lines of the smallest board that has such points."""
LEAST = 2
"""So many stones, or none, are a handicap."""


def most_fixed(size: int) -> int:
    """How many stones have a traditional place: 9, but 4 on boards of 7 or an even number of lines; 0 on tiny ones."""
    if size < SMALLEST:
        return 0
    return 4 if size % 2 == 0 or size == SMALLEST else 9


def fixed_points(stones: int, *, size: int) -> list[int]:
    """The points of so many stones, corners first, in the order of GTP's table.

    Raises:
        ValueError: there are no such places.
    """
    if not LEAST <= stones <= most_fixed(size):
        raise ValueError(f"stones must be {LEAST} to {most_fixed(size)} on a board of {size} lines, not {stones}")
    edge = 3 if size >= 13 else 2
    low, middle, high = edge, size // 2, size - 1 - edge
    # (row, column): lower left, upper right, upper left, lower right; left, right; below, above.
    corners = [(high, low), (low, high), (low, low), (high, high)]
    sides = [(middle, low), (middle, high), (high, middle), (low, middle)]
    pairs = (corners + sides)[: stones - stones % 2] if stones > 4 else corners[:stones]
    centre = [(middle, middle)] if stones > 4 and stones % 2 else []
    return [row * size + column for row, column in pairs + centre]
