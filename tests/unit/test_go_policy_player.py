"""A policy network as a player: what it is shown, what it plays, when it passes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dlcourse.errors import RunError
from dlcourse.folders import RunFolder
from dlcourse.go.board import Board
from dlcourse.go.match import play_game
from dlcourse.go.player import RESIGN, Adviser, RandomPlayer
from dlcourse.go.points import BLACK, WHITE, from_vertex, opponent
from dlcourse.go.replay import replay
from dlcourse.models.go_policy import GoPolicy
from dlcourse.run.go_player import Policy, PolicyPlayer, Wishes, positions_of
from dlcourse.training.runtime import Runtime


class Fixed(nn.Module):
    """The same logits [S * S + 1] whatever it sees."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, planes: Tensor) -> Tensor:
        return self.logits.expand(len(planes), -1)


def policy(model: nn.Module, *, size: int) -> Policy:
    parts = cast(Any, SimpleNamespace(runtime=Runtime(device="cpu", precision="fp32")))
    return Policy(RunFolder(Path("runs/go/1")), parts, model, "history", size)


def player(model: nn.Module, *, size: int = 3, **wishes: Any) -> PolicyPlayer:
    return PolicyPlayer(policy(model, size=size), Wishes(**wishes))


def even(size: int = 3, *, passing: float = -9.0) -> nn.Module:
    """Every point alike, and a pass."""
    return Fixed(torch.tensor([0.0] * size**2 + [passing]))


def board_of(*rows: str, to_play: int = BLACK) -> Board:
    board, signs = Board(len(rows)), "".join(rows)
    black, white = ([point for point, sign in enumerate(signs) if sign == colour] for colour in "XO")
    board.place(black, white, to_play=to_play)
    return board


@settings(max_examples=30)
@given(st.integers(0, 1 << 30), st.integers(2, 6))
def test_it_sees_of_a_board_what_training_shows_of_the_game(seed: int, size: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    chance = RandomPlayer(lambda below: int(torch.randint(below, (), generator=generator)))
    record = play_game(chance, chance, size=size).record
    found = replay([record], size=size)
    assert not found.errors and len(found.moves) == len(record.moves)
    board = Board(size)
    for row, (colour, point) in enumerate(zip(record.colours.tolist(), record.moves.tolist(), strict=True)):
        seen = positions_of(board, colour)
        bits = np.unpackbits(found.packed[row], axis=1, count=size * size)
        assert np.array_equal(bits, torch.cat([seen.own, seen.opponent]).numpy())
        assert int(seen.ko) == found.ko[row]
        before = record.moves[:row][::-1][:8].tolist()
        assert seen.recent[0].tolist() == before + [-1] * (8 - len(before))
        board.play(point, colour)


def test_its_opinion_is_the_mean_over_the_symmetries_of_what_is_legal() -> None:
    torch.manual_seed(0)
    model = GoPolicy(in_channels=7, board_size=5, width=4, depth=1)
    nn.init.normal_(model.head.bias)
    board = board_of("X..O.", ".....", ".....", "..X..", ".....")
    found = policy(model, size=5).probabilities(board, BLACK)
    assert found.shape == (26,) and found.sum() == pytest.approx(1)
    assert (found[~board.legal_mask(BLACK)] == 0).all()
    turned = Board(5)
    grid = np.rot90(board.stones.reshape(5, 5))
    turned.place(np.flatnonzero(grid == BLACK).tolist(), np.flatnonzero(grid == WHITE).tolist())
    other = policy(model, size=5).probabilities(turned, BLACK)
    assert np.allclose(np.rot90(found[:-1].reshape(5, 5)), other[:-1].reshape(5, 5), atol=1e-6)
    assert isinstance(player(model, size=5), Adviser)


@pytest.mark.parametrize("others", [-500.0, -2000.0])
def test_a_network_that_wants_what_is_forbidden_gets_the_rest(others: float) -> None:
    logits = torch.full((10,), others)
    logits[4] = 0.0
    found = policy(Fixed(logits), size=3).probabilities(board_of("...", ".X.", "..."), WHITE)
    assert found[4] == 0 and found[[0, 1, 9]] == pytest.approx(1 / 9)


def test_a_network_that_gives_no_numbers_is_told() -> None:
    with pytest.raises(RunError, match="gives no numbers but nan"):
        policy(Fixed(torch.full((10,), float("nan"))), size=3).probabilities(Board(3), BLACK)


def test_it_plays_the_best_move_and_a_seed_names_the_others() -> None:
    # The centre is the only point that is itself under all eight symmetries; the others come in fours.
    model = Fixed(torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, -9.0]))
    board = Board(3)
    assert player(model).choose(board, BLACK, komi=7.5) == 4

    def drawn(seed: int, temperature: float) -> list[int]:
        chooser = player(model, seed=seed, temperature=temperature)
        return [chooser.choose(board, BLACK, komi=7.5) for _ in range(120)]

    assert drawn(1, 1.0) == drawn(1, 1.0) != drawn(2, 1.0)
    assert set(drawn(1, 0.01)) == {4}
    # e / (e + 8) of the draws at temperature 1, a ninth far above it.
    assert drawn(1, 1.0).count(4) == pytest.approx(120 * 0.254, abs=16)
    assert drawn(1, 1000.0).count(4) == pytest.approx(120 / 9, abs=12)


