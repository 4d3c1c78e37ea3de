"""Many boards of one size that move together: one numpy operation serves all of them.

Groups are trees of `parent` links, as in union-find, and rings of `following` links that list their stones. A
group counts its pseudo-liberties at its root: an empty point counts once for every stone that it touches, which
is zero exactly when the group has no liberty, and is kept up to date by additions alone.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dlcourse.go.points import BLACK, EMPTY, WHITE
from dlcourse.go.rules import KO, OCCUPIED, SUICIDE

EDGE: Final = 3
"""The colour of the cells around a board."""

REASONS: Final = (None, OCCUPIED, KO, SUICIDE)
"""What the codes that `Boards.play` returns mean."""

Cells = NDArray[np.intp]
"""Indices into the cells of all boards."""


class Boards:
    """Boards without a stone.

    A board lies within a margin of cells above and below and one column of them, which ends one row and begins the
    next.

    Args:
        count: how many boards.
        size: lines of each.
        suicide: [count], whether the rules of each game allow it.
    """

    def __init__(self, count: int, *, size: int, suicide: NDArray[np.bool_]) -> None:
        self.size = size
        line = size + 1
        self._cells = (size + 2) * line
        self._cell_of = np.array([(row + 1) * line + column for row in range(size) for column in range(size)])
        self._point_of = np.full(self._cells, -1, dtype=np.int16)
        self._point_of[self._cell_of] = np.arange(size * size, dtype=np.int16)
        self._around = np.array([[-line], [-1], [1], [line]])
        self._suicide = suicide
        colour = np.full((count, self._cells), EDGE, dtype=np.uint8)
        colour[:, self._cell_of] = EMPTY
        self._colour = colour.reshape(-1)
        # An edge is its own root, so that it can stand for "no group" beside a stone.
        self._parent: Cells = np.arange(count * self._cells)
        self._following: Cells = np.arange(count * self._cells)
        self._liberties = np.zeros(count * self._cells, dtype=np.int16)
        self._octets = (size * size + 7) // 8
        self.packed = np.zeros((count * 2, self._octets), dtype=np.uint8)
        """Rows 2 * board and 2 * board + 1: the black and the white stones, the first point in the highest bit."""
        self.ko = np.full(count, -1, dtype=np.int16)
        """[count] the point that may not be played by `ko_colour`, -1 where there is none."""
        self.ko_colour = np.zeros(count, dtype=np.int8)

    def place(self, boards: Cells, points: NDArray[np.int16], colours: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Set up one stone on each of these boards, capturing nothing; where a stone stands, nothing happens.

        Args:
            boards: [B] different boards.
            points: [B] where on each.
            colours: [B] of the stone.

        Returns:
            [B] whether the point was empty.
        """
        cells = boards * self._cells + self._cell_of[points]
        free = self._colour[cells] == EMPTY
        self._add(boards[free], cells[free], points[free], colours[free].view(np.uint8))
        return free

    def breathing(self, boards: Cells, points: NDArray[np.int16]) -> NDArray[np.bool_]:
        """Whether the group of the stone at each of these points has a liberty, [B]."""
        return self._liberties[self._roots(boards * self._cells + self._cell_of[points])] > 0

    def play(self, boards: Cells, points: NDArray[np.int16], colours: NDArray[np.int8]) -> NDArray[np.int8]:
        """One stone on each of these boards, no passes.

        Args:
            boards: [B] different boards.
            points: [B] where on each.
            colours: [B] who plays there.

        Returns:
            [B] index into `REASONS`: 0 where the move was legal. A board with an illegal move is of no more use.
        """
        codes = np.zeros(len(boards), dtype=np.int8)
        cells = boards * self._cells + self._cell_of[points]
        codes[(points == self.ko[boards]) & (colours == self.ko_colour[boards])] = REASONS.index(KO)
        codes[self._colour[cells] != EMPTY] = REASONS.index(OCCUPIED)
        self.ko[boards] = -1
        if codes.any():
            legal = np.flatnonzero(codes == 0)
            codes[legal] = self.play(boards[legal], points[legal], colours[legal])
            return codes
        roots, hostile, joined = self._add(boards, cells, points, colours.view(np.uint8))
        stifled = hostile & (self._liberties[roots] == 0)
        if stifled.any():
            self._capture(boards, cells, colours, np.unique(roots[stifled]))
        ends = np.flatnonzero(self._liberties[joined] == 0)
        if len(ends):
            allowed = self._suicide[boards[ends]]
            codes[ends[~allowed]] = REASONS.index(SUICIDE)
            self._remove(self._stones(joined[ends[allowed]]))
        return codes

    def _add(
        self, boards: Cells, cells: Cells, points: NDArray[np.int16], colours: NDArray[np.uint8]
    ) -> tuple[Cells, NDArray[np.bool_], Cells]:
        """Put stones on empty cells and join them to their neighbours.

        Returns:
            [4, B] the roots of the groups that were around each stone; [4, B] which of them are the opponent's;
            [B] the root of the group of which the stone is part now.
        """
        self._colour[cells] = colours
        row = boards * 2 + (colours - BLACK)
        self.packed.reshape(-1)[row * self._octets + (points >> 3)] += np.uint8(128) >> (points & 7).astype(np.uint8)
        around = cells + self._around
        beside = self._colour[around]
        own = beside == colours
        hostile = beside == BLACK + WHITE - colours
        self._liberties[cells] = (beside == EMPTY).sum(axis=0)
        self._parent[cells] = cells
        self._following[cells] = cells
        # The first cell of a board is an edge, whose count means nothing.
        roots = self._roots(np.where(own | hostile, around, boards * self._cells))
        for root in roots:
            self._liberties[root] -= 1
        joined = cells.copy()
        for friends, root in zip(own, roots, strict=True):
            at = np.flatnonzero(friends)
            mine, theirs = joined[at], root[at]
            # One group may touch the stone on several sides.
            new = (self._parent[theirs] == theirs) & (mine != theirs)
            at, mine, theirs = at[new], mine[new], theirs[new]
            self._parent[mine] = theirs
            self._liberties[theirs] += self._liberties[mine]
            following = self._following[mine]
            self._following[mine] = self._following[theirs]
            self._following[theirs] = following
            joined[at] = theirs
        return roots, hostile, joined

    def _capture(self, boards: Cells, cells: Cells, colours: NDArray[np.int8], groups: Cells) -> None:
        """Take the groups with these roots off the boards where `colours` have just played at `cells`."""
        stones = self._stones(groups)
        self._remove(stones)
        count = np.bincount(stones // self._cells, minlength=len(self.ko))
        # One stone took one stone, and that left its only liberty: it could be retaken at once.
        alone = (self._following[cells] == cells) & (self._liberties[cells] == 1) & (count[boards] == 1)
        last = np.empty(len(self.ko), dtype=np.int16)
        last[stones // self._cells] = self._point_of[stones % self._cells]
        self.ko[boards[alone]] = last[boards[alone]]
        self.ko_colour[boards[alone]] = BLACK + WHITE - colours[alone]

    def _remove(self, stones: Cells) -> None:
        """Take whole groups off the boards and give their neighbours the liberties back."""
        board, cell = np.divmod(stones, self._cells)
        point = self._point_of[cell]
        row = board * 2 + (self._colour[stones] - BLACK)
        bit = np.uint8(128) >> (point & 7).astype(np.uint8)
        # Several stones may share an octet or a neighbour, and plain indexing would count them once.
        np.subtract.at(self.packed.reshape(-1), row * self._octets + (point >> 3), bit)
        self._colour[stones] = EMPTY
        around = (stones + self._around).reshape(-1)
        beside = self._colour[around]
        np.add.at(self._liberties, self._roots(around[(beside == BLACK) | (beside == WHITE)]), np.int16(1))

    def _stones(self, roots: Cells) -> Cells:
        """All stones of different groups, given one stone of each."""
        found = [roots]
        first, stones = roots, self._following[roots]
        while (going := stones != first).any():
            first, stones = first[going], stones[going]
            found.append(stones)
            stones = self._following[stones]
        return np.concatenate(found)

    def _roots(self, cells: Cells) -> Cells:
        """The root of the group of each stone, in any shape."""
        roots = self._parent[cells]
        while not np.array_equal(above := self._parent[roots], roots):
            roots = above
        return roots
