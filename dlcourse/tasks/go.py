"""How well moves of Go were guessed: the share found first and among the first five, by phase of the game."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from dlcourse.metrics import Stats

FIRST = 5
"""How many moves are kept of every guess."""
PHASES = ("opening", "middle", "end")


@dataclass(frozen=True, eq=False)
class Guesses:
    """What one way of guessing made of B positions.

    Args:
        losses: float32 [B], the cross entropy of the move that was played, nats.
        ranks: int64 [B], how many moves stand before it; of equals the first stands first.
        moves: int64 [B, 5], the most probable moves, the most probable first.
        chances: float32 [B, 5], their probabilities.
    """

    losses: Tensor
    ranks: Tensor
    moves: Tensor
    chances: Tensor

    @classmethod
    def of(cls, log_probabilities: Tensor, targets: Tensor) -> Self:
        """Those of float32 [B, M], nats, about the moves int64 [B]."""
        log_probabilities = log_probabilities.detach()
        own = log_probabilities.gather(1, targets[:, None])
        later = torch.arange(log_probabilities.shape[1], device=targets.device) >= targets[:, None]
        # Written as "not behind", so that a NaN is never a hit.
        behind = (log_probabilities < own) | ((log_probabilities == own) & later)
        # Stable, so that of equals the first comes first, as in the ranks.
        ordered = log_probabilities.sort(dim=1, descending=True, stable=True)
        return cls(-own[:, 0], (~behind).sum(1), ordered.indices[:, :FIRST], ordered.values[:, :FIRST].exp())

    def __getitem__(self, rows: Tensor) -> Self:
        """Those of some positions, by place or as a mask."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def summary(self) -> dict[str, float]:
        """Loss (nats), accuracy and top5 of one position or more."""
        return {
            "loss": self.losses.double().mean().item(),
            "accuracy": (self.ranks == 0).double().mean().item(),
            "top5": (self.ranks < FIRST).double().mean().item(),
        }


@dataclass(frozen=True, eq=False)
class Judged:
    """One batch on the model's device.

    Args:
        indices: int64 [B], where the positions stand in their split.
        targets: int64 [B], the moves that were played.
        numbers: int64 [B], how many moves had been played before.
        guesses: by the suffix of their numbers' names, such as "" or "_8".
    """

    indices: Tensor
    targets: Tensor
    numbers: Tensor
    guesses: Mapping[str, Guesses]


@dataclass(frozen=True, eq=False)
class MoveStats(Stats):
    """Moves that were guessed, in one or in several ways.

    The batches stay as they came, on the device that made them, until a number is asked for. Everything is then
    counted in the order of the indices, so it does not depend on how the positions were batched.

    Args:
        parts: the batches.
        points: of the board.
    """

    parts: tuple[Judged, ...]
    points: int

    @classmethod
    def of(cls, log_probabilities: Mapping[str, Tensor], targets: Tensor, *, numbers: Tensor, indices: Tensor) -> Self:
        """The statistics of one batch.

        Args:
            log_probabilities: by the suffix of the names of its numbers, float32 [B, points + 1], nats.
            targets: int64 [B], the moves that were played; the last is a pass.
            numbers: int64 [B], how many moves had been played before.
            indices: int64 [B], where the positions stand in their split; all different over what is added.
        """
        (points,) = {one.shape[1] - 1 for one in log_probabilities.values()}
        guesses = {suffix: Guesses.of(one, targets) for suffix, one in log_probabilities.items()}
        return cls((Judged(indices, targets, numbers, guesses),), points)

    # Statistics add to their own kind alone, which `Self` says and a substitutable argument could not.
    def __add__(self, other: Self) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The statistics of both sets of positions.

        Raises:
            ValueError: they are of boards of different size.
        """
        if self.points != other.points:
            raise ValueError(f"statistics of boards of {self.points} and of {other.points} points do not add")
        return replace(self, parts=self.parts + other.parts)

    @cached_property
    def _joined(self) -> Judged:
        """All positions as one batch on the CPU, in the order of their indices."""
        order = torch.cat([part.indices for part in self.parts]).cpu().argsort(stable=True)

        def joined(parts: Iterable[Tensor]) -> Tensor:
            return torch.cat(list(parts)).cpu()[order]

        def guesses(suffix: str) -> Guesses:
            of_parts = [part.guesses[suffix] for part in self.parts]
            return Guesses(*(joined(getattr(one, field.name) for one in of_parts) for field in fields(Guesses)))

        return Judged(
            joined(part.indices for part in self.parts),
            joined(part.targets for part in self.parts),
            joined(part.numbers for part in self.parts),
            {suffix: guesses(suffix) for suffix in self.parts[0].guesses},
        )

    @property
    def count(self) -> int:
        """How many positions."""
        return sum(len(part.indices) for part in self.parts)

    @property
    def indices(self) -> Tensor:
        """Int64 [N]: where the positions stand in their split, ascending."""
        return self._joined.indices

    @property
    def targets(self) -> Tensor:
        """Int64 [N]: the moves that were played."""
        return self._joined.targets

    @property
    def numbers(self) -> Tensor:
        """Int64 [N]: how many moves had been played before."""
        return self._joined.numbers

    @property
    def guesses(self) -> Mapping[str, Guesses]:
        """All ways of guessing, by the suffix of their numbers' names; "" is the plain one."""
        return self._joined.guesses

    @cached_property
    def phases(self) -> Mapping[str, Tensor]:
        """Bool [N] each: which positions are of the opening, of the middle game and of the end."""
        return phases(self.numbers, points=self.points)

    def summary(self) -> dict[str, float]:
        """Loss (nats), accuracy, top5 and `accuracy_opening`, `_middle`, `_end`; of other ways with their suffix."""
        numbers: dict[str, float] = {}
        if self.count:
            for suffix, guesses in self.guesses.items():
                numbers |= {f"{name}{suffix}": number for name, number in guesses.summary().items()}
                numbers |= {
                    f"accuracy{suffix}_{phase}": guesses[rows].summary()["accuracy"]
                    for phase, rows in self.phases.items()
                    if rows.any()
                }
        return {name: number for name, number in numbers.items() if math.isfinite(number)}

    def details(self) -> dict[str, float]:
        """How many positions each phase has as `positions/opening`, and `loss/opening`, `accuracy/`, `top5/`.

        Of other ways of guessing also accuracy and top5, with their suffix: their losses would make the table too wide.
        """
        numbers: dict[str, float] = {}
        for phase, rows in self.phases.items() if self.count else ():
            numbers[f"positions/{phase}"] = int(rows.sum())
            for suffix, guesses in self.guesses.items() if rows.any() else ():
                of_phase = guesses[rows].summary()
                shown = ("accuracy", "top5") if suffix else ("loss", "accuracy", "top5")
                numbers |= {f"{name}{suffix}/{phase}": of_phase[name] for name in shown}
        return {name: number for name, number in numbers.items() if math.isfinite(number)}


def phases(numbers: Tensor, *, points: int) -> Mapping[str, Tensor]:
    """Which positions are of the opening, of the middle game and of the end; each is of one.

    The opening ends when as many moves were played as a sixth of the board's points, the middle game at five twelfths:
    on 19 lines moves 1 to 61 and 62 to 151.

    Args:
        numbers: int64 [B], how many moves had been played before.
        points: of the board.

    Returns:
        By name, bool [B] each.
    """
    opening, started = numbers * 6 < points, numbers * 12 < points * 5
    return dict(zip(PHASES, (opening, started & ~opening, ~started), strict=True))
