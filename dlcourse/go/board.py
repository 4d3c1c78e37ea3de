"""One game of Go move by move: captures, ko, superko, setup stones, taking moves back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dlcourse.go.bitboard import grid
from dlcourse.go.points import BLACK, LARGEST, SMALLEST, WHITE, opponent, pass_point
from dlcourse.go.rules import KO, OCCUPIED, OFF_BOARD, PLAYING, SUICIDE, SUPERKO, IllegalMove, Rules


class _Position(NamedTuple):
    """The board after a move; sets of points are as in `Grid`, `ko` is empty where nothing is forbidden."""

    black: int
    white: int
    ko: int
    to_play: int
    passes: int


class _Outcome(NamedTuple):
    """What playing a stone would lead to, or the rule that forbids it."""

    own: int
    other: int
    captured: int
    broken: str | None


class Board:
    """A game from its setup to its present position.

    Points are row * size + column with row 0 at the top; the pass is size * size.

    Args:
        size: lines of the board, 2 to 25.
        rules: what is forbidden.
    """

    def __init__(self, size: int, *, rules: Rules = PLAYING) -> None:
        if not SMALLEST <= size <= LARGEST:
            raise ValueError(f"size must be from {SMALLEST} to {LARGEST}, not {size}")
        self.size = size
        self.rules = rules
        self.moves: list[tuple[int, int]] = []
        """(colour, point) of every move so far, passes too."""
        self._grid = grid(size)
        self._positions = [_Position(black=0, white=0, ko=0, to_play=BLACK, passes=0)]
        self._seen = {(0, 0)}

    @property
    def stones(self) -> NDArray[np.int8]:
        """A copy of the board, [size * size]: EMPTY, BLACK or WHITE."""
        now = self._positions[-1]
        mask = self._grid.mask
        return mask(now.black).astype(np.int8) + np.int8(WHITE) * mask(now.white).astype(np.int8)

    @property
    def to_play(self) -> int:
        """Whose turn it is: the opponent of whoever moved last; before that BLACK or as `place` was told."""
        return self._positions[-1].to_play

    @property
    def ko(self) -> int | None:
        """The point that simple ko forbids to whoever is to play."""
        ko = self._positions[-1].ko
        return self._grid.point(ko) if ko else None

    @property
    def passes(self) -> int:
        """How many of the last moves were passes without a stone between them."""
        return self._positions[-1].passes

    @property
    def over(self) -> bool:
        """Both players have passed in turn; stones may be played all the same."""
        return self.passes >= 2

    def place(self, black: Iterable[int], white: Iterable[int] = (), *, to_play: int | None = None) -> None:
        """Set up stones, in addition to those set up before.

        Args:
            black: points of the black stones.
            white: points of the white stones.
            to_play: who moves next; None: whose turn it was.

        Raises:
            ValueError: moves have been made, a point is off the board or set twice, or a group has no liberty.
                Nothing is placed then.
        """
        if self.moves:
            raise ValueError("stones can be set up only before the first move")
        now = self._positions[-1]
        sets = [now.black, now.white]
        for side, points in enumerate((black, white)):
            for point in points:
                if not 0 <= point < pass_point(self.size):
                    raise ValueError(f"point {point} is off the board")
                if (sets[0] | sets[1]) & self._grid.bits[point]:
                    raise ValueError(f"point {point} is set up twice")
                sets[side] |= self._grid.bits[point]
        empty = self._grid.full & ~(sets[0] | sets[1])
        breathing = self._grid.grow(empty)
        for stones in sets:
            stifled = stones & ~self._grid.flood(stones & breathing, within=stones)
            if stifled:
                raise ValueError(f"the group at point {self._grid.points(stifled)[0]} has no liberty")
        turn = now.to_play if to_play is None else to_play
        self._positions = [_Position(black=sets[0], white=sets[1], ko=0, to_play=turn, passes=0)]
        self._seen = {(sets[0], sets[1])}

    def legal(self, point: int, colour: int | None = None) -> bool:
        """Whether the rules let `colour` (None: whoever is to play) play there; a pass always is legal."""
        if point == pass_point(self.size):
            return True
        return self._outcome(point, self.to_play if colour is None else colour).broken is None

    def legal_mask(self, colour: int | None = None) -> NDArray[np.bool_]:
        """Which moves are legal for `colour` (None: whoever is to play), [size * size + 1], the pass last."""
        turn = self.to_play if colour is None else colour
        own, other = self._sides(turn)
        grow = self._grid.grow
        empty = self._grid.full & ~(own | other)
        # Beside an empty point nothing is suicide, and beside groups of two liberties nothing is captured: there
        # the position after the move is known at once. Stones that see two liberties by themselves vouch for
        # their group; the few others are tried one by one.
        line = self.size + 1
        left, right, up, down = empty << 1, empty >> 1, empty << line, empty >> line
        two = left & right | up & down | (left | right) & (up | down)
        doubtful = other & ~self._grid.flood(other & two, within=other)
        simple = empty & grow(empty) & ~grow(doubtful)
        legal = simple
        if self.rules.superko:
            for black, white in self._seen:
                mine, theirs = self._pair(black, white, turn)
                added = mine ^ own
                if theirs == other and added & (added - 1) == 0:
                    legal &= ~added
        for point in self._grid.points(empty & ~simple):
            if self._outcome(point, turn).broken is None:
                legal |= self._grid.bits[point]
        return np.append(self._grid.mask(legal), True)

    def play(self, point: int, colour: int | None = None) -> list[int]:
        """Play a stone or pass.

        Args:
            point: where, or size * size for a pass.
            colour: who moves, in turn or not; None: whoever is to play.

        Returns:
            The points whose stones left the board.

        Raises:
            IllegalMove: the rules forbid it; nothing has changed then.
        """
        turn = self.to_play if colour is None else colour
        now = self._positions[-1]
        if point == pass_point(self.size):
            after = now._replace(ko=0, to_play=opponent(turn), passes=now.passes + 1)
            captured = 0
        else:
            own, other, captured, broken = self._outcome(point, turn)
            if broken is not None:
                raise IllegalMove(point, colour=turn, size=self.size, reason=broken)
            black, white = self._pair(own, other, turn)
            # One stone took one stone, and all its other neighbours are the opponent's: it could be retaken.
            retake = captured & (captured - 1) == 0 and self._grid.beside[point] & ~other == captured
            ko = captured if retake else 0
            after = _Position(black=black, white=white, ko=ko, to_play=opponent(turn), passes=0)
            self._seen.add((black, white))
        self._positions.append(after)
        self.moves.append((turn, point))
        return self._grid.points(captured)

    def undo(self) -> tuple[int, int]:
        """Take the last move back and return its colour and point.

        Raises:
            ValueError: no move has been made.
        """
        if not self.moves:
            raise ValueError("there is no move to take back")
        del self._positions[-1]
        # Without superko a position may have occurred before the move as well.
        self._seen = {(position.black, position.white) for position in self._positions}
        return self.moves.pop()

    def copy(self) -> Board:
        """The same game once more; playing on one leaves the other alone."""
        twin = Board(self.size, rules=self.rules)
        twin.moves = self.moves.copy()
        twin._positions = self._positions.copy()
        twin._seen = self._seen.copy()
        return twin

    def liberties(self, point: int) -> int:
        """How many empty points touch the group of the stone there; 0 where no stone stands."""
        now = self._positions[-1]
        bit = self._grid.bits[point]
        group = self._grid.flood(bit, within=now.black if now.black & bit else now.white)
        stands = (now.black | now.white) & bit
        return (self._grid.grow(group) & ~(now.black | now.white)).bit_count() if stands else 0

    def is_eye(self, point: int, colour: int) -> bool:
        """Whether filling this empty point would cost `colour` an eye.

        All neighbours are its own stones, and the opponent holds at most one of the diagonals, none at the edge.
        """
        own, other = self._sides(colour)
        bit, beside, diagonal = self._grid.bits[point], self._grid.beside[point], self._grid.diagonal[point]
        allowed = 1 if beside.bit_count() == 4 else 0
        return not (own | other) & bit and beside & ~own == 0 and (diagonal & other).bit_count() <= allowed

    def _sides(self, colour: int) -> tuple[int, int]:
        """The stones of `colour` and those of its opponent."""
        now = self._positions[-1]
        return (now.black, now.white) if colour == BLACK else (now.white, now.black)

    def _pair(self, own: int, other: int, colour: int) -> tuple[int, int]:
        """Own and other stones as black and white ones, or the other way round."""
        return (own, other) if colour == BLACK else (other, own)

    def _outcome(self, point: int, colour: int) -> _Outcome:
        """The stones of both sides after `colour` has played at `point`, which is no pass."""
        own, other = self._sides(colour)
        if not 0 <= point < pass_point(self.size):
            return _Outcome(own, other, 0, OFF_BOARD)
        bit = self._grid.bits[point]
        if (own | other) & bit:
            return _Outcome(own, other, 0, OCCUPIED)
        if bit == self._positions[-1].ko and colour == self.to_play:
            return _Outcome(own, other, 0, KO)
        own |= bit
        empty = self._grid.full & ~(own | other)
        captured = 0
        enemies = self._grid.beside[point] & other
        while enemies:
            first = enemies & -enemies
            captured |= self._grid.trapped(first, own=other, empty=empty)
            enemies &= ~(first | captured)
        other &= ~captured
        broken = None
        if not captured and (lost := self._grid.trapped(bit, own=own, empty=empty)):
            own &= ~lost
            captured = lost
            broken = None if self.rules.suicide else SUICIDE
        if broken is None and self.rules.superko and self._pair(own, other, colour) in self._seen:
            broken = SUPERKO
        return _Outcome(own, other, captured, broken)
