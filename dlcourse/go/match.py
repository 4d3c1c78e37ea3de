"""Games between two players, refereed by our own board and counted by area, and who is the better one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dlcourse.go.board import Board
from dlcourse.go.player import RESIGN, Player
from dlcourse.go.points import BLACK, WHITE, opponent
from dlcourse.go.record import GameRecord
from dlcourse.go.results import by_forfeit, by_resignation, by_score, winner_of
from dlcourse.go.rules import PLAYING, IllegalMove, Rules
from dlcourse.go.scoring import KOMI, area_score

LONGEST = 4
"""A game ends after so many moves for each point of the board and is counted as it stands."""


@dataclass(frozen=True)
class Played:
    """One game of a match, seen by the first player.

    Args:
        record: the game.
        colour: the first player's.
        fault: why a player forfeited, or nothing.
    """

    record: GameRecord
    colour: int
    fault: str = ""

    @property
    def points(self) -> float:
        """1 if the first player won, 0 if it lost, a half for a draw."""
        winner = winner_of(self.record.result)
        return 0.5 if winner is None else float(winner == self.colour)


def play_match(
    first: Player, second: Player, *, games: int, size: int, komi: float = KOMI, rules: Rules = PLAYING
) -> Iterator[Played]:
    """Game after game; the first player is Black in the first game, and colours alternate."""
    for number in range(games):
        colour = BLACK if number % 2 == 0 else WHITE
        black, white = (first, second) if colour == BLACK else (second, first)
        yield play_game(black, white, size=size, komi=komi, rules=rules, colour=colour)


def play_game(
    black: Player, white: Player, *, size: int, komi: float = KOMI, rules: Rules = PLAYING, colour: int = BLACK
) -> Played:
    """One game on the referee's own board.

    When both have passed, they are asked to capture what is dead (KGS's cleanup) until both pass again; then every
    stone that stands counts for its owner, so that no one's opinion of life and death is needed. Who plays what the
    rules forbid has lost.

    Args:
        black: the player of the black stones.
        white: the other.
        size: lines of the board.
        komi: points that White gets for moving second.
        rules: what is forbidden.
        colour: whose game it is: see `Played`.
    """
    board = Board(size, rules=rules)
    players = {BLACK: black, WHITE: white}
    cleanup, since = False, 0
    while len(board.moves) < LONGEST * size * size:
        turn = board.to_play
        point = players[turn].choose(board, turn, komi=komi, cleanup=cleanup)
        if point == RESIGN:
            return Played(record_of(board, players, komi=komi, result=by_resignation(opponent(turn))), colour)
        try:
            board.play(point, turn)
        except IllegalMove as illegal:
            record = record_of(board, players, komi=komi, result=by_forfeit(opponent(turn)))
            return Played(record, colour, fault=f"{players[turn].name}: {illegal}")
        if min(board.passes, len(board.moves) - since) >= 2:
            if cleanup:
                break
            cleanup, since = True, len(board.moves)
    score = area_score(board.stones, size, komi=komi)
    return Played(record_of(board, players, komi=komi, result=by_score(score)), colour)


def record_of(board: Board, players: dict[int, Player], *, komi: float, result: str) -> GameRecord:
    """The game as a record; the two last passes before the cleanup and those after it are among its moves."""
    colours, points = zip(*board.moves, strict=True) if board.moves else ((), ())
    none = np.zeros(0, dtype=np.int16)
    return GameRecord(
        size=board.size,
        moves=np.array(points, dtype=np.int16),
        colours=np.array(colours, dtype=np.int8),
        black=none,
        white=none,
        to_play=BLACK,
        komi=komi,
        result=result,
        names=(players[BLACK].name, players[WHITE].name),
        rules="Tromp-Taylor" if board.rules.suicide else "Chinese",
    )


def distinct(games: Sequence[Played]) -> int:
    """How many games differ in any move."""
    return len({game.record.moves.tobytes() for game in games})
