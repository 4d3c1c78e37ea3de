"""Move prediction: the next move of Go games by cross entropy (Clark and Storkey 2015, arXiv:1412.3409)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dlcourse.data.base import Batch, Split
from dlcourse.data.go_planes import Positions
from dlcourse.data.symmetries import INVERSES, SYMMETRIES, turned
from dlcourse.go.points import BLACK, WHITE, to_vertex
from dlcourse.media import Media, Picture, Sketch
from dlcourse.tasks.base import Task
from dlcourse.tasks.go import Guesses, MoveStats, phases
from dlcourse.tasks.go_figures import Board, draw_boards, percent

PLAIN, AVERAGED = "", f"_{SYMMETRIES}"
SHOWN = 2  # boards of each phase
LOOKED_AT = 300  # positions that they are chosen from
LEGEND = (
    "whoever is to play is drawn black; numbers: how probable the network finds a move, in percent\n"
    "red ring: the move that was played, and its rank among the network's; blue ring: the move before"
)


class Moves(Batch, Protocol):
    """Positions and what was played in them; `model(*batch.inputs)` gives logits [B, S * S + 1]."""

    @property
    def targets(self) -> Tensor:
        """Int64 [B]: the moves, row * S + column from the top left; S * S is a pass."""
        ...

    @property
    def numbers(self) -> Tensor:
        """Int64 [B]: how many moves had been played before."""
        ...


@runtime_checkable
class HasPositions(Protocol):
    """A split whose boards can be looked at."""

    def positions(self, indices: Tensor) -> Positions:
        """Those at `indices` (int64 [B], on the CPU) as they were played."""
        ...


class MovePrediction(Task[Moves, MoveStats]):
    """The move that was played, by cross entropy over the points of the board and the pass.

    Args:
        label_smoothing: the share of each move that is spread evenly over all moves in training.
        average_symmetries: whether the test also averages over the board's eight symmetries, in eight times the time.

    Raises:
        ValueError: label_smoothing is out of range.
    """

    takes: ClassVar[str] = "positions"
    best: ClassVar[tuple[str, str]] = ("accuracy", "max")
    afterwards: ClassVar[tuple[str, ...]] = ("play run={run}", "suggest run={run} game.sgf move=57")

    def __init__(self, *, label_smoothing: float = 0.0, average_symmetries: bool = True) -> None:
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must be at least 0 and below 1, not {label_smoothing}")
        self.label_smoothing = label_smoothing
        self.average_symmetries = average_symmetries

    def loss(self, model: nn.Module, batch: Moves) -> Tensor:
        """Mean cross entropy of the batch's moves, nats."""
        logits: Tensor = model(*batch.inputs)
        # In float32 even under autocast: bf16 keeps two to three digits of a logarithm.
        return cross_entropy(logits.float(), batch.targets, label_smoothing=self.label_smoothing)

    def evaluate(self, model: nn.Module, batch: Moves) -> MoveStats:
        """The statistics of one batch as it is; their loss is the plain cross entropy, so that runs compare."""
        logits: Tensor = model(*batch.inputs)
        return statistics({PLAIN: logits.float().log_softmax(1)}, batch)

    def evaluate_test(self, model: nn.Module, batch: Moves) -> MoveStats:
        """The same and, if so asked, as loss_8, accuracy_8, ... those of the average over the eight symmetries."""
        if not self.average_symmetries:
            return self.evaluate(model, batch)
        (planes,) = batch.inputs
        each = log_probabilities(model, planes)
        return statistics({PLAIN: each[0], AVERAGED: averaged(each)}, batch)

    def sketch(self, model: nn.Module, split: Split[Moves]) -> Sketch:
        """`boards`: a few positions of each phase, the same every time, with what the network would play."""
        return Sketch(boards(model, split))

    def show(self, stats: MoveStats, split: Split[Moves], *, model: nn.Module) -> Mapping[str, Media]:
        """The same of the split that the statistics are of."""
        return boards(model, split)

    def predictions(self, stats: MoveStats) -> Mapping[str, Tensor]:
        """For N positions in the order of the split what was played and what was guessed.

        `index`, `label` and `number` (of moves before) int64 [N], `prediction` int64 [N], `moves` int64 [N, 5], the
        most probable first, and `chances` float32 [N, 5]; with the average over symmetries also `prediction_8` and
        so on.
        """
        arrays = {"index": stats.indices, "label": stats.targets, "number": stats.numbers}
        for suffix, guesses in stats.guesses.items():
            arrays |= {
                f"prediction{suffix}": guesses.moves[:, 0],
                f"moves{suffix}": guesses.moves,
                f"chances{suffix}": guesses.chances,
            }
        return arrays


