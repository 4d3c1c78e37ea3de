"""Which moves a rule set forbids, and the error that names the rule a move breaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dlcourse.go.points import NAMES, pass_point, to_vertex

OCCUPIED: Final = "occupied"
SUICIDE: Final = "suicide"
KO: Final = "ko"
SUPERKO: Final = "superko"
OFF_BOARD: Final = "off the board"
STIFLED: Final = "set up without a liberty"

SUICIDE_ALLOWED_BY: Final = frozenset({"nz", "new zealand", "goe", "ing", "tromp-taylor"})
"""Names of SGF's property RU, in lower case, whose rules let a player take its own stones off the board."""


@dataclass(frozen=True)
class Rules:
    """What is forbidden beside playing on a stone; simple ko always is.

    Args:
        suicide: whether a player may fill the last liberty of its own stones, which then leave the board.
        superko: whether a move may not recreate any earlier position of the game, whoever is to play.
    """

    suicide: bool = False
    superko: bool = True

    @classmethod
    def of_record(cls, name: str) -> Rules:
        """The rules under which a recorded game was played: suicide as SGF's RU says, and only simple ko.

        Servers differ in superko, and what was played is a fact, so a record is not held to it.
        """
        return cls(suicide=name.strip().lower() in SUICIDE_ALLOWED_BY, superko=False)


PLAYING: Final = Rules()
"""What this project's own games are played by: no suicide, positional superko."""


class IllegalMove(ValueError):
    """A move that the rules forbid.

    Args:
        point: where it would have been played.
        colour: who would have played it.
        size: lines of the board.
        reason: OCCUPIED, SUICIDE, KO, SUPERKO or OFF_BOARD.
    """

    def __init__(self, point: int, *, colour: int, size: int, reason: str) -> None:
        self.point = point
        self.colour = colour
        self.reason = reason
        name = to_vertex(point, size=size) if 0 <= point <= pass_point(size) else f"point {point}"
        super().__init__(f"{name} is illegal for {NAMES[colour]}: {reason}")
