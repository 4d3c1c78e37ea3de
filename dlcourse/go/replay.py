"""Game records into the positions before every move, many games at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dlcourse.go.lockstep import REASONS, Boards, Cells
from dlcourse.go.points import BLACK, WHITE, pass_point
from dlcourse.go.record import GameRecord
from dlcourse.go.rules import OCCUPIED, STIFLED, Rules

TOGETHER: Final = 1024
"""Games that move in lockstep: enough to hide numpy's cost for each call, few enough for the processor's cache."""


@dataclass(frozen=True, eq=False)
class Replayed:
    """The N positions from which a move was made, game by game in the order of the records, move by move."""

    packed: NDArray[np.uint8]
    """[N, 2, ceil(size * size / 8)] stones of whoever is to play, then the opponent's; `np.unpackbits` opens them."""
    moves: NDArray[np.int16]
    """[N] the move that follows; size * size is a pass."""
    colours: NDArray[np.int8]
    """[N] who makes it."""
    numbers: NDArray[np.int16]
    """[N] how many moves of the game came before."""
    ko: NDArray[np.int16]
    """[N] the point that simple ko forbids to whoever is to play, -1 where there is none."""
    games: NDArray[np.int32]
    """[N] the record's place among the records."""
    errors: dict[int, tuple[str, int]]
    """For each game with an illegal move or setup, which gives no position: why, and how many moves came before."""


def replay(records: Sequence[GameRecord], *, size: int, suicide: bool | None = None) -> Replayed:
    """Play all games through; a position takes 120 bytes or less, so a large collection goes in parts.

    Occupied points, the retaking of a ko and forbidden suicide are errors; superko is not looked at.

    Args:
        records: games on boards of `size` lines.
        size: lines of the board.
        suicide: whether it is allowed; None: as the rules named in each record have it.

    Raises:
        ValueError: a record is of another size.
    """
    for record in records:
        if record.size != size:
            raise ValueError(f"records must be of size {size}, but {record.source} is of size {record.size}")
    lengths = np.array([len(record.moves) for record in records], dtype=np.intp)
    starts = np.cumsum(lengths) - lengths
    total = int(lengths.sum())
    replayed = Replayed(
        packed=np.empty((total, 2, (size * size + 7) // 8), dtype=np.uint8),
        moves=np.concatenate([np.empty(0, dtype=np.int16), *(record.moves for record in records)]),
        colours=np.concatenate([np.empty(0, dtype=np.int8), *(record.colours for record in records)]),
        numbers=(np.arange(total) - np.repeat(starts, lengths)).astype(np.int16),
        ko=np.empty(total, dtype=np.int16),
        games=np.repeat(np.arange(len(records), dtype=np.int32), lengths),
        errors={},
    )
    # Games of like length end together, so the steps stay wide.
    order = np.argsort(-lengths, kind="stable")
    for first in range(0, len(records), TOGETHER):
        games = order[first : first + TOGETHER]
        chosen = [records[game] for game in games]
        allowed = [Rules.of_record(record.rules).suicide if suicide is None else suicide for record in chosen]
        boards = Boards(len(chosen), size=size, suicide=np.array(allowed))
        errors = _set_up(boards, chosen)
        errors |= _play_through(boards, replayed, starts=starts[games], lengths=lengths[games], failed=errors)
        replayed.errors.update((int(games[board]), error) for board, error in errors.items())
    return _without_failed(replayed) if replayed.errors else replayed


def _set_up(boards: Boards, records: Sequence[GameRecord]) -> dict[int, tuple[str, int]]:
    """Place handicap and setup stones; returns the boards where that fails."""
    errors: dict[int, tuple[str, int]] = {}
    points = [np.concatenate([record.black, record.white]) for record in records]
    colours = [np.repeat(np.array([BLACK, WHITE], dtype=np.int8), [len(r.black), len(r.white)]) for r in records]
    counts = np.array([len(row) for row in points], dtype=np.intp)
    stones: list[tuple[Cells, NDArray[np.int16]]] = []
    for number in range(int(counts.max(initial=0))):
        at = np.flatnonzero(counts > number)
        point = np.array([points[board][number] for board in at], dtype=np.int16)
        free = boards.place(at, point, np.array([colours[board][number] for board in at], dtype=np.int8))
        errors.update((int(board), (OCCUPIED, 0)) for board in at[~free])
        stones.append((at, point))
    for at, point in stones:
        stifled = at[~boards.breathing(at, point)]
        errors.update((int(board), (STIFLED, 0)) for board in stifled if int(board) not in errors)
    return errors


def _play_through(
    boards: Boards,
    replayed: Replayed,
    *,
    starts: NDArray[np.intp],
    lengths: NDArray[np.intp],
    failed: dict[int, tuple[str, int]],
) -> dict[int, tuple[str, int]]:
    """Fill in the positions of games in order of falling length; returns the boards that met an illegal move."""
    errors: dict[int, tuple[str, int]] = {}
    going = np.ones(len(lengths), dtype=np.bool_)
    going[list(failed)] = False
    packed = replayed.packed
    for number in range(int(lengths.max(initial=0))):
        active = np.arange(np.searchsorted(-lengths, -number))
        rows = starts[active] + number
        points, colours = replayed.moves[rows], replayed.colours[rows]
        own = active * 2 + (colours - BLACK)
        packed[rows, 0] = boards.packed[own]
        packed[rows, 1] = boards.packed[own ^ 1]
        replayed.ko[rows] = np.where(colours == boards.ko_colour[active], boards.ko[active], -1)
        stone = points != pass_point(boards.size)
        boards.ko[active[~stone]] = -1
        at = np.flatnonzero(stone & going[active])
        codes = boards.play(at, points[at], colours[at])
        for board in np.flatnonzero(codes):
            errors[int(at[board])] = (str(REASONS[codes[board]]), number)
            going[at[board]] = False
    return errors


def _without_failed(replayed: Replayed) -> Replayed:
    """The same without the positions of games that have an error."""
    keep = ~np.isin(replayed.games, list(replayed.errors))
    return Replayed(
        packed=replayed.packed[keep],
        moves=replayed.moves[keep],
        colours=replayed.colours[keep],
        numbers=replayed.numbers[keep],
        ko=replayed.ko[keep],
        games=replayed.games[keep],
        errors=replayed.errors,
    )
