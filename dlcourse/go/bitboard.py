"""Sets of points of a Go board as the bits of one integer: a whole group grows by four shifts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Grid:
    """The geometry of a board. A set of points has bit row * (size + 1) + column for every point in it.

    The unused column between two rows keeps a shift to the side from running into the next row.

    Args:
        size: lines of the board.
        full: the set of all points.
        bits: for every point, the set of it alone.
        beside: for every point, the set of its two to four neighbours.
        diagonal: for every point, the set of its one to four diagonal neighbours.
    """

    size: int
    full: int
    bits: tuple[int, ...]
    beside: tuple[int, ...]
    diagonal: tuple[int, ...]

    def grow(self, points: int) -> int:
        """All neighbours of a set's points; points of the set itself are among them where they touch."""
        line = self.size + 1
        return (points << 1 | points >> 1 | points << line | points >> line) & self.full

    def flood(self, seed: int, *, within: int) -> int:
        """What can be reached from `seed`, which is part of it, along points of `within`."""
        reached = front = seed
        while front:
            front = self.grow(front) & within & ~reached
            reached |= front
        return reached

    def trapped(self, seed: int, *, own: int, empty: int) -> int:
        """The group of `seed` among the stones `own` if no point of `empty` touches it, else the empty set."""
        group = front = seed
        while front:
            reach = self.grow(front)
            if reach & empty:
                return 0
            front = reach & own & ~group
            group |= front
        return group

    def point(self, bit: int) -> int:
        """The point of a set that holds just one."""
        row, column = divmod(bit.bit_length() - 1, self.size + 1)
        return row * self.size + column

    def points(self, points: int) -> list[int]:
        """The points of a set in ascending order."""
        found: list[int] = []
        while points:
            lowest = points & -points
            found.append(self.point(lowest))
            points ^= lowest
        return found

    def mask(self, points: int) -> NDArray[np.bool_]:
        """The set as one truth value for each point, [size * size]."""
        cells = self.size * (self.size + 1)
        octets = np.frombuffer(points.to_bytes((cells + 7) // 8, "little"), dtype=np.uint8)
        bits = np.unpackbits(octets, count=cells, bitorder="little").view(np.bool_)
        return bits.reshape(self.size, self.size + 1)[:, :-1].reshape(-1)


@cache
def grid(size: int) -> Grid:
    """The geometry of a board of `size` lines, the same object for every caller."""
    line = size + 1
    bits = tuple(1 << (row * line + column) for row in range(size) for column in range(size))
    full = sum(bits)
    beside = tuple((bit << 1 | bit >> 1 | bit << line | bit >> line) & full for bit in bits)
    diagonal = tuple((bit << line + 1 | bit << line - 1 | bit >> line + 1 | bit >> line - 1) & full for bit in bits)
    return Grid(size=size, full=full, bits=bits, beside=beside, diagonal=diagonal)
