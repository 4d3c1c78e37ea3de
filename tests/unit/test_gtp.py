"""GTP by hand: the wire, setting up, playing, taking back, loading, scoring."""

from __future__ import annotations

import os
import shutil
import subprocess
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
from dlcourse.go.record import GameRecord
from dlcourse.go.sgf import read_games

GAMES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/games"])
"""Where Debian puts GNU Go."""


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
        ("kgs-rules", "? syntax error"),
        ("kgs-rules japanese", "? unsupported rules; there is chinese, aga, new_zealand"),
        ("gogui-setup b A1", "? board not empty"),
        ("gogui-setup_player w", "? moves have been played"),
        ("gogui-setup_player", "? syntax error"),
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


def load(to: Engine, path: Path, text: str | bytes, number: str = "") -> str:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return say(to, f"loadsgf {path} {number}").replace(str(path), "FILE")


@pytest.mark.parametrize(
    ("text", "number", "answer"),
    [
        ("(;SZ[9];B[aa];W[bb])", "4", "the move number must be 1 to 3, the one after the last"),
        ("(;SZ[9];B[aa];W[bb])", "0", "the move number must be 1 to 3, the one after the last"),
        ("(;SZ[9];B[aa];W[bb])", "9" * 5000, "the move number must be 1 to 3, the one after the last"),
        ("(;SZ[9];B[aa];W[bb])", "-1", "the move number must be a whole number, not '-1'"),
        (
            "(;SZ[9];B[aa];W[b",
            "4",
            "the move number must be 1 to 2 (after move 1: no closing bracket ((;SZ[9];B[aa];W[b))",
        ),
        ("hello", "", "FILE#1: no game tree (hello)"),
        ("", "", "FILE#1: no game tree"),
        ("(;SZ[9]AB[aa][b", "", "FILE#1: no closing bracket ((;SZ[9]AB[aa][b)"),
        ("(;GM[2];B[aa])", "", "FILE#1: another game than Go (GM[2])"),
        ("(;SZ[5];B[aa])", "", "a board of 5 lines; the engine plays on 9"),
        ("(;SZ[9]AB[aa]AW[ab][ba];B[cc])", "", "FILE#1: the group at point 0 has no liberty"),
    ],
)
def test_every_game_that_cannot_be_loaded_has_its_own_reason(
    text: str, number: str, answer: str, tmp_path: Path
) -> None:
    to = engine(size=9)
    say(to, "play b D4", "komi 0.5")
    assert load(to, tmp_path / "game.sgf", text, number) == f"? cannot load file: {answer}"
    assert len(to.session.board.moves) == 1 and to.session.komi == 0.5


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    to = engine()
    assert say(to, "loadsgf") == "? cannot load file: its name is missing"
    assert say(to, "loadsgf no such.sgf") == "? cannot load file: No such file or directory: no such.sgf"
    assert say(to, f"loadsgf {tmp_path}") == f"? cannot load file: Is a directory: {tmp_path}"
    assert say(to, "loadsgf \ud800") == "? cannot load file: no such name: \ud800"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("(;SZ[9];B[aa];W[bb];B[c", "after move 2: no closing bracket ((;SZ[9];B[aa];W[bb];B[c)"),
        ("(;SZ[9];B[aa];W[bb];B[bb];W[cc])", "after move 2: B8 is illegal for black: occupied"),
        ("(;SZ[9];B[aa];W[bb];AE[aa];B[cc])", "after move 2: stones set during the game (AE[aa])"),
    ],
)
def test_a_game_is_loaded_as_far_as_it_goes(text: str, fault: str, tmp_path: Path) -> None:
    to = engine()
    assert load(to, tmp_path / "game.sgf", text) == f"= the rest is not loaded: {fault}"
    assert [point for _, point in to.session.board.moves] == [0, 10]
    assert load(to, tmp_path / "game.sgf", text, "3") == "=" and len(to.session.board.moves) == 2
    assert load(to, tmp_path / "game.sgf", text, "4").startswith("? cannot load file: the move number must be 1 to 3 (")


def test_a_loaded_game_is_held_to_its_own_rules_and_what_follows_to_ours(tmp_path: Path) -> None:
    to = engine()
    assert load(to, tmp_path / "game.sgf", "(;SZ[9]AW[ba][bb][ac];B[ab];W[cc];B[aa])").endswith("black: suicide")
    assert load(to, tmp_path / "game.sgf", "(;SZ[9]RU[NZ]AW[ba][bb][ac];B[ab];W[cc];B[aa])") == "="
    assert not to.session.board.stones[[0, 9]].any()
    assert say(to, "play w E5", "play b A8") == "=" and say(to, "play b A9") == "? illegal move"


def test_komi_of_a_loaded_game_stays_until_another_is_given(tmp_path: Path) -> None:
    to = engine()
    assert say(to, "komi 6.5", "get_komi") == "= 6.5"
    load(to, tmp_path / "game.sgf", "(;SZ[9];B[aa])")
    assert say(to, "get_komi") == "= 6.5"
    load(to, tmp_path / "game.sgf", "(;SZ[9]KM[3.5];B[aa])")
    assert say(to, "get_komi") == say(to, "clear_board", "get_komi") == say(to, "boardsize 9", "get_komi") == "= 3.5"
    assert say(to, "komi 0", "get_komi") == "= 0"
    assert say(to, "komi 999999999.5", "get_komi") == "= 999999999.5"


