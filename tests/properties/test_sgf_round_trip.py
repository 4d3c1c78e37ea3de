"""What is written is read back, well-formed games as sgfmill reads them, and no bytes crash the reader."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.go.points import BLACK, WHITE
from dlcourse.go.record import GameRecord
from dlcourse.go.sgf import Unreadable, read_games
from dlcourse.go.sgf_text import readings
from dlcourse.go.sgf_writer import write_game

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).map(str.strip)
STRUCTURE = [
    b"(",
    b")",
    b";",
    b"[",
    b"]",
    b"\\",
    b"(;GM[1]SZ[9]",
    b";B[aa]",
    b";W[bb]",
    b"W[]",
    b"C[",
    b"AB[cc]",
    b"SZ[19]",
]
CHARACTERS = [
    b"CA[Big5]",
    b"CA[GBK]",
    b"\xb3\\",
    b"\xaed",
    b"\xe6\x9c\xa8",
    b"\xe9",
    b"\x1b$B",
    b"\xff\xfe",
    b"x",
    b" ",
    b"\n",
]
PIECES = st.sampled_from([*STRUCTURE, *CHARACTERS])


@st.composite
def records(draw: st.DrawFn) -> GameRecord:
    size = draw(st.integers(2, 25))
    points = st.integers(0, size * size)
    moves = draw(st.lists(st.tuples(st.sampled_from([BLACK, WHITE]), points), max_size=40))
    setup = draw(st.dictionaries(st.integers(0, size * size - 1), st.sampled_from([BLACK, WHITE]), max_size=6))
    black, white = ([point for point in sorted(setup) if setup[point] == colour] for colour in (BLACK, WHITE))
    first_is_white = bool(moves) and moves[0][0] == WHITE
    return GameRecord(
        size=size,
        moves=np.array([point for _, point in moves], np.int16),
        colours=np.array([colour for colour, _ in moves], np.int8),
        black=np.array(black, np.int16),
        white=np.array(white, np.int16),
        to_play=draw(st.sampled_from([BLACK, WHITE])),
        komi=draw(st.none() | st.floats(-99, 99)),
        handicap=0 if first_is_white and not black else draw(st.integers(0, 9)),
        result=draw(st.sampled_from(["", "B+3.5", "W+R", "0", "Void"])),
        ranks=draw(st.tuples(TEXT, TEXT)),
        names=draw(st.tuples(TEXT, TEXT)),
        rules=draw(TEXT),
    )


@given(records())
def test_what_is_written_is_read_back(record: GameRecord) -> None:
    assert list(read_games(write_game(record).encode(), source="x.sgf")) == [record]


@given(st.lists(records(), max_size=4))
def test_files_joined_are_a_collection(games: list[GameRecord]) -> None:
    data = "".join(map(write_game, games)).encode()
    assert [game for game in read_games(data, source="x.sgf") if isinstance(game, GameRecord)] == games


@given(st.lists(records(), min_size=1, max_size=3), st.data())
def test_no_game_vanishes_from_a_file_that_is_cut(games: list[GameRecord], data: st.DataObject) -> None:
    written = [write_game(game).encode() for game in games]
    whole = b"".join(written)
    cut = data.draw(st.integers(0, len(whole)))
    found = list(read_games(whole[:cut], source="x.sgf"))
    begun = sum(sum(map(len, written[:index])) + len("(;") <= cut for index in range(len(games)))
    assert len(found) == max(begun, 1)
    complete = [game for game in found if isinstance(game, GameRecord)]
    assert complete == games[: len(complete)]
    assert len(found) - len(complete) <= 1


@given(st.binary(max_size=200) | st.lists(PIECES, max_size=40).map(b"".join))
def test_arbitrary_bytes_give_games_or_reasons(data: bytes) -> None:
    found = list(read_games(data, source="x.sgf"))
    assert found
    assert [game.source for game in found] == [f"x.sgf#{number}" for number in range(1, len(found) + 1)]
    assert all(isinstance(game, GameRecord) or (isinstance(game, Unreadable) and game.reason) for game in found)
    assert readings(data)


COMMENTS = st.sampled_from(
    ["", "C[(;\\]]", "C[B[aa\\]]", "LB[aa:x][bb:y]", "BL[3.5]", "OW[2]WL[9]", "N[\\\\]", " ", "\n", "C[]"]
)
MOVES = st.sampled_from(["B[aa]", "W[bb]", "B[]", "W[tt]", "Black[cc]", "B[ii]", ""])
NODES = st.lists(st.tuples(COMMENTS, MOVES, COMMENTS).map(lambda parts: ";" + "".join(parts)), min_size=1, max_size=5)
SEQUENCES = NODES.map("".join)
TREES = st.recursive(
    SEQUENCES,
    lambda children: st.tuples(SEQUENCES, st.lists(children, min_size=1, max_size=3)).map(
        lambda tree: tree[0] + "".join(f"({child})" for child in tree[1])
    ),
    max_leaves=6,
)


@given(st.lists(TREES, min_size=1, max_size=3))
def test_well_formed_games_are_read_as_sgfmill_reads_them(trees: list[str]) -> None:
    sgf = pytest.importorskip("sgfmill.sgf")
    grammar = pytest.importorskip("sgfmill.sgf_grammar")
    data = "\n".join(f"(;GM[1]SZ[9]{tree})" for tree in trees).encode()
    theirs: list[list[tuple[int, int]]] = []
    for tree in grammar.parse_sgf_collection(data):
        moves = [node.get_move() for node in sgf.Sgf_game.from_coarse_game_tree(tree).get_main_sequence()]
        theirs.append(
            [
                (BLACK if colour == "b" else WHITE, 81 if at is None else (8 - at[0]) * 9 + at[1])
                for colour, at in moves
                if colour
            ]
        )
    ours = [game for game in read_games(data, source="x.sgf") if isinstance(game, GameRecord)]
    assert [list(zip(game.colours.tolist(), game.moves.tolist(), strict=True)) for game in ours] == theirs
