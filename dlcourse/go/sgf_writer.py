"""Records as SGF FF[4] text, which `dlcourse.go.sgf` reads back as the same record."""

from __future__ import annotations

from collections.abc import Iterable

from dlcourse.go.points import LETTERS, pass_point
from dlcourse.go.record import GameRecord
from dlcourse.go.sgf import first_to_play
from dlcourse.go.sgf_text import escaped

_MOVES_A_LINE = 10


def write_game(record: GameRecord) -> str:
    """The record as a file's text, to be encoded as UTF-8, with a line break at its end.

    What SGF cannot hold is not written: `source`; line breaks and tabs in names become blanks, those at the ends go.
    """
    size = record.size
    fields = {
        "SZ": str(size),
        "PB": record.names[0],
        "BR": record.ranks[0],
        "PW": record.names[1],
        "WR": record.ranks[1],
        "KM": "" if record.komi is None else repr(record.komi),
        "HA": str(record.handicap or ""),
        "RU": record.rules,
        "RE": record.result,
    }
    if record.to_play != first_to_play(record.colours, record.black, record.white):
        fields["PL"] = LETTERS[record.to_play]
    root = "".join(f"{name}[{escaped(value)}]" for name, value in fields.items() if value)
    setup = "".join(
        name + "".join(f"[{_place(point, size=size)}]" for point in points)
        for name, points in (("AB", record.black.tolist()), ("AW", record.white.tolist()))
        if points
    )
    moves = [
        f";{LETTERS[colour]}[{_place(point, size=size)}]"
        for colour, point in zip(record.colours.tolist(), record.moves.tolist(), strict=True)
    ]
    return "\n".join([f"(;GM[1]FF[4]CA[UTF-8]AP[dlcourse]{root}", *([setup] if setup else []), *_lines(moves)]) + ")\n"


def _lines(moves: list[str]) -> Iterable[str]:
    return ("".join(moves[start : start + _MOVES_A_LINE]) for start in range(0, len(moves), _MOVES_A_LINE))


def _place(point: int, *, size: int) -> str:
    """Two letters, column first; none for a pass."""
    if point == pass_point(size):
        return ""
    row, column = divmod(point, size)
    return chr(ord("a") + column) + chr(ord("a") + row)
