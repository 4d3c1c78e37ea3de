"""What every player of Go shares: how it is asked for a move, when it passes, when it resigns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dlcourse.go.board import Board
from dlcourse.go.points import BLACK, opponent, pass_point
from dlcourse.go.scoring import area_score

RESIGN: Final = -1
"""Stands for a point where a player gives up."""
HOPELESS = 0.25
"""A player who is behind by more than this share of the board's points, late in the game, may resign."""
LATE = 0.5
"""Late is after so many moves for each point."""


class Player(Protocol):
    """Whoever chooses moves."""

    @property
    def name(self) -> str:
        """For records and tables."""
        ...

    @property
    def size(self) -> int | None:
        """Lines of the only board that it plays on; None plays on any."""
        ...

    def choose(self, board: Board, colour: int, *, komi: float, cleanup: bool = False) -> int:
        """The point that it would play, size * size for a pass, or RESIGN.

        Args:
            board: the game so far; it is only looked at.
            colour: for whom to choose, in turn or not.
            komi: points that White gets for moving second.
            cleanup: whether both have passed and dead stones are now to be captured; then nobody resigns.
        """
        ...


@runtime_checkable
class Adviser(Protocol):
    """Whoever can say of every move how good it is."""

    def probabilities(self, board: Board, colour: int) -> NDArray[np.float64]:
        """[size * size + 1], summing to 1, the pass last; 0 where the rules forbid a move."""
        ...


class RandomPlayer:
    """Plays any legal move that fills none of its own eyes, each as often as any other.

    Args:
        draw: gives a whole number from 0 to one below its argument, every one as often.
    """

    name = "random"
    size = None

    def __init__(self, draw: Callable[[int], int]) -> None:
        self._draw = draw

    def choose(self, board: Board, colour: int, *, komi: float, cleanup: bool = False) -> int:
        """As `Player` has it; it passes when nothing else is left, or when that wins the game."""
        points = sensible_points(board, colour)
        if not len(points) or may_stop(board, colour, komi=komi):
            return pass_point(board.size)
        return int(points[self._draw(len(points))])


def sensible_points(board: Board, colour: int) -> NDArray[np.intp]:
    """The points, ascending, where `colour` may play without filling an eye of its own."""
    points = np.flatnonzero(board.legal_mask(colour)[:-1])
    eyes = [board.is_eye(point, colour) for point in points.tolist()]
    return points[~np.array(eyes, dtype=np.bool_)]


def lead(board: Board, colour: int, *, komi: float) -> float:
    """By how many points `colour` would win if the stones were counted now, by area; negative if it would lose."""
    score = area_score(board.stones, board.size, komi=komi)
    return score if colour == BLACK else -score


def may_stop(board: Board, colour: int, *, komi: float) -> bool:
    """Whether the opponent has just passed and a pass would end the game as a win."""
    passed = bool(board.moves) and board.moves[-1] == (opponent(colour), pass_point(board.size))
    return passed and lead(board, colour, komi=komi) > 0


def hopeless(board: Board, colour: int, *, komi: float) -> bool:
    """Whether it is late and `colour` is far behind: see LATE and HOPELESS."""
    points = board.size * board.size
    return len(board.moves) > LATE * points and lead(board, colour, komi=komi) < -HOPELESS * points
