"""Games out of SGF files as they are found in the world: every game comes out, as a record or with the reason why not.

SGF FF[4] and the Go properties, https://www.red-bean.com/sgf/go.html. Of variations the first is read, the main line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dlcourse.go.points import BLACK, EMPTY, LARGEST, SMALLEST, WHITE, pass_point
from dlcourse.go.record import GameRecord
from dlcourse.go.sgf_text import parts, readings, value_text
from dlcourse.go.sgf_tree import Reason, Tree, excerpt, trees

_PASS: Final = b"{{"
"""A pass as letters: the two after "z", which no board has."""
_LETTERS: Final = 27
_SET: Final = {b"AB": BLACK, b"AW": WHITE, b"AE": EMPTY}
_NUMBER: Final = re.compile(rb"[+-]?(?:\d{1,9}(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?")


class Unreadable(NamedTuple):
    """A game that was found and cannot be read without the risk of losing a move."""

    source: str
    """The file, and which game in it."""
    reason: str
    """One of the `Reason`s."""
    detail: str
    """The text at the fault."""


def read_games(data: bytes, *, source: str) -> Iterator[GameRecord | Unreadable]:
    """Every game in the bytes of an SGF file, in order; a file without one gives one `Unreadable`.

    A game that ends early because the file does is `Unreadable`, unless its main line is complete. Where a charset
    may hide brackets in its characters (CA, or a guess), the reading with the fewest faults and the most moves counts:
    a bracket taken wrongly can hide moves, but makes none.

    Args:
        data: the file's bytes, in any encoding that SGF is written in.
        source: name of the file, for messages; "#1" is added for its first game.
    """
    number = 0
    for part in parts(data):
        found: Iterator[Tree] | list[Tree]
        options = readings(part)
        if len(options) == 1:
            found, charset = trees(part), options[0].charset
        else:
            read = [(list(trees(option.data)), option.charset) for option in options]
            found, charset = min(read, key=lambda pair: _losses(pair[0]))
        for tree in found:
            number += 1
            yield _game(tree, charset=charset, source=f"{source}#{number}")


def first_to_play(colours: NDArray[np.int8], black: NDArray[np.int16], white: NDArray[np.int16]) -> int:
    """Who begins where a record does not say: who moves first; before any move White if only Black has stones."""
    if len(colours):
        return int(colours[0])
    return WHITE if len(black) and not len(white) else BLACK


class _Fault(Exception):
    """A game cannot be read, for this reason and because of this text."""

    def __init__(self, reason: Reason, text: bytes) -> None:
        self.reason = reason
        self.detail = excerpt(text)


def _losses(found: list[Tree]) -> tuple[int, int]:
    """How bad a reading is: games with a fault, then minus the moves."""
    return sum(tree.fault is not None for tree in found), -sum(run.count(b";") for tree in found for run in tree.runs)


def _game(tree: Tree, *, charset: str, source: str) -> GameRecord | Unreadable:
    if tree.fault is not None:
        return Unreadable(source, tree.fault, tree.detail)
    try:
        return _record(tree, charset=charset, source=source)
    except _Fault as fault:
        return Unreadable(source, fault.reason, fault.detail)


def _record(tree: Tree, *, charset: str, source: str) -> GameRecord:
    info = tree.info
    game = info.get(b"GM", b"")
    if game and _number(game) != 1:
        raise _Fault(Reason.OTHER_GAME, b"GM[" + game + b"]")
    size = _size(info.get(b"SZ", b""))
    moves, colours = _moves(tree.runs, size=size)
    black, white, to_play = _setup(tree.setup, size=size)
    handicap = max(int(_number(info.get(b"HA", b"")) or 0), 0)
    if handicap > 1 and not len(black) and len(colours) and colours[0] == WHITE:
        raise _Fault(Reason.NO_HANDICAP, b"HA[" + info[b"HA"] + b"]")

    def text(name: bytes) -> str:
        return value_text(info[name], charset=charset) if name in info else ""

    return GameRecord(
        size=size,
        moves=moves,
        colours=colours,
        black=black,
        white=white,
        to_play=first_to_play(colours, black, white) if to_play is None else to_play,
        komi=_number(info.get(b"KM", b"")),
        handicap=handicap,
        result=text(b"RE"),
        ranks=(text(b"BR"), text(b"WR")),
        names=(text(b"PB"), text(b"PW")),
        rules=text(b"RU"),
        source=source,
    )


def _number(value: bytes) -> float | None:
    """The number that a value begins with ("6,5", "7.5 points"), or None."""
    found = _NUMBER.match(value)
    number = float(found[0].replace(b",", b".")) if found else math.inf
    return number if math.isfinite(number) else None


def _size(value: bytes) -> int:
    """Lines of the board: SZ[19], SZ[19:19]; 19 if it is not given."""
    if not value:
        return 19
    sides = [side.strip() for side in value.split(b":")]
    if len(set(sides)) == 1 and sides[0].isdigit() and len(sides[0]) < 4 and SMALLEST <= int(sides[0]) <= LARGEST:
        return int(sides[0])
    raise _Fault(Reason.BAD_SIZE, b"SZ[" + value + b"]")


@cache
def _points(size: int) -> NDArray[np.int16]:
    """[27 * 27] the point of each pair of letters, column first; -1 is off the board."""
    letters = np.full((_LETTERS, _LETTERS), -1, np.int16)
    letters[:size, :size] = np.arange(size * size).reshape(size, size).T
    letters[-1, -1] = pass_point(size)
    if size <= 19:
        # Up to FF[3] a pass was "tt"; it still is on boards that have no such point.
        letters[19, 19] = pass_point(size)
    return letters.reshape(-1)


def _moves(runs: list[bytes], *, size: int) -> tuple[NDArray[np.int16], NDArray[np.int8]]:
    """Points and colours [M] of runs as `Tree` holds them."""
    text = b"".join(runs).translate(None, b" \t\r\n\v\f").replace(b"[]", b"[" + _PASS + b"]")
    letters = np.frombuffer(text, np.uint8)
    nodes = np.flatnonzero(letters == ord(";"))
    columns = letters[nodes + 3].astype(np.intp) - ord("a")
    rows = letters[nodes + 4].astype(np.intp) - ord("a")
    points = _points(size)[columns * _LETTERS + rows]
    if len(points) and points.min() < 0:
        first = nodes[int(points.argmin())]
        raise _Fault(Reason.MOVE_OFF_BOARD, text[first + 1 : first + 6])
    colours = np.where(letters[nodes + 1] == ord("B"), np.int8(BLACK), np.int8(WHITE))
    return points, colours


def _setup(
    properties: list[tuple[bytes, list[bytes]]], *, size: int
) -> tuple[NDArray[np.int16], NDArray[np.int16], int | None]:
    """Black's and White's stones before the first move, and whose turn PL says it is; the later word counts."""
    stones = np.full(size * size, EMPTY, np.int8)
    to_play: int | None = None
    for name, values in properties:
        if name in _SET:
            for value in values:
                stones[_stones(value, size=size)] = _SET[name]
        else:
            to_play = {b"B": BLACK, b"W": WHITE}.get(values[-1][:1].upper(), to_play)
    black, white = (np.flatnonzero(stones == colour).astype(np.int16) for colour in (BLACK, WHITE))
    return black, white, to_play


def _stones(value: bytes, *, size: int) -> NDArray[np.intp]:
    """The points of one setup value: "dd", or the corners of a rectangle, "aa:cc"."""
    corners = [corner.strip() for corner in value.split(b":")]
    at = np.array([[letter - ord("a") for letter in corner] for corner in corners if len(corner) == 2])
    if not value:
        return np.empty(0, np.intp)
    if len(corners) > 2 or len(at) != len(corners) or at.min() < 0 or at.max() >= size:
        raise _Fault(Reason.BAD_STONE, value)
    (left, top), (right, bottom) = at.min(axis=0), at.max(axis=0)
    return (np.arange(top, bottom + 1)[:, None] * size + np.arange(left, right + 1)).reshape(-1)
