"""A recorded game on a board, up to any of its moves."""

from __future__ import annotations

from dlcourse.go.board import Board
from dlcourse.go.record import GameRecord
from dlcourse.go.rules import Rules


def board_before(record: GameRecord, moves: int, *, rules: Rules | None = None) -> Board:
    """The game after its first `moves` moves.

    Args:
        record: the game.
        moves: 0 to all of them.
        rules: what is forbidden; None is what the record was played under, as far as it says.

    Raises:
        ValueError: the setup leaves a group without a liberty, or a move is illegal (IllegalMove).
    """
    board = Board(record.size, rules=Rules.of_record(record.rules) if rules is None else rules)
    board.place(record.black.tolist(), record.white.tolist(), to_play=record.to_play)
    for point, colour in zip(record.moves[:moves].tolist(), record.colours[:moves].tolist(), strict=True):
        board.play(point, colour)
    return board
