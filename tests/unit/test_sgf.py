"""SGF as it is found in the world: what is read, and what is refused for which reason."""

from __future__ import annotations

import pytest

from dlcourse.go.points import BLACK, WHITE, to_vertex
from dlcourse.go.record import GameRecord
from dlcourse.go.sgf import Unreadable, read_games


def read(text: str | bytes) -> list[GameRecord | Unreadable]:
    return list(read_games(text.encode() if isinstance(text, str) else text, source="x.sgf"))


def one(text: str | bytes) -> GameRecord:
    (game,) = read(text)
    assert isinstance(game, GameRecord), game
    return game


def line(game: GameRecord | Unreadable) -> str:
    """The moves as a reader of Go books would write them: "B A9, W pass"; of an unreadable game the reason."""
    if isinstance(game, Unreadable):
        return game.reason
    colours = ["?BW"[colour] for colour in game.colours]
    return ", ".join(f"{c} {to_vertex(int(p), size=game.size)}" for c, p in zip(colours, game.moves, strict=True))


def test_a_game_by_hand() -> None:
    game = one(
        "(;GM[1]FF[4]SZ[9]KM[6.5]HA[2]PB[Ann]BR[3k]PW[Bo \\[2d\\]]WR[2d]RU[Japanese]RE[W+R]AB[cc][gg]\n"
        ";W[ee]WL[1799.5];B[ec]BL[1790]OB[3]\n;W[])"
    )
    assert line(game) == "W E5, B E7, W pass"
    assert game.moves.tolist() == [40, 22, 81]
    assert game.colours.tolist() == [WHITE, BLACK, WHITE]
    assert [to_vertex(point, size=9) for point in game.black] == ["C7", "G3"]
    assert game.white.tolist() == []
    assert (game.size, game.komi, game.handicap, game.to_play) == (9, 6.5, 2, WHITE)
    assert (game.names, game.ranks) == (("Ann", "Bo [2d]"), ("3k", "2d"))
    assert (game.rules, game.result, game.source) == ("Japanese", "W+R", "x.sgf#1")


