"""GTP's commands for what holds before the first move: komi, rules, handicap stones, a position from elsewhere.

Those of GoGui are in its manual's chapter "Setup Commands"; kgs-rules is that of kgsGtp, KGS's bridge to programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dlcourse.go.gtp_session import Command, Failure, Session, colour_of, decimal, take, vertex_of, whole
from dlcourse.go.handicap import LEAST, fixed_points, most_fixed
from dlcourse.go.points import BLACK, WHITE, pass_point, to_vertex
from dlcourse.go.rules import Rules

RULES: Final = {"chinese": Rules(), "aga": Rules(), "new_zealand": Rules(suicide=True)}
"""KGS's rule sets that count by area; what White gets for handicap stones under some of them is left to the server."""


def komi(session: Session, words: list[str]) -> str:
    """`komi X`: what White gets."""
    session.komi = decimal(take(words, 1)[0])
    return ""


def get_komi(session: Session, _words: list[str]) -> str:
    """`get_komi`: what White gets."""
    return f"{session.komi:.15g}"


def kgs_rules(session: Session, words: list[str]) -> str:
    """`kgs-rules NAME`: what is forbidden from here on; Japanese rules, which count territory, are refused.

    KGS goes on whatever the answer is, so a Japanese game can be played there, by an engine that counts area.
    """
    name = take(words, 1)[0].lower()
    if name not in RULES:
        raise Failure(f"unsupported rules; there is {', '.join(RULES)}")
    session.rules = session.board.rules = RULES[name]
    return ""


def fixed_handicap(session: Session, words: list[str]) -> str:
    """`fixed_handicap N`: black stones at the traditional places."""
    count = whole(take(words, 1)[0])
    board = session.empty_board()
    if not LEAST <= count <= most_fixed(board.size):
        raise Failure("invalid number of stones")
    return _set_handicap(session, fixed_points(count, size=board.size))


def place_free_handicap(session: Session, words: list[str]) -> str:
    """`place_free_handicap N`: up to N black stones where the engine likes them, which is at the traditional places."""
    count = whole(take(words, 1)[0])
    board = session.empty_board()
    most = most_fixed(board.size)
    if count < LEAST or not most:
        raise Failure("invalid number of stones")
    return _set_handicap(session, fixed_points(min(count, most), size=board.size))


def set_free_handicap(session: Session, words: list[str]) -> str:
    """`set_free_handicap VERTEX VERTEX ...`: black stones where the controller likes them."""
    board = session.empty_board()
    if len(words) < LEAST:
        raise Failure("bad vertex list")
    try:
        _set_handicap(session, [vertex_of(word, size=board.size) for word in words])
    except (Failure, ValueError):
        raise Failure("bad vertex list") from None
    return ""


def get_handicap(session: Session, _words: list[str]) -> str:
    """`get_handicap`: how many stones Black was given, by a command or as the loaded game says."""
    return str(session.handicap)


def setup(session: Session, words: list[str]) -> str:
    """`gogui-setup COLOUR VERTEX ...`: stones of both sides on an empty board, none of which is a move."""
    board = session.empty_board()
    stones: dict[int, list[int]] = {BLACK: [], WHITE: []}
    for place in range(0, len(words), 2):
        colour, vertex = take(words[place : place + 2], 2)
        stones[colour_of(colour)].append(vertex_of(vertex, size=board.size))
    try:
        board.place(stones[BLACK], stones[WHITE])
    except ValueError as error:
        raise Failure(f"cannot set up: {error}") from None
    return ""


def setup_player(session: Session, words: list[str]) -> str:
    """`gogui-setup_player COLOUR`: whose turn the position is, before the first move."""
    colour = colour_of(take(words, 1)[0])
    if session.board.moves:
        raise Failure("moves have been played")
    session.board.place((), to_play=colour)
    return ""


SETUP: Mapping[str, Command] = {
    "komi": komi,
    "get_komi": get_komi,
    "kgs-rules": kgs_rules,
    "fixed_handicap": fixed_handicap,
    "place_free_handicap": place_free_handicap,
    "set_free_handicap": set_free_handicap,
    "get_handicap": get_handicap,
    "gogui-setup": setup,
    "gogui-setup_player": setup_player,
}
"""The name of every command here -> what obeys it."""


def _set_handicap(session: Session, points: list[int]) -> str:
    """Set them up; White is to play then."""
    board = session.board
    if pass_point(board.size) in points:
        raise ValueError("points must not hold a pass")
    board.place(points, to_play=WHITE)
    session.handicap = len(points)
    return " ".join(to_vertex(point, size=board.size) for point in points)
