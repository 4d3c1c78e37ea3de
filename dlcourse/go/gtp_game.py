"""GTP's commands that begin, play, take back, show and score a game, and those of KGS that go with them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import numpy as np

from dlcourse.go.board import Board
from dlcourse.go.diagram import diagram
from dlcourse.go.gtp_session import Command, Failure, Session, colour_of, take, vertex_of, whole
from dlcourse.go.player import RESIGN
from dlcourse.go.points import EMPTY, to_vertex
from dlcourse.go.results import by_score
from dlcourse.go.rules import IllegalMove
from dlcourse.go.scoring import area_score


def boardsize(session: Session, words: list[str]) -> str:
    """`boardsize N`: an empty board of so many lines."""
    size = whole(take(words, 1)[0])
    if not session.plays_on(size):
        raise Failure("unacceptable size")
    session.clear(size)
    return ""


def clear_board(session: Session, _words: list[str]) -> str:
    """`clear_board`: an empty board; komi stays what it was, as with GNU Go, and be it a loaded game's."""
    session.clear()
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


def cputime(_session: Session, _words: list[str]) -> str:
    """`cputime`: seconds of processor time that the program has used so far, all its threads together."""
    return f"{time.process_time():.3f}"


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
    "play": play,
    "genmove": genmove,
    "reg_genmove": reg_genmove,
    "undo": undo,
    "gg-undo": take_back,
    "showboard": showboard,
    "final_score": final_score,
    "final_status_list": final_status_list,
    "cputime": cputime,
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