@pytest.mark.parametrize(
    ("text", "moves"),
    [
        # Passes.
        ("(;SZ[9];B[aa];W[];B[tt])", "B A9, W pass, B pass"),
        ("(;SZ[19];B[tt])", "B pass"),
        ("(;SZ[21];B[tt];W[])", "B U2, W pass"),
        # Several moves in a node, several values of a move.
        ("(;SZ[9];B[aa]W[ba];B[ca]B[da])", "B A9, W B9, B C9, B D9"),
        ("(;SZ[9];B[aa][ba];W[ca])", "B A9, B B9, W C9"),
        ("(;SZ[9];B[aa]BL[9][8]W[ba])", "B A9, W B9"),
        ("(;SZ[9]B[aa];W[ba])", "B A9, W B9"),
        # Variations: the first branch everywhere.
        ("(;SZ[9];B[aa](;W[ba](;B[ca])(;B[da];W[ea]))(;W[fa]))", "B A9, W B9, B C9"),
        ("(;SZ[9];B[aa](;W[ba]C[a \\) here)])\n(;W[ca]))", "B A9, W B9"),
        # Text that looks like structure.
        ("(;SZ[9];B[aa]C[(;W[ba\\];B[ca\\])];W[da]N[\\\\];B[ea])", "B A9, W D9, B E9"),
        ("(;SZ[9]C[a\\\\]B[aa];W[ba])", "B A9, W B9"),
        ("(;SZ[9];B[aa]BL[1;W[ba];W[ca])", "B A9, W C9"),
        # White space, lower-case names of old files, unknown properties.
        (" ( ; SZ [9]\r\n; B [aa]\n\t; W [ ba ]\n)", "B A9, W B9"),
        ("(;SiZe[9];Black[aa];White[ba];b[ca])", "B A9, W B9, B C9"),
        ("(;SZ[9]XYZZY[1][2];B[aa]KO[]MN[3];W[ba]TR[aa][ba])", "B A9, W B9"),
        # Sizes.
        ("(;GM[1];B[ss])", "B T1"),
        ("(;SZ[13:13];B[mm])", "B N1"),
        ("(;SZ[2];B[bb])", "B B1"),
        ("(;SZ[25];B[yy])", "B Z1"),
        ("(;SZ[9])", ""),
        # Text around the game.
        ("Hello (;-)\n\n(;SZ[9];B[aa])\n\x1a\0", "B A9"),
        ("\ufeff(;SZ[9];B[aa])", "B A9"),
        # Only what follows the main line is lost.
        ("(;SZ[9];B[aa](;W[ba])(;W[ca]", "B A9, W B9"),
        ("(;SZ[9];B[aa](;W[ba])(;W[ca]C[to be con", "B A9, W B9"),
    ],
)
def test_the_main_line_is_read(text: str, moves: str) -> None:
    assert [line(game) for game in read(text)] == [moves]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no game tree"),
        ("Dear Sir,", "no game tree"),
        ("(;SZ[9];B[aa];W[ba]", "no closing bracket"),
        ("(;SZ[9];B[aa];W[b", "no closing bracket"),
        ("(;SZ[9];B[aa];W", "no closing bracket"),
        ("(;SZ[9];B[aa]C[so\\]", "no closing bracket"),
        ("(;", "no closing bracket"),
        ("(;SZ[9];B[aa]?;W[ba])", "text that is not SGF"),
        ("(;SZ[9];B[aa];[ba];W[ca])", "text that is not SGF"),
        ("(;SZ[9];B[aa];W[ba)];W[ca])", "a move that names no point"),
        ("(;SZ[9];B[aa];W;B[ca])", "text that is not SGF"),
        ("(;SZ[9];B[aa]);W[ba])", "moves outside a game"),
        ("(;SZ[9];B[aa](;W[ba])(;W[ca]);B[da])", "a node after a variation"),
        ("(;SZ[9];B[aa]()C[];B[da])", "a node after a variation"),
        ("(;GM[2];B[aa])", "another game than Go"),
        ("(;GM[chess])", "another game than Go"),
        ("(;SZ[1])", "size out of range"),
        ("(;SZ[26])", "size out of range"),
        ("(;SZ[9:13])", "size out of range"),
        ("(;SZ[nine])", "size out of range"),
        ("(;SZ[99999999999])", "size out of range"),
        ("(;SZ[9];B[AA])", "a move that names no point"),
        ("(;SZ[9];B[abc])", "a move that names no point"),
        ("(;SZ[9];B[aa:bb])", "a move that names no point"),
        ("(;SZ[9];B[ja])", "a move off the board"),
        ("(;SZ[9];B[aj])", "a move off the board"),
        ("(;SZ[20];B[zz])", "a move off the board"),
        ("(;SZ[9]AB[jj];W[aa])", "a setup stone off the board"),
        ("(;SZ[9]AB[aa:jj];W[aa])", "a setup stone off the board"),
        ("(;SZ[9]AB[a];W[aa])", "a setup stone off the board"),
        ("(;SZ[9]AW[aa:bb:cc])", "a setup stone off the board"),
        ("(;SZ[9];B[aa];AW[bb];W[cc])", "stones set during the game"),
        ("(;SZ[9];B[aa]AE[aa])", "stones set during the game"),
        ("(;SZ[9]HA[3];W[aa])", "handicap stones missing"),
    ],
)
def test_an_unreadable_game_is_named_with_its_reason(text: str, reason: str) -> None:
    (game,) = read(text)
    assert isinstance(game, Unreadable)
    assert (game.source, game.reason) == ("x.sgf#1", reason)


def test_the_detail_shows_the_place() -> None:
    (game,) = read("(;SZ[9];B[aa]\n;W[ja];B[zz])")
    assert game == Unreadable("x.sgf#1", "a move off the board", "W[ja]")


