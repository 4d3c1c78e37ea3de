"""GTP's commands that load a game from a file and write one, as SGF."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dlcourse.errors import DataError
from dlcourse.go.gtp_session import Command, Failure, Session
from dlcourse.go.leniently import Opened, read_one
from dlcourse.go.points import BLACK, WHITE
from dlcourse.go.record import GameRecord
from dlcourse.go.replaying import board_before
from dlcourse.go.results import by_score
from dlcourse.go.scoring import area_score
from dlcourse.go.sgf_writer import write_game

MOST_DIGITS = 9
SGF_BEGINS = b"(;"


def loadsgf(session: Session, words: list[str]) -> str:
    """`loadsgf FILE [N]`: the first game of a file, up to but without its N-th move; its komi counts, if it has one.

    A game that is cut short or breaks the rules is loaded as far as it goes, and the answer says where that is. Up
    to there the game's own rules hold, after it those of the session.
    """
    name, number = _name_and_number(words)
    opened = _opened(name)
    record, fault = opened
    if not session.plays_on(record.size):
        raise Failure(f"cannot load file: a board of {record.size} lines; the engine plays on {session.player.size}")
    last = len(record.moves) + 1
    if number is not None and not 1 <= number <= last:
        what = f" ({fault})" if fault else ", the one after the last"
        raise Failure(f"cannot load file: the move number must be 1 to {last}{what}")
    session.board = board_before(record, (number or last) - 1)
    session.board.rules = session.rules
    session.komi = session.komi if record.komi is None else record.komi
    session.handicap = record.handicap
    return f"the rest is not loaded: {fault}" if fault and number is None else ""


def printsgf(session: Session, words: list[str]) -> str:
    """`printsgf [FILE]`: the game so far, as the answer or into a file; no file but a game record is overwritten."""
    text = write_game(_recorded(session))
    if not words:
        return text
    path = Path(" ".join(words))
    try:
        if path.exists():
            with path.open("rb") as file:
                if file.read(len(SGF_BEGINS)) not in (b"", SGF_BEGINS):
                    raise Failure(f"cannot write file: {path} is there and is no game record")
        path.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        raise Failure(f"cannot write file: {_reason(error)}: {path}") from None
    return ""


FILES: Mapping[str, Command] = {"loadsgf": loadsgf, "printsgf": printsgf}
"""The name of every command here -> what obeys it."""


def _name_and_number(words: Sequence[str]) -> tuple[str, int | None]:
    """What follows `loadsgf`; a name may hold blanks."""
    if not words:
        raise Failure("cannot load file: its name is missing")
    *names, last = words
    if names and last.isascii() and last.isdecimal():
        return " ".join(names), int(last[:MOST_DIGITS])
    if names and names[-1].lower().endswith(".sgf"):
        raise Failure(f"cannot load file: the move number must be a whole number, not {last!a}")
    return " ".join(words), None


def _opened(name: str) -> Opened:
    try:
        return read_one(Path(name).read_bytes(), source=name)
    except DataError as error:
        raise Failure(f"cannot load file: {'; '.join(error.problems)}") from None
    except (OSError, ValueError) as error:
        raise Failure(f"cannot load file: {_reason(error)}: {name}") from None


def _reason(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or "no such name"


def _recorded(session: Session) -> GameRecord:
    """The game so far as a record; its score stands in it once both have passed."""
    board, start = session.board, session.board.copy()
    while start.moves:
        start.undo()
    moves = np.array(board.moves, dtype=np.int16).reshape(-1, 2)
    black, white = (np.flatnonzero(start.stones == colour).astype(np.int16) for colour in (BLACK, WHITE))
    return GameRecord(
        size=board.size,
        moves=moves[:, 1],
        colours=moves[:, 0].astype(np.int8),
        black=black,
        white=white,
        to_play=start.to_play,
        komi=session.komi,
        handicap=session.handicap,
        result=by_score(area_score(board.stones, board.size, komi=session.komi)) if board.over else "",
        rules="Tromp-Taylor" if board.rules.suicide else "Chinese",
    )
