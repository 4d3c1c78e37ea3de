"""One game out of an SGF file for somebody to look at, read as far as it can be; data sets are read strictly."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import replace
from itertools import islice
from typing import Final, NamedTuple

from dlcourse.errors import DataError
from dlcourse.go.record import GameRecord
from dlcourse.go.replaying import board_before
from dlcourse.go.rules import IllegalMove
from dlcourse.go.sgf import Unreadable, read_games
from dlcourse.go.sgf_tree import VALUE

_PROPERTY_END: Final = re.compile(VALUE.pattern + rb"(?!\s*+\[)", re.DOTALL)
"""The last value of a property: a game that ends in the middle of one would lack stones."""


class Opened(NamedTuple):
    """A game as far as it can be read."""

    record: GameRecord
    """Every move of it is legal under the rules that it was played by."""
    fault: str | None
    """What comes next and why it is not read, such as "after move 57: no closing bracket"; None: that is all of it."""


def read_one(data: bytes, *, source: str, number: int = 1) -> Opened:
    """A game of a file up to its first fault: where it is cut short, cannot be understood, or breaks the rules.

    What can be read is the longest beginning that `read_games` would take for a whole game, so the two never disagree.
    The rules are those of `Rules.of_record`: superko is none of them.

    Args:
        data: the file's bytes.
        source: name of the file, for messages.
        number: which of its games, from 1.

    Raises:
        DataError: there is no such game, the fault comes before its first move, or its stones cannot be set up.
    """
    found = _game(data, source=source, number=number)
    if found is None:
        raise DataError(f"{source}: there is no game {number} in it")
    if isinstance(found, GameRecord):
        return _legal(found, fault=None)
    beginning = _beginning(data, source=source, number=number)
    fault = f"{found.reason} ({found.detail})" if found.detail else found.reason
    if beginning is None or not len(beginning.moves):
        raise DataError(f"{found.source}: {fault}")
    return _legal(beginning, fault=f"after move {len(beginning.moves)}: {fault}")


def _game(data: bytes, *, source: str, number: int) -> GameRecord | Unreadable | None:
    return next(islice(read_games(data, source=source), number - 1, None), None)


def _beginning(data: bytes, *, source: str, number: int) -> GameRecord | None:
    """The game without the fault and what follows it, or None if nothing is left."""

    def closed(end: int) -> GameRecord | Unreadable | None:
        return _game(data[:end] + b")", source=source, number=number)

    ends = [*(match.end() for match in _PROPERTY_END.finditer(data)), len(data)]
    # A reader that goes from left to right stumbles over the fault in every beginning that has it, and in no other.
    faulty = bisect_left(ends, True, key=lambda end: isinstance(closed(end), Unreadable))
    found = closed(ends[faulty - 1]) if faulty else None
    return found if isinstance(found, GameRecord) else None


def _legal(record: GameRecord, *, fault: str | None) -> Opened:
    """The record up to its first illegal move."""
    try:
        board = board_before(record, 0)
    except ValueError as error:
        raise DataError(f"{record.source}: {error}") from error
    for point, colour in zip(record.moves.tolist(), record.colours.tolist(), strict=True):
        try:
            board.play(point, colour)
        except IllegalMove as illegal:
            count = len(board.moves)
            legal = replace(record, moves=record.moves[:count], colours=record.colours[:count])
            return Opened(legal, f"after move {count}: {illegal}")
    return Opened(record, fault)
