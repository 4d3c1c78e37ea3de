"""Points of a Go board as numbers, and how GTP and SGF write them."""

from __future__ import annotations

from typing import Final

EMPTY: Final = 0
BLACK: Final = 1
WHITE: Final = 2

NAMES: Final = {BLACK: "black", WHITE: "white"}
"""A colour as GTP and people write it."""
LETTERS: Final = {BLACK: "B", WHITE: "W"}
"""A colour as SGF writes it; GTP reads either case."""

SMALLEST: Final = 2
LARGEST: Final = 25
"""GTP names no more columns than the alphabet has letters without I (GTP 2 draft, section 2.11)."""

COLUMNS: Final = "ABCDEFGHJKLMNOPQRSTUVWXYZ"


def opponent(colour: int) -> int:
    """The other colour."""
    return BLACK + WHITE - colour


def pass_point(size: int) -> int:
    """The number that stands for a pass: one more than the last point's."""
    return size * size


def to_vertex(point: int, *, size: int) -> str:
    """As GTP writes it: "A1" is at the lower left, "pass" is a pass.

    Args:
        point: row * size + column, row 0 at the top, or size * size.
        size: lines of the board.
    """
    if point == pass_point(size):
        return "pass"
    row, column = divmod(point, size)
    return f"{COLUMNS[column]}{size - row}"


def from_vertex(vertex: str, *, size: int) -> int:
    """The point that GTP writes so, in either case.

    Raises:
        ValueError: there is no such point on a board of this size.
    """
    word = vertex.strip().upper()
    if word == "PASS":
        return pass_point(size)
    column = COLUMNS.find(word[:1]) if word else -1
    number = word[1:]
    # str.isdigit also accepts digits of other scripts, which int reads as well.
    if not (0 <= column < size and number.isascii() and number.isdigit() and 1 <= int(number) <= size):
        raise ValueError(f"{vertex!r} is no point of a board of {size} lines")
    return (size - int(number)) * size + column
