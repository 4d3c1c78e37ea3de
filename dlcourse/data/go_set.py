"""What the sets of Go positions share: checks of their settings, the cut by games, the splits, what is told."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Final, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dlcourse.data.base import DataSet, Splits, mix
from dlcourse.data.folds import Fold, by_key, read_fold
from dlcourse.data.go_games import About, Games
from dlcourse.data.go_planes import PLANES, Planes, check_planes
from dlcourse.data.go_positions import GoSplit, check_at_least
from dlcourse.data.go_skipped import Skipped, listed, named, too_few
from dlcourse.data.image_set import TEST_SEED, fraction
from dlcourse.errors import DataError, nearest
from dlcourse.go.points import LARGEST, SMALLEST

SKIPPED: Final = "skipped.txt"
"""The file of a run that names the games that were left out."""

_EVALUATED_SEED = 0  # of the positions that stand for a whole split: another choice would be another test
_WHOLE = 1 << 63  # `mix` gives numbers below it

Mask = NDArray[np.bool_]

Moves = Literal["all", "winner"]
"""Whose moves are learned: both players', or those of each game's winner alone."""


class GoSet(DataSet):
    """Positions from games on boards of one size; a kind of it says where the games come from and which it takes."""

    gives: ClassVar[str] = "positions"

    def __init__(
        self,
        *,
        size: int,
        planes: Planes,
        moves: Moves,
        symmetry: bool,
        val_fraction: float,
        test_fraction: float,
        split_seed: int,
        fold: str | None = None,
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
        self.moves: Moves = check_moves(moves)
        self.symmetry = symmetry
        self.val_fraction = fraction(val_fraction, name="val_fraction")
        self.fold = read_fold(fold)
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

    def why_not(self, game: About) -> str:
        """Why a game that can be read is not taken; "" if it is."""
        return ""

    def advice(self) -> str:
        """What to do if too few games are left."""
        return "add games, or loosen what leaves them out"

    def meant(self, games: Games) -> Mask:
        """Bool, of every row of the table, whether its move was chosen by a player: one that was not stands nowhere."""
        return np.ones(len(games.table), dtype=np.bool_)

    def testable(self, games: Games) -> Mask:
        """Bool [G], which games the test may be drawn from; of the others none is held out for it."""
        return np.ones(len(games), dtype=np.bool_)

    def facts(self) -> Mapping[str, object]:
        """How many planes a position has, and the lines of the board."""
        return {"in_channels": PLANES[self.planes], "board_size": self.size}

    def load(self) -> Splits:
        """Read the games, leave out the unwanted ones, cut the rest by game."""
        games = self.read()
        reasons = [self.why_not(game) for game in games.abouts()]
        left_out = [(reason, source, "") for reason, source in zip(reasons, games.sources, strict=True) if reason]
        skipped = replace(games.skipped, named=[*games.skipped.named, *left_out])
        wanted = np.array([not reason for reason in reasons], dtype=np.bool_)
        testable = self.testable(games)
        rest, test = held_out(games.keys, wanted & testable, self.test_fraction, seed=TEST_SEED)
        rest |= wanted & ~testable
        train, val = held_out(games.keys, rest, self.fold or self.val_fraction, seed=mix(self.split_seed, 1))
        meant = self.meant(games)
        learned = meant & games.won if self.moves == "winner" else meant
        parts = [rows_of(games, part, among=among) for part, among in ((train, learned), (val, learned), (test, meant))]
        unknown = int((wanted & ~games.decided).sum()) if self.moves == "winner" else 0
        if not all(map(len, parts)):
            advice = f"of {unknown:,} the winner is not known; say data.moves=all" if unknown else self.advice()
            raise DataError(too_few(int(wanted.sum()), skipped, advice=advice))
        self._notes = told(skipped, games=[int(part.sum()) for part in (train, val, test)])
        if self.moves == "winner":
            gone = f"; of {unknown:,} games the winner is not known" if unknown else ""
            self._notes.append(f"only the winners' moves are learned and validated; the test asks for all{gone}")
        rows = (parts[0], spread(parts[1], self.val_positions), spread(parts[2], self.test_positions))
        splits = [GoSplit(games.table, part, self.planes, self.symmetry, self.epoch_size) for part in rows]
        lines = named(skipped)
        return Splits(*splits, keepsakes={SKIPPED: lines} if lines else {})

    def notes(self) -> list[str]:
        """How many games were found, read and skipped, and why; how many games each split has."""
        return self._notes


def held_out(keys: NDArray[np.uint64], among: Mask, share: float | Fold, *, seed: int) -> tuple[Mask, Mask]:
    """Which games stay and which are held out: (rest, held out), bool [G] each, together `among`.

    A game's own hash decides, whatever else there is: with more games or stricter filters no game moves from test to
    train. About `share` of the games are held out, but one at least, and never all of them; of a fold its own part.
    """
    if isinstance(share, Fold):
        chosen = np.flatnonzero(among)
        _, places = share.cut(by_key([int(key) for key in keys[chosen]], share.count, seed=seed))
        held = np.zeros_like(among)
        held[chosen[places.numpy()]] = True
        return among & ~held, held
    numbers = np.array([mix(int(key), seed) for key in keys], dtype=np.uint64)
    held = among & (numbers < int(share * _WHOLE))
    chosen = np.flatnonzero(among)
    if len(chosen) > 1 and not held.any():
        held[chosen[numbers[chosen].argmin()]] = True
    if len(chosen) and held.sum() == len(chosen):
        held[chosen[numbers[chosen].argmax()]] = False
    return among & ~held, held


def rows_of(games: Games, chosen: Mask, *, among: Mask) -> Tensor:
    """Int64, ascending: those `among` the rows of the table that belong to the games chosen (bool [G])."""
    return torch.from_numpy(np.flatnonzero(np.repeat(chosen, games.lengths) & among))


def check_moves(moves: str) -> Moves:
    """`moves`, if there is such a choice; else ValueError."""
    every = get_args(Moves)
    for known in every:
        if moves == known:
            return known
    close = nearest(str(moves), every)
    hint = f"; did you mean '{close}'?" if close else ""
    raise ValueError(f"moves must be {' or '.join(every)}, not {moves!r}{hint}")


def spread(rows: Tensor, most: int | None) -> Tensor:
    """At most so many of the rows, spread evenly over them: one, drawn at random, from each of equal stretches."""
    if most is None or most >= len(rows):
        return rows
    edges = torch.arange(most + 1) * len(rows) // most
    drawn = torch.rand(most, generator=torch.Generator().manual_seed(_EVALUATED_SEED), dtype=torch.float64)
    return rows[edges[:-1] + (drawn * edges.diff()).long()]


def told(skipped: Skipped, *, games: list[int]) -> list[str]:
    """What a reader of the results should know of the games."""
    left, found = len(skipped.named), skipped.found
    train, val, test = games
    lines = [
        f"{found - left:,} games read + {left:,} skipped = {found:,} found",
        f"games to train / validate / test: {train:,} / {val:,} / {test:,}",
    ]
    lines += [f"skipped ({SKIPPED} in the run folder): {listed(skipped)}"] if left else []
    return [*lines, f"not looked at, for data.max_games: {skipped.rest} and what follows"] if skipped.rest else lines
