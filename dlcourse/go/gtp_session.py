"""A game that is played over GTP, and how the protocol writes colours and numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from dlcourse.go.board import Board
from dlcourse.go.player import Player
from dlcourse.go.points import LARGEST, NAMES, SMALLEST, from_vertex
from dlcourse.go.rules import PLAYING, Rules
from dlcourse.go.scoring import KOMI

USUAL_SIZE = 19
COLOURS = {word: colour for colour, name in NAMES.items() for word in (name, name[0])}
NUMBER = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{0,9})?")


class Failure(Exception):
    """Why a command cannot be obeyed; the text is the answer."""


class Session:
    """The game in progress.

    Args:
        player: who plays when the controller asks for a move.
        rules: what is forbidden, to either side.
        komi: points that White gets for moving second.
    """

    def __init__(self, player: Player, *, rules: Rules = PLAYING, komi: float = KOMI) -> None:
        self.player = player
        self.rules = rules
        self.komi = komi
        self.handicap = 0
        """Stones that Black was given."""
        self.board = Board(player.size or USUAL_SIZE, rules=rules)

    def plays_on(self, size: int) -> bool:
        """Whether the player can be asked on a board of so many lines."""
        return SMALLEST <= size <= LARGEST and self.player.size in (None, size)

    def clear(self, size: int | None = None) -> None:
        """An empty board, of another size if one is given."""
        self.board = Board(size or self.board.size, rules=self.rules)
        self.handicap = 0

    def empty_board(self) -> Board:
        """The board if nothing has happened on it.

        Raises:
            Failure: something has.
        """
        if self.board.moves or self.board.stones.any():
            raise Failure("board not empty")
        return self.board


Command = Callable[[Session, list[str]], str]
"""What obeys one command: the game and the command's words in, the answer out; Failure if it cannot."""


def take(words: Sequence[str], count: int) -> Sequence[str]:
    """The first words; further ones are ignored, as GNU Go does.

    Raises:
        Failure: there are too few.
    """
    if len(words) < count:
        raise Failure("syntax error")
    return words[:count]


def colour_of(word: str) -> int:
    """BLACK or WHITE.

    Raises:
        Failure: the word is no colour.
    """
    if word.lower() not in COLOURS:
        raise Failure("syntax error")
    return COLOURS[word.lower()]


def whole(word: str) -> int:
    """A number of 0 or more.

    Raises:
        Failure: it is none.
    """
    if not re.fullmatch(r"[0-9]{1,9}", word):
        raise Failure("syntax error")
    return int(word)


def decimal(word: str) -> float:
    """A number with or without a fraction.

    Raises:
        Failure: it is none.
    """
    if not NUMBER.fullmatch(word) or not math.isfinite(float(word)):
        raise Failure("syntax error")
    return float(word)


def vertex_of(word: str, *, size: int) -> int:
    """The point of a vertex; a pass is size * size.

    Raises:
        Failure: there is none on this board.
    """
    try:
        return from_vertex(word, size=size)
    except ValueError:
        raise Failure("invalid color or coordinate") from None
