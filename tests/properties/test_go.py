"""Random games of Go: the board, the replayer and sgfmill, which share no code, agree on every position."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.go.board import Board
from dlcourse.go.points import BLACK, EMPTY, WHITE, opponent, pass_point
from dlcourse.go.record import GameRecord
from dlcourse.go.replay import replay
from dlcourse.go.rules import Rules

boards: Any = pytest.importorskip("sgfmill.boards")

SIZES = [2, 3, 4, 5, 6, 7, 9, 11, 13, 19, 25]
SEEDS = st.integers(0, 2**32 - 1)
RULES = st.builds(Rules, suicide=st.booleans(), superko=st.booleans())


def seen_by(other: Any) -> bytes:
    """The stones on sgfmill's board as ours are kept."""
    return bytes({None: EMPTY, "b": BLACK, "w": WHITE}[stone] for row in other.board for stone in row)


def allowed(other: Any, point: int, colour: int, *, rules: Rules, earlier: list[bytes]) -> bool:
    """What the rules say of a move, found by playing it on a copy; `earlier` are the positions so far."""
    row, column = divmod(point, other.side)
    if other.get(row, column) is not None:
        return False
    trial = other.copy()
    trial.play(row, column, "?bw"[colour])
    after = seen_by(trial)
    if not rules.suicide and after[point] == EMPTY:
        return False
    if rules.superko:
        return after not in earlier
    # Without superko a move may only not undo the one before it.
    return len(earlier) < 2 or earlier[-1] == earlier[-2] or after != earlier[-2]


@settings(max_examples=60, deadline=None)
@given(size=st.integers(2, 4), rules=RULES, seed=SEEDS)
def test_legal_moves_are_those_of_brute_force(size: int, rules: Rules, seed: int):
    generator = np.random.default_rng(seed)
    board, other = Board(size, rules=rules), boards.Board(size)
    earlier = [seen_by(other)]
    for _ in range(size * size * 2):
        turn = board.to_play
        mask = board.legal_mask()
        expected = [allowed(other, point, turn, rules=rules, earlier=earlier) for point in range(size * size)]
        assert mask.tolist() == [*expected, True]
        assert mask.tolist() == [board.legal(point) for point in range(size * size + 1)]
        point = int(generator.choice(np.flatnonzero(mask)))
        board.play(point)
        if point != pass_point(size):
            other.play(*divmod(point, size), "?bw"[turn])
        earlier.append(seen_by(other))
        assert board.stones.tobytes() == earlier[-1]


def random_game(size: int, generator: np.random.Generator, *, rules: Rules) -> tuple[GameRecord, list[Board]]:
    """A game of random legal moves, seldom out of turn or passed, and the board before each of them."""
    board = Board(size, rules=rules)
    black, white = np.split(generator.permutation(size * size)[: size // 2 * 2], 2) if size > 4 else ([], [])
    board.place([int(point) for point in black], [int(point) for point in white])
    before: list[Board] = []
    for _ in range(int(generator.integers(size * size * 2))):
        turn = board.to_play if generator.random() < 0.95 else opponent(board.to_play)
        mask = board.legal_mask(turn)
        mask[-1] = not mask[:-1].any() or generator.random() < 0.02
        before.append(board.copy())
        board.play(int(generator.choice(np.flatnonzero(mask))), turn)
    return (
        GameRecord(
            size=size,
            moves=np.array([point for _, point in board.moves], dtype=np.int16),
            colours=np.array([colour for colour, _ in board.moves], dtype=np.int8),
            black=np.sort(np.array(black, dtype=np.int16)),
            white=np.sort(np.array(white, dtype=np.int16)),
            to_play=BLACK,
        ),
        before,
    )


@pytest.mark.parametrize("suicide", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_board_replayer_and_sgfmill_see_the_same_games(size: int, suicide: bool):
    generator = np.random.default_rng(size)
    rules = Rules(suicide=suicide, superko=False)
    games = [random_game(size, generator, rules=rules) for _ in range(2 if size > 9 else 12)]
    replayed = replay([record for record, _ in games], size=size, suicide=suicide)
    assert replayed.errors == {}
    opened = np.unpackbits(replayed.packed, axis=-1, count=size * size)
    row = 0
    for record, positions in games:
        other = boards.Board(size)
        other.apply_setup(*([divmod(int(point), size) for point in side] for side in (record.black, record.white)), [])
        ko = None
        for move, colour, board in zip(record.moves.tolist(), record.colours.tolist(), positions, strict=True):
            stones = board.stones
            assert stones.tobytes() == seen_by(other)
            assert np.array_equal(opened[row, 0], stones == colour)
            assert np.array_equal(opened[row, 1], stones == opponent(colour))
            assert board.ko == (None if ko is None else ko[0] * size + ko[1])
            assert replayed.ko[row] == (-1 if board.ko is None or board.to_play != colour else board.ko)
            ko = None if move == pass_point(size) else other.play(*divmod(move, size), "?bw"[colour])
            row += 1
    assert row == len(replayed.moves)


@settings(max_examples=60, deadline=None)
@given(size=st.integers(2, 6), seed=SEEDS, length=st.integers(0, 60), suicide=st.booleans())
def test_replayer_and_board_refuse_the_same_games_at_the_same_move(size: int, seed: int, length: int, suicide: bool):
    generator = np.random.default_rng(seed)
    records: list[GameRecord] = []
    expected: dict[int, tuple[str, int]] = {}
    for game in range(20):
        # Steps through one shuffled board make most games long before their first error.
        points = np.concatenate([generator.permutation(size * size + 1) for _ in range(4)])[:length].astype(np.int16)
        colours = np.where(np.arange(len(points)) % 2 == 0, BLACK, WHITE).astype(np.int8)
        none = np.empty(0, dtype=np.int16)
        records.append(GameRecord(size=size, moves=points, colours=colours, black=none, white=none, to_play=BLACK))
        board = Board(size, rules=Rules(suicide=suicide, superko=False))
        for number, point in enumerate(points.tolist()):
            try:
                board.play(point)
            except ValueError as error:
                expected[game] = (str(getattr(error, "reason", error)), number)
                break
    assert replay(records, size=size, suicide=suicide).errors == expected


@settings(max_examples=30, deadline=None)
@given(size=st.integers(2, 7), rules=RULES, seed=SEEDS)
def test_undo_returns_to_every_earlier_board(size: int, rules: Rules, seed: int):
    generator = np.random.default_rng(seed)
    board = Board(size, rules=rules)
    states: list[tuple[list[int], list[bool], int | None, int]] = []
    for _ in range(size * size):
        states.append((board.stones.tolist(), board.legal_mask().tolist(), board.ko, board.to_play))
        board.play(int(generator.choice(np.flatnonzero(board.legal_mask()))))
    for state in reversed(states):
        board.undo()
        assert (board.stones.tolist(), board.legal_mask().tolist(), board.ko, board.to_play) == state
