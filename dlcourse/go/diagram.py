"""A Go board as text: X is black, O is white."""

from __future__ import annotations

from collections.abc import Mapping

from dlcourse.go.board import Board
from dlcourse.go.points import BLACK, COLUMNS, EMPTY, WHITE

SIGNS = {EMPTY: ".", BLACK: "X", WHITE: "O"}


def diagram(board: Board, *, marks: Mapping[int, str] | None = None) -> str:
    """The position, row by row, with GTP's coordinates around it; the last move stands in brackets.

    Args:
        board: the game.
        marks: by point, what one character stands there in place of the usual one.
    """
    size, stones = board.size, board.stones.tolist()
    signs = {point: SIGNS[stone] for point, stone in enumerate(stones)} | dict(marks or {})
    last = board.moves[-1][1] if board.moves else None
    columns = f"   {' '.join(COLUMNS[:size])}"
    rows = [columns]
    for row in range(size):
        points = range(row * size, (row + 1) * size)
        line = " " + " ".join(signs[point] for point in points) + " "
        if last is not None and last in points:
            place = 2 * (last % size)
            line = f"{line[:place]}({line[place + 1]}){line[place + 3 :]}"
        rows.append(f"{size - row:2}{line}{size - row}")
    return "\n".join([*rows, columns])
