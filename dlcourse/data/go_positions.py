"""Positions from many games of Go, kept bit-packed, unpacked and turned a batch at a time where training runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Self

import torch
from torch import Tensor

from dlcourse.data.augment import below, random_bits
from dlcourse.data.base import Draw, Split, mix
from dlcourse.data.go_planes import RECENT, Planes, Positions, check_planes, encode, turn_points, turn_positions
from dlcourse.data.symmetries import SYMMETRIES


@dataclass(frozen=True)
class GoBatch:
    """Positions that go through the model together.

    Args:
        planes: float32 [B, C, size, size].
        targets: int64 [B], the point played next, row * size + column; size * size is a pass.
        numbers: int64 [B], how many moves came before.
        indices: int64 [B], where the positions stand in their split.
        size: lines of the board.
    """

    planes: Tensor
    targets: Tensor
    numbers: Tensor
    indices: Tensor
    size: int

    @property
    def inputs(self) -> tuple[Tensor]:
        """What a model is called with: the planes."""
        return (self.planes,)

    @property
    def weight(self) -> float:
        """How many positions the loss is a mean over."""
        return float(len(self.targets))


@dataclass(frozen=True, eq=False)
class GoTable:
    """The position before every move of many games, game after game, on one device; K is ceil(size * size / 8).

    Args:
        size: lines of the board.
        stones: uint8 [N, 2, K], bit-packed as numpy.packbits does: of whoever is to play, of the opponent.
        moves: int16 [N], the point played next.
        numbers: int16 [N], how many moves came before in the game.
        ko: int16 [N], the point that simple ko forbids; -1 is none.
        digest: SHA-256 (hex) of all of that.
    """

    size: int
    stones: Tensor
    moves: Tensor
    numbers: Tensor
    ko: Tensor
    digest: str
    _placed: dict[torch.device, GoTable] = field(default_factory=dict[torch.device, "GoTable"], repr=False)

    def __len__(self) -> int:
        return len(self.moves)

    def to(self, device: torch.device) -> GoTable:
        """The same table on `device`; several splits that ask for it share one copy."""
        if device == self.moves.device:
            return self
        if device not in self._placed:
            stones, moves, numbers, ko = (one.to(device) for one in (self.stones, self.moves, self.numbers, self.ko))
            self._placed[device] = GoTable(self.size, stones, moves, numbers, ko, self.digest)
        return self._placed[device]

    def positions(self, rows: Tensor) -> Positions:
        """Those at `rows` (int64 [B] on the table's device)."""
        own, opponent = unpack(self.stones.index_select(0, rows), points=self.size**2).unbind(1)
        return Positions(own, opponent, self._recent(rows), self.ko.index_select(0, rows))

    def _recent(self, rows: Tensor) -> Tensor:
        """Int16 [B, 8]: the moves before, the latest first, -1 before the game's first."""
        ago = torch.arange(1, RECENT + 1, device=rows.device)
        moves = self.moves.index_select(0, (rows[:, None] - ago).clamp_(min=0).flatten()).view(len(rows), RECENT)
        return moves.masked_fill_(self.numbers.index_select(0, rows)[:, None] < ago, -1)


@dataclass(frozen=True, eq=False)
class GoSplit(Split[GoBatch]):
    """One part of a set of positions.

    Args:
        table: what the positions stand in.
        rows: int64 [N] on the CPU, which of them, ascending.
        planes: what a network sees of a position.
        symmetry: whether a draw turns or mirrors each position by one of the eight symmetries.
        epoch_size: most positions of an epoch; the epochs that follow bring others until all were seen. None is all.

    Raises:
        ValueError: an argument is out of range.
    """

    table: GoTable
    rows: Tensor
    planes: Planes = "history"
    symmetry: bool = True
    epoch_size: int | None = None

    def __post_init__(self) -> None:
        check_planes(self.planes)
        check_at_least(1, self.epoch_size, name="epoch_size", of="positions")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def size(self) -> int:
        """Lines of the board."""
        return self.table.size

    def steps(self, batch_size: int) -> int:
        """Optimizer steps in one epoch of `epoch_batches`."""
        return max(1, self._epoch // batch_size)

    def epoch_batches(self, batch_size: int, *, seed: int, epoch: int) -> Sequence[Tensor]:
        """The shuffled full batches of one epoch: a function of (seed, epoch) alone.

        Epochs of `epoch_size` positions are cut from one shuffled row, so that none comes twice before every other
        came once, but for the handful left over at the end of the row.
        """
        in_a_row = len(self) // self._epoch
        generator = torch.Generator().manual_seed(mix(seed, epoch // in_a_row))
        begin = epoch % in_a_row * self._epoch
        order = torch.randperm(len(self), generator=generator)[begin : begin + self._epoch]
        return order[: self.steps(batch_size) * batch_size].split(batch_size)

    def fetch(self, indices: Tensor, *, draw: Draw | None = None) -> GoBatch:
        """The positions at `indices` (int64 [B], on the CPU) as planes, turned at random if `draw` is given."""
        device = self.table.moves.device
        rows = self.rows.index_select(0, indices).to(device, non_blocking=True)
        indices = indices.to(device, non_blocking=True)
        positions, targets = self.table.positions(rows), self.table.moves.index_select(0, rows).long()
        if draw is not None and self.symmetry:
            symmetries = below(random_bits(indices, draw=draw, count=1)[0], SYMMETRIES)
            positions = turn_positions(positions, size=self.size, symmetries=symmetries)
            targets = turn_points(targets, size=self.size, symmetries=symmetries)
        planes = encode(positions, size=self.size, planes=self.planes)
        return GoBatch(planes, targets, self.table.numbers.index_select(0, rows).long(), indices, self.size)

    def positions(self, indices: Tensor) -> Positions:
        """Those at `indices` (int64 [B], on the CPU) as they were played, on this split's device."""
        return self.table.positions(self.rows.index_select(0, indices).to(self.table.moves.device))

    def to(self, device: torch.device, *, memory_format: torch.memory_format = torch.contiguous_format) -> Self:
        """The same split with its table on `device`; the model's first layer lays planes out as it likes."""
        return replace(self, table=self.table.to(device))

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of all games, of which positions the split has, and how batches are made."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        settings = (self.table.digest, self.planes, self.symmetry, self.epoch_size)
        digest = hashlib.sha256(repr(settings).encode())
        digest.update(self.rows.numpy().astype("<i8").data)
        return digest.hexdigest()

    @property
    def _epoch(self) -> int:
        """Positions of an epoch."""
        return min(self.epoch_size or len(self), len(self))


def unpack(packed: Tensor, *, points: int) -> Tensor:
    """Uint8 [..., points] of 0 and 1 from bits packed as numpy.packbits does: uint8 [..., ceil(points / 8)]."""
    looked_up = _octets(packed.device).index_select(0, packed.flatten().int()).view(torch.uint8)
    return looked_up.view(*packed.shape[:-1], packed.shape[-1] * 8)[..., :points]


@lru_cache(maxsize=8)
def _octets(device: torch.device) -> Tensor:
    """Int64 [256]: a byte's eight bits as eight bytes; looking them up takes half as long as shifting them out."""
    shifts = torch.arange(7, -1, -1)
    bits = torch.arange(256)[:, None] >> shifts & 1
    return bits.to(torch.uint8).view(torch.int64).squeeze(1).to(device)


def check_at_least(least: int, value: int | None, *, name: str, of: str) -> None:
    """Raise ValueError if a number that may be None is too small."""
    if value is not None and value < least:
        raise ValueError(f"{name} must be {least} or more {of}, or null for all, not {value}")
