"""A Go program that is run and asked: its answers, and every way in which it can fail."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from dlcourse.errors import ConfigError
from dlcourse.go.board import Board
from dlcourse.go.gtp_program import GtpProgram, ProgramFault, Refused, split_command
from dlcourse.go.match import play_game
from dlcourse.go.player import RESIGN
from dlcourse.go.points import BLACK, WHITE, from_vertex
from dlcourse.go.program_player import ProgramPlayer

FAKE = Path(__file__).parents[1] / "fake_gtp.py"


@pytest.fixture(autouse=True)
def _the_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(FAKE.parents[1]))


def program(*fault: str, timeout: float = 20.0) -> GtpProgram:
    return GtpProgram([sys.executable, str(FAKE), *fault], timeout=timeout)


def test_it_is_asked_and_answers_whatever_it_prints_before() -> None:
    with program() as asked:
        assert asked.name == "random" and "genmove" in asked.commands
        assert asked.ask("protocol_version") == "2" and asked.ask("komi 0.5") == ""
        assert asked.ask("showboard").startswith("   A B C")
        with pytest.raises(Refused, match="unknown command"):
            asked.ask("dance")
        assert asked.ask("version") == ""
        with pytest.raises(ValueError, match="command must be one line"):
            asked.ask("name\nquit")


def test_it_is_gone_when_it_is_no_longer_needed() -> None:
    with program() as asked:
        process = asked._process
    assert process.poll() == 0
    asked.close()


def test_its_end_is_told_with_its_last_words() -> None:
    with program("die") as asked:
        with pytest.raises(ProgramFault) as fault:
            asked.ask("genmove b")
        first, second = fault.value.problems
        assert "it ended (exit code 3) when it was asked 'genmove b'" in first and second == "it said: out of; memory"
        with pytest.raises(ProgramFault, match="it ended"):
            asked.ask("name")


def test_it_may_not_keep_silent_for_long() -> None:
    with program("sleep", timeout=3.0) as asked:
        asked.timeout = 0.2
        began = time.monotonic()
        with pytest.raises(ProgramFault, match="no answer to 'genmove b' within 0.2 s"):
            asked.ask("genmove b")
        assert time.monotonic() - began < 2


def test_an_answer_without_end_is_a_fault_and_does_not_keep_it_alive() -> None:
    with program("babble") as asked:
        with pytest.raises(ProgramFault, match="has no end"):
            asked.ask("genmove b")
        process = asked._process
    assert process.poll() is not None


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "is empty"), ("gnugo 'x", "is no command line"), ("/no/such/program --mode gtp", "cannot be started")],
)
def test_a_command_line_that_is_none_is_told(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        GtpProgram(split_command(text))


def test_no_shell_reads_the_command_line() -> None:
    assert split_command("a 'b c' $HOME; ls") == ["a", "b c", "$HOME;", "ls"]


def test_a_program_that_speaks_no_gtp_is_told() -> None:
    with pytest.raises(ProgramFault, match="it ended"):
        GtpProgram([sys.executable, "-c", "print('hello')"])


def test_a_program_is_told_what_happened_since_it_was_asked_last() -> None:
    with program() as asked:
        player = ProgramPlayer(asked)
        board = Board(5)
        for _ in range(6):
            board.play(player.choose(board, board.to_play, komi=7.5))
            board.play(25)
        board.undo()
        board.undo()
        board.play(player.choose(board, board.to_play, komi=7.5))
        assert asked.ask("showboard").count("X") == int((board.stones == BLACK).sum())
        other = Board(7)
        other.play(0)
        other.play(player.choose(other, WHITE, komi=0.5), WHITE)
        assert asked.ask("final_score") == "W+0.5"


def test_two_programs_play_a_game_that_follows_the_rules() -> None:
    with program() as black, program() as white:
        played = play_game(ProgramPlayer(black), ProgramPlayer(white), size=5)
        assert not played.fault and played.record.result[0] in "BW"
        assert black.ask("final_score") == white.ask("final_score") == played.record.result


def test_resignations_passes_and_nonsense_are_told_apart() -> None:
    with program("resign") as asked:
        assert ProgramPlayer(asked).choose(Board(5), BLACK, komi=7.5) == RESIGN
    with program("PASS") as asked:
        assert ProgramPlayer(asked).choose(Board(5), BLACK, komi=7.5) == 25
    with program("c3") as asked:
        assert ProgramPlayer(asked).choose(Board(5), BLACK, komi=7.5) == from_vertex("C3", size=5)
    with program("I5") as asked, pytest.raises(ProgramFault, match="'I5', which is no move"):
        ProgramPlayer(asked).choose(Board(9), BLACK, komi=7.5)


def test_a_program_that_plays_on_a_stone_forfeits() -> None:
    with program("c3") as white, program() as black:
        played = play_game(ProgramPlayer(black), ProgramPlayer(white), size=5)
    assert played.record.result == "B+F" and played.fault == "random: C3 is illegal for white: occupied"


def test_a_program_that_knows_no_cleanup_passes_then() -> None:
    with program("plain") as asked:
        player, board = ProgramPlayer(asked), Board(5)
        assert not player.cleans_up and player.choose(board, BLACK, komi=7.5, cleanup=True) == 25
        board.play(25)
        board.play(0)
        assert player.choose(board, BLACK, komi=7.5) != 0


def test_a_refusal_names_the_move(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_program: GtpProgram, command: str) -> str:
        raise Refused(command, "no such size")

    with program() as asked:
        player = ProgramPlayer(asked)
        monkeypatch.setattr(GtpProgram, "ask", refuse)
        with pytest.raises(ProgramFault, match="it refused 'boardsize 25': no such size"):
            player.choose(Board(25), BLACK, komi=7.5)