def test_it_fills_no_eye_and_passes_when_nothing_is_left() -> None:
    eyes = board_of(".X.", "XXX", "XX.")
    assert player(even()).choose(eyes, BLACK, komi=20.5) == 9


def test_it_passes_after_a_pass_that_lets_it_win() -> None:
    board = board_of("X..", ".X.", "...", to_play=WHITE)
    assert player(even()).choose(board, BLACK, komi=0.5) != 9
    board.play(9)
    assert player(even()).choose(board, BLACK, komi=0.5) == 9
    assert player(even()).choose(board, BLACK, komi=9.5) != 9


def test_it_passes_where_a_pass_is_best_only_if_the_count_is_won() -> None:
    board = board_of("X..", ".X.", "...")
    assert player(even(passing=9.0)).choose(board, BLACK, komi=0.5) == 9
    assert player(even(passing=9.0)).choose(board, BLACK, komi=9.5) != 9
    # A white stone in Black's hands counts as White's until it is captured.
    alive = board_of("XX.O", "XX..", "XXXX", "X.X.")
    assert player(even(4, passing=9.0), size=4).choose(alive, BLACK, komi=13.5) != 16


def test_it_gives_up_only_if_it_may_late_and_far_behind() -> None:
    board = Board(3)
    for point in (0, 9, 1, 9, 2):
        board.play(point)
    assert player(even(), resign=True).choose(board, WHITE, komi=0.5) == RESIGN
    assert player(even(), resign=True).choose(board, WHITE, komi=0.5, cleanup=True) != RESIGN
    assert player(even()).choose(board, WHITE, komi=0.5) != RESIGN
    assert player(even(), resign=True).choose(board, BLACK, komi=0.5) != RESIGN


@settings(max_examples=12)
@given(st.integers(0, 1 << 30))
def test_any_network_plays_by_the_rules(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    model = Fixed(torch.randn(26, generator=generator) * 9)
    played = play_game(player(model, size=5, temperature=1.0, seed=seed), player(even(5), size=5), size=5)
    assert not played.fault


def test_superko_binds_it_too() -> None:
    board = board_of(".....", "..XO.", ".XO.O", "..XO.", ".....")
    board.play(from_vertex("D3", size=5), BLACK)
    board.play(25)
    board.play(25)
    assert opponent(board.to_play) == BLACK and board.ko is None
    logits = torch.zeros(26)
    logits[from_vertex("C3", size=5)] = 50.0
    assert policy(Fixed(logits), size=5).probabilities(board, WHITE)[from_vertex("C3", size=5)] == 0
    assert player(Fixed(logits), size=5).choose(board, WHITE, komi=7.5) != from_vertex("C3", size=5)


@pytest.mark.parametrize("temperature", [-0.1, float("inf"), float("nan")])
def test_a_temperature_out_of_range_is_told(temperature: float) -> None:
    with pytest.raises(ValueError, match="^temperature must be 0 or more"):
        player(even(), temperature=temperature)
