"""What the sets of Go positions share: checks of their settings, the cut by games, the splits, what is told."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dlcourse.data.base import DataSet, Splits, mix
from dlcourse.data.go_games import Games
from dlcourse.data.go_planes import PLANES, Planes, check_planes
from dlcourse.data.go_positions import GoSplit, check_at_least
from dlcourse.data.image_set import TEST_SEED, fraction
from dlcourse.errors import DataError
from dlcourse.go.points import LARGEST, SMALLEST

SKIPPED: Final = "skipped.txt"
"""The file of a run that names the games that were left out."""

_EVALUATED_SEED = 0  # of the positions that stand for a whole split: another choice would be another test
_WHOLE = 1 << 63  # `mix` gives numbers below it

Mask = NDArray[np.bool_]


class GoSet(DataSet):
    """Positions from games on boards of one size; a kind of it says where the games come from and which it takes."""

    gives: ClassVar[str] = "positions"

    def __init__(
        self,
        *,
        size: int,
        planes: Planes,
        symmetry: bool,
        val_fraction: float,
        test_fraction: float,
        split_seed: int,
        epoch_size: int | None,
        val_positions: int | None,
        test_positions: int | None,
    ) -> None:
        if not SMALLEST <= size <= LARGEST:
            raise ValueError(f"size must be {SMALLEST} to {LARGEST} lines, not {size}")
        for name, value in (
            ("epoch_size", epoch_size), ("val_positions", val_positions), ("test_positions", test_positions)
        ):  # fmt: skip
            check_at_least(1, value, name=name, of="positions")
        self.size = size
        self.planes: Planes = check_planes(planes)
        self.symmetry = symmetry
        self.val_fraction = fraction(val_fraction, name="val_fraction")
        self.test_fraction = fraction(test_fraction, name="test_fraction")
        self.split_seed = split_seed
        self.epoch_size = epoch_size
        self.val_positions = val_positions
        self.test_positions = test_positions
        self._notes: list[str] = []

    @abstractmethod
    def read(self) -> Games:
        """All games that could be read.

        Raises:
            DataError: there are none, or a file cannot be read.
        """

    def unwanted(self, games: Games) -> Mapping[str, Mask]:
        """Reason -> bool [G], the games that are left out for it."""
        return {}

    def first_moves(self, games: Games) -> NDArray[np.int64]:
        """Int64 [G]: how many moves at the beginning of each game are not learned from."""
        return np.zeros(len(games), dtype=np.int64)

    def facts(self) -> Mapping[str, object]:
        """How many planes a position has, and the lines of the board."""
        return {"in_channels": PLANES[self.planes], "board_size": self.size}

    def load(self) -> Splits:
        """Read the games, leave out the unwanted ones, cut the rest by game."""
        games = self.read()
        left_out: dict[str, int] = {}
        wanted = np.ones(len(games), dtype=np.bool_)
        for reason, mask in self.unwanted(games).items():
            left_out[reason] = int((wanted & mask).sum())
            wanted &= ~mask
        left_out = {reason: count for reason, count in left_out.items() if count}
        skipped = {**games.skipped.counts, **left_out}
        rest, test = held_out(games.keys, wanted, self.test_fraction, seed=TEST_SEED)
        train, val = held_out(games.keys, rest, self.val_fraction, seed=mix(self.split_seed, 1))
        first = self.first_moves(games)
        parts = [learned_rows(games, part, first=first) for part in (train, val, test)]
        if not all(map(len, parts)):
            raise DataError(
                f"{int(wanted.sum())} games of {games.skipped.found} leave none to train, to validate or to test on "
                f"({listed(skipped)}): add games, or loosen what leaves them out"
            )
        self._notes = told(games.skipped.found, skipped, games=[int(part.sum()) for part in (train, val, test)])
        rows = (parts[0], spread(parts[1], self.val_positions), spread(parts[2], self.test_positions))
        splits = [GoSplit(games.table, part, self.planes, self.symmetry, self.epoch_size) for part in rows]
        return Splits(*splits, keepsakes={SKIPPED: named(games, left_out)} if skipped else {})

    def notes(self) -> list[str]:
        """How many games were found, read and skipped, and why; how many games each split has."""
        return self._notes


def held_out(keys: NDArray[np.uint64], among: Mask, share: float, *, seed: int) -> tuple[Mask, Mask]:
    """Which games stay and which are held out: (rest, held out), bool [G] each, together `among`.

    A game's own hash decides, whatever else there is: with more games or stricter filters no game moves from test to
    train. About `share` of the games are held out, but one at least, and never all of them.
    """
    numbers = np.array([mix(int(key), seed) for key in keys], dtype=np.uint64)
    held = among & (numbers < int(share * _WHOLE))
    chosen = np.flatnonzero(among)
    if len(chosen) > 1 and not held.any():
        held[chosen[numbers[chosen].argmin()]] = True
    if len(chosen) and held.sum() == len(chosen):
        held[chosen[numbers[chosen].argmax()]] = False
    return among & ~held, held


def learned_rows(games: Games, chosen: Mask, *, first: NDArray[np.int64]) -> Tensor:
    """Int64, ascending: the rows of the table that belong to the games chosen (bool [G]), from each one's first on."""
    rows = np.flatnonzero(np.repeat(chosen, games.lengths))
    if not first.any():
        return torch.from_numpy(rows)
    return torch.from_numpy(rows[games.table.numbers.numpy()[rows] >= np.repeat(first, games.lengths)[rows]])


def spread(rows: Tensor, most: int | None) -> Tensor:
    """At most so many of the rows, spread evenly over them: one, drawn at random, from each of equal stretches."""
    if most is None or most >= len(rows):
        return rows
    edges = torch.arange(most + 1) * len(rows) // most
    drawn = torch.rand(most, generator=torch.Generator().manual_seed(_EVALUATED_SEED), dtype=torch.float64)
    return rows[edges[:-1] + (drawn * edges.diff()).long()]


def told(found: int, skipped: Mapping[str, int], *, games: list[int]) -> list[str]:
    """What a reader of the results should know of the games."""
    left = sum(skipped.values())
    train, val, test = games
    lines = [
        f"{found - left:,} games read + {left:,} skipped = {found:,} found",
        f"games to train / validate / test: {train:,} / {val:,} / {test:,}",
    ]
    return [*lines, f"skipped ({SKIPPED} in the run folder): {listed(skipped)}"] if left else lines


def listed(skipped: Mapping[str, int]) -> str:
    """Reasons with their numbers, the most frequent first."""
    by_number = sorted(skipped.items(), key=lambda one: -one[1])
    return ", ".join(f"{reason} {count:,}" for reason, count in by_number) or "nothing skipped"


def named(games: Games, left_out: Mapping[str, int]) -> str:
    """A line for each game that was skipped, and one for each filter."""
    lines = ["\t".join(" ".join(part.split()) for part in one) for one in games.skipped.named]
    lines += [f"{reason}\t{count:,} games" for reason, count in left_out.items()]
    text = "".join(f"{line}\n" for line in lines)
    return text.encode(errors="backslashreplace").decode()  # a file's name need not be UTF-8
