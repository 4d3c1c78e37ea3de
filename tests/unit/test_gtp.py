"""GTP by hand: the wire, setting up, playing, taking back, loading, scoring."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcourse.go.board import Board
from dlcourse.go.gtp import Engine, serve
from dlcourse.go.gtp_session import Session
from dlcourse.go.player import RESIGN, RandomPlayer
from dlcourse.go.points import BLACK, WHITE, from_vertex


class Scripted:
    """Plays what it is told to; finds the first points the better moves."""

    name = "scripted"

    def __init__(self, *vertices: str, size: int | None = None) -> None:
        self.vertices = list(vertices)
        self.size = size
        self.asked: list[tuple[int, float, bool]] = []

    def choose(self, board: Board, colour: int, *, komi: float, cleanup: bool = False) -> int:
        self.asked.append((colour, komi, cleanup))
        vertex = self.vertices.pop(0)
        return RESIGN if vertex == "resign" else from_vertex(vertex, size=board.size)

    def probabilities(self, board: Board, colour: int) -> NDArray[np.float64]:
        legal = board.legal_mask(colour)
        chances = np.where(legal, 0.5 ** np.arange(1, len(legal) + 1), 0.0)
        return chances / chances.sum()


def engine(*vertices: str, size: int | None = None, lines: int | None = 9) -> Engine:
    made = Engine(Session(Scripted(*vertices, size=size)), version="1.0")
    if lines is not None and size is None:
        say(made, f"boardsize {lines}")
    return made


def say(to: Engine, *lines: str) -> str:
    """The last answer, without its end."""
    answer = None
    for line in lines:
        answer = to.answer(line)
        assert answer is not None and answer.endswith("\n\n") and "\n\n" not in answer[:-2]
    assert answer is not None
    return answer[:-2]


def test_an_answer_bears_the_id_of_its_command() -> None:
    to = engine()
    assert say(to, "protocol_version") == "= 2"
    assert say(to, "17 name") == "=17 scripted"
    assert say(to, "3 komi 6.5") == "=3"
    assert say(to, "4 dance") == "?4 unknown command"
    assert say(to, "5 play green A1") == "?5 syntax error"
    assert say(to, "6") == "?6 syntax error"


@pytest.mark.parametrize("line", ["", "   ", "\t", "# a comment", "  # 1 name", "\r\n", "\x01\x02"])
def test_a_line_that_says_nothing_gets_no_answer(line: str) -> None:
    assert engine().answer(line) is None


def test_control_characters_tabs_and_comments_are_taken_out_first() -> None:
    assert say(engine(), "1\tna\x00me\x7f # what are you?\r\n") == "=1 scripted"


def test_every_command_that_the_protocol_requires_is_known() -> None:
    to = engine()
    listed = say(to, "list_commands").removeprefix("= ").split("\n")
    required = "protocol_version name version known_command list_commands quit boardsize clear_board komi play genmove"
    assert set(required.split()) <= set(listed) and listed == sorted(listed)
    assert {say(to, f"known_command {name}") for name in listed} == {"= true"}
    assert say(to, "known_command dance") == say(to, "known_command") == "= false"


def test_it_serves_until_it_is_told_to_quit() -> None:
    said: list[str] = []
    serve(engine(), ["# hello", "1 version", "quit", "2 version"], write=said.append)
    assert said == ["=1 1.0\n\n", "=\n\n"]


def test_a_game_is_set_up_and_played() -> None:
    to = engine("E5", "pass", "resign")
    assert say(to, "komi 0.5", "play b D4", "genmove white") == "= E5"
    assert to.session.board.moves == [(BLACK, from_vertex("D4", size=9)), (WHITE, from_vertex("E5", size=9))]
    assert say(to, "genmove b") == "= pass" and to.session.board.passes == 1
    assert say(to, "genmove w") == "= resign" and len(to.session.board.moves) == 3
    assert to.session.player.asked == [(WHITE, 0.5, False), (BLACK, 0.5, False), (WHITE, 0.5, False)]  # type: ignore[attr-defined]


def test_reg_genmove_plays_nothing_and_cleanup_says_that_it_is_one() -> None:
    to = engine("E5", "E5")
    assert say(to, "reg_genmove b") == "= E5" and not to.session.board.moves
    assert say(to, "kgs-genmove_cleanup b") == "= E5" and len(to.session.board.moves) == 1
    assert [cleanup for _, _, cleanup in to.session.player.asked] == [False, True]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("play b", "? syntax error"),
        ("play red A1", "? syntax error"),
        ("play b I5", "? invalid color or coordinate"),
        ("play b A10", "? invalid color or coordinate"),
        ("play w D4", "? illegal move"),
        ("genmove", "? syntax error"),
        ("boardsize x", "? syntax error"),
        ("boardsize 26", "? unacceptable size"),
        ("boardsize 1", "? unacceptable size"),
        ("komi nan", "? syntax error"),
        ("komi 1e5", "? syntax error"),
        ("komi ٣", "? syntax error"),
        ("undo", "="),
        ("gg-undo 2", "? cannot undo"),
        ("fixed_handicap 2", "? board not empty"),
        ("set_free_handicap A1 A2", "? board not empty"),
        ("final_status_list dying", "? syntax error"),
        ("loadsgf /no/such/file.sgf", "? cannot load file"),
        ("loadsgf", "? cannot load file"),
        ("time_settings 1 2", "? syntax error"),
        ("time_settings 300 30 5", "="),
        ("time_left b 60 0", "="),
        ("time_left b", "? syntax error"),
        ("kgs-time_settings byoyomi 30 60 3", "="),
        ("kgs-game_over", "="),
    ],
)
def test_faults_are_answered_as_the_protocol_wants(line: str, answer: str) -> None:
    to = engine()
    say(to, "play b D4")
    assert say(to, line) == answer


def test_moves_are_taken_back_all_or_none() -> None:
    to = engine()
    say(to, "play b D4", "play w E4", "play b F4", "gg-undo 2")
    assert len(to.session.board.moves) == 1
    assert say(to, "gogui-play_sequence b A1 w A2 b A1") == "? illegal move" and len(to.session.board.moves) == 1
    assert say(to, "gogui-play_sequence w A1 b A2") == "=" and len(to.session.board.moves) == 3


def test_a_network_plays_on_its_own_size_alone() -> None:
    to = engine(size=7)
    assert to.session.board.size == 7
    assert say(to, "boardsize 9") == "? unacceptable size" and say(to, "boardsize 7") == "="


def test_suicide_and_superko_are_illegal() -> None:
    to = engine()
    say(to, "play b A2", "play b B1")
    assert say(to, "play w A1") == "? illegal move"


def test_the_board_is_shown() -> None:
    to = engine(lines=5)
    shown = say(to, "play b A1", "play w E5", "showboard").split("\n")
    assert shown == [
        "= ",
        "   A B C D E",
        " 5 . . . .(O)5",
        " 4 . . . . . 4",
        " 3 . . . . . 3",
        " 2 . . . . . 2",
        " 1 X . . . . 1",
        "   A B C D E",
    ]


def test_the_score_is_counted_by_area() -> None:
    to = engine(lines=5)
    assert say(to, "final_score") == "= W+7.5"
    assert say(to, "komi 0", "final_score") == "= 0"
    for row in range(1, 6):
        say(to, f"play b B{row}", f"play w C{row}")
    assert say(to, "final_score") == "= W+5"
    assert len(say(to, "final_status_list alive").split()) == 11 and say(to, "final_status_list dead") == "="


def test_handicap_stones_stand_where_the_protocol_says() -> None:
    to = engine(lines=19)
    assert say(to, "fixed_handicap 3") == "= D4 Q16 D16"
    assert to.session.board.to_play == WHITE and int((to.session.board.stones == BLACK).sum()) == 3


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("fixed_handicap 1", "? invalid number of stones"),
        ("fixed_handicap 10", "? invalid number of stones"),
        ("place_free_handicap 1", "? invalid number of stones"),
        ("place_free_handicap 30", "= C3 G7 C7 G3 C5 G5 E3 E7 E5"),
        ("set_free_handicap A1", "? bad vertex list"),
        ("set_free_handicap A1 A1", "? bad vertex list"),
        ("set_free_handicap A1 pass", "? bad vertex list"),
        ("set_free_handicap A1 Z9", "? bad vertex list"),
        ("set_free_handicap A1 J9", "="),
    ],
)
def test_handicaps_that_cannot_be_are_refused(line: str, answer: str) -> None:
    to = engine()
    assert say(to, line) == answer
    assert to.session.board.stones.any() == answer.startswith("=")


def test_a_game_is_loaded_up_to_a_move(tmp_path: Path) -> None:
    path = tmp_path / "a game.sgf"
    path.write_text("(;SZ[9]KM[5.5]AB[aa][ab];W[cc];B[dd];W[ee])", encoding="utf-8")
    to = engine()
    assert say(to, f"loadsgf {path} 3") == "="
    board = to.session.board
    assert len(board.moves) == 2 and board.to_play == WHITE and to.session.komi == 5.5
    assert int((board.stones == BLACK).sum()) == 3
    assert say(to, f"loadsgf {path}") == "=" and len(to.session.board.moves) == 3
    assert say(to, "boardsize 9", f"loadsgf {path} 1") == "=" and not to.session.board.moves
    path.write_text("(;SZ[9];B[cc];W[cc])", encoding="utf-8")
    assert say(to, f"loadsgf {path}") == "? cannot load file" and not to.session.board.moves
    assert say(engine(size=7), f"loadsgf {path}") == "? cannot load file"


def test_the_policy_is_drawn_as_a_heat_map() -> None:
    to = engine(lines=5)
    listed = [line.split("/") for line in say(to, "gogui-analyze_commands").removeprefix("= ").split("\n")]
    assert [kind for kind, _, _ in listed] == ["gfx", "dboard", "string"]
    for _, _, command in listed:
        assert say(to, f"known_command {command}") == "= true" and say(to, command).startswith("= ")
    say(to, "play b A5")
    drawn = say(to, "dlcourse-policy").removeprefix("= ").split("\n")
    assert drawn[0] == "COLOR #1a59cc B5" and "LABEL B5 50" in drawn and drawn[-1] == "TEXT pass 0.0 %"
    rows = say(to, "dlcourse-probabilities white").removeprefix("= ").split("\n")
    table = np.array([row.split() for row in rows], dtype=float)
    assert table.shape == (5, 5) and table[0, 0] == 0 and table[0, 1] == pytest.approx(0.5, abs=1e-3)
    assert say(to, "dlcourse-policy green") == "? syntax error"


def test_a_player_without_an_opinion_has_none_to_draw() -> None:
    to = Engine(Session(RandomPlayer(Random(0).randrange)))
    assert say(to, "gogui-analyze_commands") == "? unknown command"
