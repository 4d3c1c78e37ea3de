"""Area scoring as the Tromp-Taylor rules have it (tromp.github.io/go.html): stones and what only they reach."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dlcourse.go.points import BLACK, EMPTY, WHITE

KOMI: Final = 7.5
"""What White gets for moving second under Chinese rules, in points."""


def owners(stones: NDArray[np.int8], size: int) -> NDArray[np.int8]:
    """Whose each point is, [size * size]: EMPTY where both colours or neither reach it over empty points.

    Every stone counts as alive: dead ones must have been captured before.

    Args:
        stones: [size * size], EMPTY, BLACK or WHITE.
        size: lines of the board.
    """
    board = stones.reshape(size, size)
    black, white = (_reached(board, colour).reshape(-1) for colour in (BLACK, WHITE))
    owned = np.full(size * size, EMPTY, dtype=np.int8)
    owned[black & ~white] = BLACK
    owned[white & ~black] = WHITE
    return owned


def area_score(stones: NDArray[np.int8], size: int, *, komi: float = KOMI) -> float:
    """Points of Black minus those of White; positive where Black has won.

    Args:
        stones: [size * size], EMPTY, BLACK or WHITE; all count as alive.
        size: lines of the board.
        komi: points that White gets for moving second.
    """
    owned = owners(stones, size)
    return float(np.count_nonzero(owned == BLACK) - np.count_nonzero(owned == WHITE) - komi)


def _reached(board: NDArray[np.int8], colour: int) -> NDArray[np.bool_]:
    """The stones of `colour` and all empty points that a path of empty points joins to one, [size, size]."""
    passable = (board == EMPTY) | (board == colour)
    reached = board == colour
    while True:
        wider = reached.copy()
        wider[1:] |= reached[:-1]
        wider[:-1] |= reached[1:]
        wider[:, 1:] |= reached[:, :-1]
        wider[:, :-1] |= reached[:, 1:]
        wider &= passable
        if np.array_equal(wider, reached):
            return reached
        reached = wider