def test_setup_stones_come_from_lists_rectangles_and_removals_before_the_first_move() -> None:
    game = one("(;SZ[5]AB[aa:cb][ee]AE[bb];AW[da]PL[w]AE[ee];W[de])")
    assert (game.black.tolist(), game.white.tolist()) == ([0, 1, 2, 5, 7], [3])
    assert one("(;SZ[5]AB[]AE[])").black.tolist() == []
    assert one("(;SZ[5]AB[cb:aa])").black.tolist() == [0, 1, 2, 5, 6, 7]


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("(;SZ[9])", BLACK),
        ("(;SZ[9];W[aa])", WHITE),
        ("(;SZ[9]AB[cc])", WHITE),
        ("(;SZ[9]AB[cc]AW[dd])", BLACK),
        ("(;SZ[9]AB[cc]PL[B])", BLACK),
        ("(;SZ[9];B[aa];PL[B])", BLACK),
        ("(;SZ[9]PL[white])", WHITE),
    ],
)
def test_whose_turn_it_is_at_first(text: str, colour: int) -> None:
    assert one(text).to_play == colour


@pytest.mark.parametrize(
    ("value", "komi"),
    [
        ("6.5", 6.5),
        ("6,5", 6.5),
        ("-3", -3.0),
        ("7.5 points", 7.5),
        (".5", 0.5),
        ("", None),
        ("?", None),
        ("nan", None),
    ],
)
def test_komi_is_the_number_that_is_written(value: str, komi: float | None) -> None:
    assert one(f"(;SZ[9]KM[{value}])").komi == komi


def test_handicap_stones_may_be_placed_by_moves() -> None:
    game = one("(;SZ[9]HA[2];B[cc];B[gg];W[ee])")
    assert (game.handicap, line(game)) == (2, "B C7, B G3, W E5")


def test_text_values_lose_escapes_and_line_breaks() -> None:
    assert one("(;SZ[9]PB[a\\]b\\\\c\\\nd\ne\\:f]PW[ \\x ])").names == ("a]b\\cd e:f", "x")


def test_every_game_of_a_collection_counts() -> None:
    games = read(
        "(;GM[1]SZ[9];B[aa])\n(;GM[1]SZ[9];B[ba]x)(;GM[3])((;SZ[9];B[ca])(;SZ[9];B[da]))\n"
        "(;GM[1]SZ[9];B[ea]\n(;GM[1]SZ[9];B[fa](;W[aa])\n(;FF[4]SZ[9];B[ga])"
    )
    assert [line(game) for game in games] == [
        "B A9",
        "text that is not SGF",
        "another game than Go",
        "B C9",
        "B D9",
        "no closing bracket",
        "B F9, W A9",
        "B G9",
    ]
    assert [game.source for game in games] == [f"x.sgf#{number}" for number in range(1, 9)]


def test_an_unclosed_value_costs_no_other_game() -> None:
    games = read("(;GM[1]SZ[9];B[aa](;GM[1]SZ[9];B[ba])(;GM[1]SZ[9];B[ca]C[")
    assert [line(game) for game in games] == ["no closing bracket", "B B9", "no closing bracket"]


def test_two_games_without_brackets_between_them_are_not_one() -> None:
    assert [line(game) for game in read("(;GM[1]SZ[9];B[aa];GM[1]SZ[9];B[ba])")] == ["no closing bracket"]


def test_moves_before_the_first_game_are_reported() -> None:
    games = read(";B[aa];W[bb])(;GM[1]SZ[9];B[ca])")
    assert [line(game) for game in games] == ["moves outside a game", "B C9"]


def test_hostile_nesting_and_repetition_end_soon() -> None:
    for text in (
        b"(;" * 100_000,
        b"(;B[" * 100_000,
        b"a" * 1_000_000,
        b"(;" + b"a[" * 500_000,
        b"(;C" + b"[\\]" * 300_000,
    ):
        assert all(isinstance(game, Unreadable) for game in read(text))
    assert line(read(b"(;SZ[9]" + b"(" * 100_000 + b")" * 100_001)[0]) == ""
