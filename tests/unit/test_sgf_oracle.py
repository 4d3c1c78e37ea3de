"""The SGF reader against sgfmill's, and where sgfmill loses moves without a word."""

from __future__ import annotations

import pytest

from dlcourse.go.points import BLACK, WHITE, pass_point
from dlcourse.go.record import GameRecord
from dlcourse.go.sgf import Unreadable, read_games

sgf = pytest.importorskip("sgfmill.sgf")
grammar = pytest.importorskip("sgfmill.sgf_grammar")
sgf_moves = pytest.importorskip("sgfmill.sgf_moves")

Moves = list[tuple[int, int]]


def by_sgfmill(data: bytes) -> list[Moves]:
    """(colour, point) of each move of each game that sgfmill finds."""
    return [_moves(sgf.Sgf_game.from_coarse_game_tree(tree)) for tree in grammar.parse_sgf_collection(data)]


def _moves(game: object) -> Moves:
    board, plays = sgf_moves.get_setup_and_moves(game)
    size = board.side
    return [
        (BLACK if colour == "b" else WHITE, pass_point(size) if at is None else (size - 1 - at[0]) * size + at[1])
        for colour, at in plays
    ]


def by_us(data: bytes) -> list[Moves | str]:
    """The same by our reader; of an unreadable game the reason."""
    return [
        game.reason
        if isinstance(game, Unreadable)
        else list(zip(game.colours.tolist(), game.moves.tolist(), strict=True))
        for game in read_games(data, source="x.sgf")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "(;SZ[9];B[aa];W[];B[tt])",
        "(;SZ[21];B[tt];W[uu])",
        "(;SZ[9]AB[cc][gg]HA[2];W[ee](;B[ec]C[(\\]];W[aa])(;B[dd]))",
        "(;SZ[9]AB[aa:cc]AE[bb]AW[dd:ee];B[ff]BL[3.5]OB[2];W[gg])(;SZ[13];Black[mm])",
        "junk (\n;\nSZ[9]\n;B[aa]N[x\\\\]\n;W[bb]\n) junk",
    ],
)
def test_both_read_the_same_moves(text: str) -> None:
    assert by_us(text.encode()) == by_sgfmill(text.encode())


B, W = BLACK, WHITE
SILENT: list[tuple[str, bytes, list[Moves | str], list[Moves]]] = [
    (
        "several moves in a node",
        b"(;SZ[9];B[aa]W[ba];B[ca])",
        [[(B, 0), (W, 1), (B, 2)]],
        [[(B, 0), (B, 2)]],
    ),
    (
        "several values of a move",
        b"(;SZ[9];B[aa][ba];W[ca])",
        [[(B, 0), (B, 1), (W, 2)]],
        [[(B, 0), (W, 2)]],
    ),
    (
        "a Big5 character with a backslash in it",
        "(;SZ[9]CA[Big5];B[aa]C[許];W[ba];B[ca])".encode("big5"),
        [[(B, 0), (W, 1), (B, 2)]],
        [[(B, 0), (B, 2)]],
    ),
    (
        "one closing bracket too many",
        b"(;SZ[9];B[aa]);W[ba];B[ca])",
        ["moves outside a game"],
        [[(B, 0)]],
    ),
    (
        "a property in small letters",
        b"(;SZ[9];B[aa];w[ba];B[ca])",
        [[(B, 0), (W, 1), (B, 2)]],
        [[(B, 0), (B, 2)]],
    ),
    (
        "closing brackets at the end of the file only",
        b"(;GM[1]SZ[9];B[aa](;GM[1]SZ[9];W[ba]))",
        ["no closing bracket", [(W, 1)]],
        [[(B, 0), (W, 1)]],  # one game made of two
    ),
]


@pytest.mark.parametrize(("data", "ours", "theirs"), [case[1:] for case in SILENT], ids=[case[0] for case in SILENT])
def test_where_sgfmill_is_silent_we_are_not(data: bytes, ours: list[Moves | str], theirs: list[Moves]) -> None:
    assert by_us(data) == ours
    assert by_sgfmill(data) == theirs


def test_sgfmill_reads_the_first_game_of_a_file_by_its_usual_door_and_we_read_all() -> None:
    data = b"(;SZ[9];B[aa])(;SZ[9];W[ba])"
    assert _moves(sgf.Sgf_game.from_bytes(data)) == [(B, 0)]
    assert by_us(data) == [[(B, 0)], [(W, 1)]]


@pytest.mark.parametrize(
    "data",
    [
        b"(;SZ[9];AB[cc];W[aa])",  # setup in the second node
        b"(;SZ[9]AB[cc]W[aa])",  # setup and a move in one node
        b"(;SZ[9];B[ aa ])",
        b"(;SZ[9:9];B[aa])",
        b"(;SZ[9]CA[klingon];B[aa])",
        b"(;SZ[9];B[aa](;W[ba])(;W[ca]",
    ],
)
def test_what_sgfmill_refuses_and_we_read(data: bytes) -> None:
    with pytest.raises((ValueError, LookupError)):
        by_sgfmill(data)
    (game,) = read_games(data, source="x.sgf")
    assert isinstance(game, GameRecord)
