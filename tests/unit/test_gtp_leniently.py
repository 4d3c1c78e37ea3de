"""A game that is read as far as it goes: never more and never less than the strict reader would take."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from dlcourse.errors import DataError
from dlcourse.go.leniently import read_one
from dlcourse.go.match import play_game
from dlcourse.go.player import RandomPlayer
from dlcourse.go.record import GameRecord
from dlcourse.go.sgf import read_games
from dlcourse.go.sgf_writer import write_game


@pytest.mark.parametrize(
    ("text", "moves", "fault"),
    [
        ("(;SZ[9];B[aa];W[bb])", 2, None),
        ("(;SZ[9];B[aa](;W[bb];B[cc])(;W[d", 3, None),
        ("(;SZ[9];B[aa];W[bb]C[cut", 2, "after move 2: no closing bracket ((;SZ[9];B[aa];W[bb]C[cut)"),
        ("(;SZ[9];B[aa];W[bb]", 2, "after move 2: no closing bracket ((;SZ[9];B[aa];W[bb])"),
        ("(;SZ[9];B[aa] junk ;W[bb])", 1, "after move 1: text that is not SGF (junk ;W[bb]))"),
        ("(;SZ[9];B[aa];W[zz];B[cc])", 1, "after move 1: a move off the board (W[zz])"),
        ("(;SZ[9];B[aa](;W[bb];B[cc])(;W[dd]);B[ee])", 3, "after move 3: a node after a variation (;B[ee]))"),
        ("(;SZ[9];B[aa];W[aa])", 1, "after move 1: A9 is illegal for white: occupied"),
        ("(;SZ[9]AB[aa];W[aa])", 0, "after move 0: A9 is illegal for white: occupied"),
        ("(;SZ[9];B[aa];W[bb];W[aa];B[c", 2, "after move 2: A9 is illegal for white: occupied"),
    ],
)
def test_a_game_is_read_up_to_its_first_fault(text: str, moves: int, fault: str | None) -> None:
    opened = read_one(text.encode(), source="x.sgf")
    assert (len(opened.record.moves), opened.fault) == (moves, fault)
    assert len(opened.record.colours) == moves and opened.record.size == 9


def test_any_game_of_a_file_can_be_asked_for() -> None:
    data = b"(;SZ[9];B[zz])(;SZ[9];B[aa];W[bb])(;SZ[9];B[aa];W[bb];B[c"
    assert read_one(data, source="", number=2).fault is None
    third = read_one(data, source="", number=3)
    assert len(third.record.moves) == 2 and third.fault is not None
    with pytest.raises(DataError, match="x#1: a move off the board"):
        read_one(data, source="x")
    with pytest.raises(DataError, match="x: there is no game 4 in it"):
        read_one(data, source="x", number=4)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "x#1: no game tree"),
        ("(;SZ[9]AB[aa][b", "x#1: no closing bracket"),
        ("(;SZ[9]AB[aa]AB[b", "x#1: no closing bracket"),
        ("(;SZ[99];B[aa])", "x#1: size out of range"),
        ("(;HA[2];W[aa];B[bb])", "x#1: handicap stones missing"),
        ("(;SZ[9]AB[aa]AW[ab][ba];B[cc])", "x#1: the group at point 0 has no liberty"),
    ],
)
def test_a_position_that_is_uncertain_from_the_start_is_refused(text: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read_one(text.encode(), source="x")


def test_a_game_that_is_cut_anywhere_loses_nothing_before_the_cut() -> None:
    player = RandomPlayer(Random(3).randrange)
    whole = play_game(player, player, size=5).record
    data = write_game(whole).encode()
    start = data.index(b";B[")
    for end in range(start + 6, len(data)):
        opened = read_one(data[:end], source="")

        complete = data[start:end].count(b"]")
        assert len(opened.record.moves) == complete
        assert np.array_equal(opened.record.moves, whole.moves[:complete])
        strict = next(iter(read_games(data[:end], source="")))
        assert (opened.fault is None) == isinstance(strict, GameRecord)