def statistics(each: Mapping[str, Tensor], batch: Moves) -> MoveStats:
    """Of log-probabilities float32 [B, S * S + 1] by suffix, about the moves of a batch."""
    return MoveStats.of(each, batch.targets, numbers=batch.numbers, indices=batch.indices)


def log_probabilities(model: nn.Module, planes: Tensor) -> Tensor:
    """Float32 [8, B, S * S + 1], nats: what the model says of planes [B, C, S, S] under each symmetry, turned back.

    The first are those of the planes as they are.
    """
    size, rows = planes.shape[-1], len(planes)
    # One batch of all: a player asks for one position at a time, and eight batches of one take 2.5 times as long.
    seen = torch.cat([turned(planes, symmetry) for symmetry in range(SYMMETRIES)])
    each: list[Tensor] = []
    for symmetry, logs in enumerate(model(seen).float().log_softmax(1).split(rows)):
        points = turned(logs[:, :-1].unflatten(1, (size, size)), INVERSES[symmetry]).flatten(1)
        each.append(torch.cat([points, logs[:, -1:]], 1))
    return torch.stack(each)


def averaged(each: Tensor) -> Tensor:
    """The logarithm of the mean probability over the first axis, nats: [K, B, M] -> [B, M]."""
    return each.logsumexp(0) - math.log(len(each))


def boards(model: nn.Module, split: Split[Moves]) -> Mapping[str, Media]:
    """`boards`, if the split's positions can be looked at; what the model says of them is asked at once."""
    if not isinstance(split, HasPositions) or not len(split):
        return {}
    looked_at = spread(torch.arange(len(split)), count=LOOKED_AT)
    found = phases(split.fetch(looked_at).numbers.cpu(), points=split.positions(looked_at[:1]).own.shape[1])
    chosen = torch.cat([spread(rows.nonzero()[:, 0], count=SHOWN) for rows in found.values()])
    return {"boards": Picture(partial(draw_boards, opinions(model, split, looked_at[chosen]), note=LEGEND))}


def opinions(model: nn.Module, split: Split[Moves], indices: Tensor) -> list[Board]:
    """What the model would play in the positions of a split at `indices` (int64 [B], on the CPU)."""
    assert isinstance(split, HasPositions)
    batch, positions = split.fetch(indices), split.positions(indices)
    with torch.no_grad():
        logs = model(*batch.inputs).float().log_softmax(1)
    ranks, chances = Guesses.of(logs, batch.targets).ranks.tolist(), logs.exp().tolist()
    stones = (BLACK * positions.own + WHITE * positions.opponent).tolist()
    size = math.isqrt(len(stones[0]))
    shown: list[Board] = []
    for row, (played, before) in enumerate(zip(batch.targets.tolist(), batch.numbers.tolist(), strict=True)):
        rank = f"(rank {ranks[row] + 1}, {percent(chances[row][played])})"
        title = f"move {before + 1}: {to_vertex(played, size=size)} {rank}"
        last = int(positions.recent[row, 0])
        shown.append(Board(title, stones[row], chances[row], played=played, last=last if last >= 0 else None))
    return shown


def spread(places: Tensor, *, count: int) -> Tensor:
    """At most `count` of them at equal distances, in their order."""
    count = min(count, len(places))
    return places[(torch.arange(count) * 2 + 1) * len(places) // max(1, 2 * count)]
