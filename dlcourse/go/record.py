"""One game of Go as it was recorded: setup, moves, and what is known of the players."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from dlcourse.go.points import BLACK, LARGEST, SMALLEST, WHITE


@dataclass(frozen=True, slots=True, eq=False)
class GameRecord:
    """A game; whether its moves are legal is for a board to say.

    Two records are equal when everything but `source` is.

    Raises:
        ValueError: the size, a point or a colour does not exist, or moves and colours differ in number.
    """

    size: int
    """Lines of the board, 2 to 25."""
    moves: NDArray[np.int16]
    """[M] points, row * size + column from the top left; a pass is size * size."""
    colours: NDArray[np.int8]
    """[M] who made each move; the same colour may move twice in a row."""
    black: NDArray[np.int16]
    """Points with a black stone before the first move, in rising order: handicap and setup."""
    white: NDArray[np.int16]
    """Points with a white stone before the first move, in rising order."""
    to_play: int
    """Whose turn the starting position is."""
    komi: float | None = None
    """Points that White gets for moving second; None where the record does not say."""
    handicap: int = 0
    """Stones that Black was given; 0 is an even game. They stand in `black` unless Black placed them by moves."""
    result: str = ""
    """As SGF writes it: "B+3.5", "W+R", "0" for a draw, "" where unknown."""
    ranks: tuple[str, str] = ("", "")
    """Black's and White's, as written: "5d", "12k", "9p"."""
    names: tuple[str, str] = ("", "")
    """Black's and White's."""
    rules: str = ""
    """As written: "Japanese", "Chinese"."""
    source: str = ""
    """The file, and which game in it."""

    def __post_init__(self) -> None:
        """Check what a replayer takes for granted."""
        if not SMALLEST <= self.size <= LARGEST:
            raise ValueError(f"size must be {SMALLEST} to {LARGEST}, not {self.size}")
        if self.moves.shape != self.colours.shape or self.moves.ndim != 1:
            raise ValueError(
                f"moves {self.moves.shape} and colours {self.colours.shape} must be two rows of one length"
            )
        points = self.size * self.size
        for name, row, most in (
            ("moves", self.moves, points),
            ("black", self.black, points - 1),
            ("white", self.white, points - 1),
        ):
            # Seen as unsigned a negative number is a large one: one pass for both ends of the range.
            if len(row) and int(row.view(np.uint16).max()) > most:
                raise ValueError(f"{name} must be points 0 to {most}, not {row.min()} to {row.max()}")
        if len(self.colours) and not BLACK <= int(self.colours.min()) <= int(self.colours.max()) <= WHITE:
            raise ValueError(f"colours must be {BLACK} or {WHITE}, not {self.colours.min()} to {self.colours.max()}")
        if self.to_play not in (BLACK, WHITE):
            raise ValueError(f"to_play must be {BLACK} or {WHITE}, not {self.to_play}")

    def __eq__(self, other: object) -> bool:
        """Whether the same game is recorded; where it was found does not count."""
        if not isinstance(other, GameRecord):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)
            if field.name != "source"
        )

    __hash__ = None  # type: ignore[assignment]
