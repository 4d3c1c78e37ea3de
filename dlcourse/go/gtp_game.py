"""GTP's commands that set up, play, take back, load and score a game, and those of KGS that go with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from dlcourse.go.board import Board
from dlcourse.go.diagram import diagram
from dlcourse.go.gtp_session import Command, Failure, Session, colour_of, decimal, take, vertex_of, whole
from dlcourse.go.handicap import LEAST, fixed_points, most_fixed
from dlcourse.go.player import RESIGN
from dlcourse.go.points import EMPTY, WHITE, pass_point, to_vertex
from dlcourse.go.record import GameRecord
from dlcourse.go.replaying import board_before
from dlcourse.go.results import by_score
from dlcourse.go.rules import IllegalMove
from dlcourse.go.scoring import area_score
from dlcourse.go.sgf import read_games


def boardsize(session: Session, words: list[str]) -> str:
    """`boardsize N`: an empty board of so many lines."""
    size = whole(take(words, 1)[0])
    if not session.plays_on(size):
        raise Failure("unacceptable size")
    session.clear(size)
    return ""


def clear_board(session: Session, _words: list[str]) -> str:
    """`clear_board`: an empty board."""
    session.clear()
    return ""


def komi(session: Session, words: list[str]) -> str:
    """`komi X`: what White gets."""
    session.komi = decimal(take(words, 1)[0])
    return ""


def play(session: Session, words: list[str]) -> str:
    """`play COLOUR VERTEX`: a move of either side, in turn or not."""
    _move(session.board, words)
    return ""


def play_sequence(session: Session, words: list[str]) -> str:
    """`gogui-play_sequence COLOUR VERTEX ...`: all of them, or none if one is illegal."""
    board = session.board.copy()
    for place in range(0, len(words), 2):
        _move(board, words[place : place + 2])
    session.board = board
    return ""


def genmove(session: Session, words: list[str]) -> str:
    """`genmove COLOUR`: choose a move and play it."""
    return _chosen(session, words, played=True)


def reg_genmove(session: Session, words: list[str]) -> str:
    """`reg_genmove COLOUR`: choose a move, play nothing."""
    return _chosen(session, words, played=False)


def genmove_cleanup(session: Session, words: list[str]) -> str:
    """`kgs-genmove_cleanup COLOUR`: choose and play a move after both have passed, until dead stones are gone."""
    return _chosen(session, words, played=True, cleanup=True)


def undo(session: Session, _words: list[str]) -> str:
    """`undo`: take the last move back."""
    return take_back(session, ["1"])


def take_back(session: Session, words: list[str]) -> str:
    """`gg-undo [N]`: take N moves back, or none if there are fewer."""
    count = whole(words[0]) if words else 1
    if count > len(session.board.moves):
        raise Failure("cannot undo")
    for _ in range(count):
        session.board.undo()
    return ""


def fixed_handicap(session: Session, words: list[str]) -> str:
    """`fixed_handicap N`: black stones at the traditional places."""
    count = whole(take(words, 1)[0])
    board = session.empty_board()
    if not LEAST <= count <= most_fixed(board.size):
        raise Failure("invalid number of stones")
    return _set_handicap(board, fixed_points(count, size=board.size))


def place_free_handicap(session: Session, words: list[str]) -> str:
    """`place_free_handicap N`: up to N black stones where the engine likes them, which is at the traditional places."""
    count = whole(take(words, 1)[0])
    board = session.empty_board()
    most = most_fixed(board.size)
    if count < LEAST or not most:
        raise Failure("invalid number of stones")
    return _set_handicap(board, fixed_points(min(count, most), size=board.size))


def set_free_handicap(session: Session, words: list[str]) -> str:
    """`set_free_handicap VERTEX VERTEX ...`: black stones where the controller likes them."""
    board = session.empty_board()
    if len(words) < LEAST:
        raise Failure("bad vertex list")
    try:
        _set_handicap(board, [vertex_of(word, size=board.size) for word in words])
    except (Failure, ValueError):
        raise Failure("bad vertex list") from None
    return ""


def showboard(session: Session, _words: list[str]) -> str:
    """`showboard`: the position as text."""
    return f"\n{diagram(session.board)}"


def final_score(session: Session, _words: list[str]) -> str:
    """`final_score`: by area (Tromp-Taylor) as the stones stand; dead ones have to be captured first."""
    return by_score(area_score(session.board.stones, session.board.size, komi=session.komi))


def final_status_list(session: Session, words: list[str]) -> str:
    """`final_status_list STATUS`: every stone that stands is alive, as `final_score` has it."""
    status = take(words, 1)[0]
    if status not in ("alive", "dead", "seki"):
        raise Failure("syntax error")
    stones = np.flatnonzero(session.board.stones != EMPTY) if status == "alive" else []
    return "\n".join(to_vertex(int(point), size=session.board.size) for point in stones)


def loadsgf(session: Session, words: list[str]) -> str:
    """`loadsgf FILE [N]`: the first game of a file, up to but without its N-th move."""
    name, until = " ".join(words), None
    if len(words) > 1 and words[-1].isascii() and words[-1].isdecimal():
        name, until = " ".join(words[:-1]), whole(words[-1])
    try:
        record = next(read_games(Path(name).read_bytes(), source=name))
    except OSError:
        raise Failure("cannot load file") from None
    if not isinstance(record, GameRecord) or not session.plays_on(record.size):
        raise Failure("cannot load file")
    moves = len(record.moves) if until is None else min(max(until - 1, 0), len(record.moves))
    try:
        session.board = board_before(record, moves, rules=session.rules)
    except ValueError:  # the game breaks the rules
        raise Failure("cannot load file") from None
    session.komi = session.komi if record.komi is None else record.komi
    return ""


def ignored(check: Callable[[str], object], counts: Iterable[int]) -> Command:
    """A command that tells the engine something it does not need; its words must make sense all the same."""

    def obey(_session: Session, words: list[str]) -> str:
        if len(words) not in counts:
            raise Failure("syntax error")
        for word in words:
            check(word)
        return ""

    return obey


def time_left(_session: Session, words: list[str]) -> str:
    """`time_left COLOUR SECONDS STONES`: the engine is quick enough not to care."""
    colour, *numbers = take(words, 3)
    colour_of(colour)
    for number in numbers:
        whole(number)
    return ""


GAME: Mapping[str, Command] = {
    "boardsize": boardsize,
    "clear_board": clear_board,
    "komi": komi,
    "play": play,
    "genmove": genmove,
    "reg_genmove": reg_genmove,
    "undo": undo,
    "gg-undo": take_back,
    "fixed_handicap": fixed_handicap,
    "place_free_handicap": place_free_handicap,
    "set_free_handicap": set_free_handicap,
    "showboard": showboard,
    "final_score": final_score,
    "final_status_list": final_status_list,
    "loadsgf": loadsgf,
    "time_settings": ignored(whole, (3,)),
    "time_left": time_left,
    "kgs-genmove_cleanup": genmove_cleanup,
    "kgs-time_settings": ignored(str, range(1, 5)),
    "kgs-game_over": ignored(str, (0,)),
    "gogui-play_sequence": play_sequence,
}
"""The name of every command here -> what obeys it."""


def _move(board: Board, words: list[str]) -> None:
    """Play a colour's vertex."""
    colour, vertex = take(words, 2)
    try:
        board.play(vertex_of(vertex, size=board.size), colour_of(colour))
    except IllegalMove:
        raise Failure("illegal move") from None


def _chosen(session: Session, words: list[str], *, played: bool, cleanup: bool = False) -> str:
    """The player's move as GTP writes it."""
    colour = colour_of(take(words, 1)[0])
    point = session.player.choose(session.board, colour, komi=session.komi, cleanup=cleanup)
    if point == RESIGN:
        return "resign"
    if played:
        session.board.play(point, colour)
    return to_vertex(point, size=session.board.size)


def _set_handicap(board: Board, points: list[int]) -> str:
    """Set them up; White is to play then."""
    if pass_point(board.size) in points:
        raise ValueError("points must not hold a pass")
    board.place(points, to_play=WHITE)
    return " ".join(to_vertex(point, size=board.size) for point in points)