@pytest.mark.skipif(shutil.which("gnugo", path=GAMES) is None, reason="GNU Go is not installed")
def test_gnu_go_keeps_the_komi_of_a_loaded_game_too(tmp_path: Path) -> None:
    path = tmp_path / "game.sgf"
    path.write_text("(;SZ[9]KM[3.5];B[aa])", encoding="utf-8")
    commands = f"komi 7.5\nloadsgf {path}\nclear_board\nget_komi\nquit\n"
    program = [shutil.which("gnugo", path=GAMES) or "", "--mode", "gtp"]
    done = subprocess.run(program, input=commands, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n\n")[3].split() == ["=", "3.5"]


def test_the_rules_of_kgs_are_those_that_count_by_area() -> None:
    to = engine()
    say(to, "play w B9", "play w B8", "play w A7", "play b A8", "play w E5")
    assert say(to, "play b A9") == "? illegal move" and say(to, "kgs-rules New_Zealand more", "play b A9") == "="
    assert say(to, "undo", "kgs-rules aga", "play b A9") == "? illegal move"
    assert say(to, "kgs-rules new_zealand", "clear_board") == "=" and to.session.board.rules.suicide


def test_a_position_is_set_up_without_moves() -> None:
    to = engine()
    assert say(to, "gogui-setup b A1 w C3 B C4") == "=" and not to.session.board.moves
    assert int((to.session.board.stones == BLACK).sum()) == 2 and to.session.board.to_play == BLACK
    assert say(to, "gogui-setup_player w") == "=" and to.session.board.to_play == WHITE
    assert say(to, "undo") == "? cannot undo" and say(to, "get_handicap") == "= 0"
    for line in ("gogui-setup b A9 w A8 w B9", "gogui-setup b pass", "gogui-setup b A1 w A1"):
        assert say(to, "clear_board", line).startswith("? cannot set up: ")
        assert not to.session.board.stones.any()
    assert say(to, "gogui-setup b") == "? syntax error" and say(to, "gogui-setup") == "="


def test_the_handicap_is_told(tmp_path: Path) -> None:
    to = engine()
    assert say(to, "get_handicap") == "= 0" and say(to, "fixed_handicap 3", "get_handicap") == "= 3"
    assert say(to, "clear_board", "get_handicap") == "= 0"
    assert say(to, "set_free_handicap A1 A2", "get_handicap") == "= 2"
    load(to, tmp_path / "game.sgf", "(;SZ[9]HA[4]AB[cc][cg][gc][gg];W[ee])")
    assert say(to, "get_handicap") == "= 4" and say(to, "boardsize 9", "get_handicap") == "= 0"


def test_processor_time_is_told_in_seconds() -> None:
    assert float(say(engine(), "cputime").removeprefix("= ")) > 0


def test_the_game_is_printed_as_it_can_be_loaded(tmp_path: Path) -> None:
    to = engine()
    say(to, "komi 0.5", "fixed_handicap 2", "play w E5", "play b pass", "play b D4", "play w pass", "play b pass")
    text = say(to, "printsgf").removeprefix("= ")
    (record,) = read_games(text.encode(), source="")
    assert isinstance(record, GameRecord) and record.komi == 0.5 and record.handicap == 2 and record.result == "B+1.5"
    assert list(zip(record.colours.tolist(), record.moves.tolist(), strict=True)) == to.session.board.moves
    path = tmp_path / "a game.sgf"
    assert say(to, f"printsgf {path}") == "=" and path.read_text(encoding="utf-8") == text + "\n"
    stones = to.session.board.stones
    assert say(to, "clear_board", f"loadsgf {path}") == "=" and np.array_equal(to.session.board.stones, stones)
    assert say(to, "undo", f"printsgf {path}") == "=" and "RE[" not in path.read_text(encoding="utf-8")
    assert say(to, "clear_board", "gogui-setup w A1", "gogui-setup_player w", "printsgf").endswith("PL[W]\nAW[ai])")


def test_no_file_but_a_game_record_is_overwritten(tmp_path: Path) -> None:
    to, path = engine(), tmp_path / "thesis.tex"
    path.write_text("years of work", encoding="utf-8")
    assert say(to, f"printsgf {path}") == f"? cannot write file: {path} is there and is no game record"
    assert path.read_text(encoding="utf-8") == "years of work"
    missing = tmp_path / "no" / "game.sgf"
    assert say(to, f"printsgf {missing}") == f"? cannot write file: No such file or directory: {missing}"
    assert say(to, "printsgf \ud800").startswith("? cannot write file: no such name")
    assert say(to, f"printsgf {'x' * 5000}").startswith("? cannot write file: File name too long")


def test_what_a_policy_cannot_say_is_not_offered() -> None:
    for command in ("lz-analyze", "kata-analyze", "lz-genmove_analyze", "kata-genmove_analyze"):
        assert say(engine(), command) == "? unknown command"


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
