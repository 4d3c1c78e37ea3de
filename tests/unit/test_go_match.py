"""Players, the referee, and who is the better one."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from dlcourse.go.board import Board
from dlcourse.go.match import LONGEST, distinct, play_game, play_match
from dlcourse.go.player import RESIGN, RandomPlayer, hopeless, lead, may_stop, sensible_points
from dlcourse.go.points import BLACK, WHITE, from_vertex
from dlcourse.go.results import by_forfeit, by_resignation, by_score, winner_of
from dlcourse.statistics import wilson


class Scripted:
    """Plays what it is told to, then passes."""

    size = None

    def __init__(self, *vertices: str, name: str = "scripted") -> None:
        self.vertices = list(vertices)
        self.name = name
        self.cleanups: list[bool] = []

    def choose(self, board: Board, colour: int, *, komi: float, cleanup: bool = False) -> int:
        self.cleanups.append(cleanup)
        vertex = self.vertices.pop(0) if self.vertices else "pass"
        return RESIGN if vertex == "resign" else from_vertex(vertex, size=board.size)


def randomly(seed: int) -> RandomPlayer:
    return RandomPlayer(Random(seed).randrange)


def board_of(*rows: str, to_play: int = BLACK) -> Board:
    """A board from its rows, X black, O white."""
    board, signs = Board(len(rows)), "".join(rows)
    black, white = ([point for point, sign in enumerate(signs) if sign == colour] for colour in "XO")
    board.place(black, white, to_play=to_play)
    return board


def test_eyes_and_forbidden_points_are_not_sensible() -> None:
    board = board_of(".XX.", "XXXX", "XO.O", "XXOO")
    assert sensible_points(board, BLACK).tolist() == [from_vertex("C2", size=4)]
    # A stone of White's would have no liberty anywhere.
    assert sensible_points(board, WHITE).tolist() == []


def test_a_random_player_plays_every_sensible_move_alike() -> None:
    board = board_of("XX..", "XX.O", "X.OO", "...O")
    points = sensible_points(board, BLACK).tolist()
    chance = Random(0)
    player = RandomPlayer(chance.randrange)
    counts = np.bincount([player.choose(board, BLACK, komi=0.5) for _ in range(600)], minlength=17)
    assert np.flatnonzero(counts).tolist() == points
    assert counts[points].min() > 600 / len(points) / 2


def test_a_random_player_passes_when_nothing_is_left_or_a_pass_wins() -> None:
    settled = board_of(".X.", "XXX", "XX.")
    assert randomly(0).choose(settled, BLACK, komi=0.5) == 9
    board = board_of("X..", ".X.", "...", to_play=WHITE)
    assert randomly(0).choose(board, BLACK, komi=0.5) != 9
    board.play(9)
    assert may_stop(board, BLACK, komi=0.5) and randomly(0).choose(board, BLACK, komi=0.5) == 9
    assert not may_stop(board, BLACK, komi=9.5) and not may_stop(board, WHITE, komi=9.5)


def test_the_lead_is_each_sides_own() -> None:
    board = board_of("X..", "...", "...")
    assert lead(board, BLACK, komi=0.5) == 8.5 and lead(board, WHITE, komi=0.5) == -8.5


def test_a_game_is_hopeless_late_and_far_behind() -> None:
    board = Board(3)
    for point in (0, 9, 1, 9):
        board.play(point)
    assert not hopeless(board, WHITE, komi=0.5)
    board.play(2)
    assert hopeless(board, WHITE, komi=0.5) and not hopeless(board, BLACK, komi=0.5)
    assert not hopeless(board, WHITE, komi=8.5)


def test_two_passes_two_more_and_the_count() -> None:
    black, white = Scripted("B1", "B2", "B3"), Scripted("C1")
    played = play_game(black, white, size=3, komi=0.5)
    # Black owns two columns and White one stone; both reach the two empty points beside it.
    assert played.record.result == "B+4.5" and winner_of(played.record.result) == BLACK
    assert played.record.moves.tolist()[-4:] == [9, 9, 9, 9] and len(played.record.moves) == 9
    assert black.cleanups == [False] * 4 + [True] and white.cleanups == [False, False, False, True]


def test_dead_stones_are_captured_before_the_count() -> None:
    left = play_game(Scripted("B3", "B2", "B1"), Scripted("C2"), size=3, komi=0.5)
    assert left.record.result == "B+4.5"
    cleaned = play_game(Scripted("B3", "B2", "B1", "pass", "C1", "C3"), Scripted("C2"), size=3, komi=0.5)
    assert cleaned.record.result == "B+8.5"


def test_giving_up_and_breaking_a_rule_lose() -> None:
    assert play_game(Scripted("A1"), Scripted("resign"), size=5).record.result == "B+R"
    broken = play_game(Scripted("A1"), Scripted("A1", name="rogue"), size=5)
    assert broken.record.result == "B+F" and broken.fault == "rogue: A1 is illegal for white: occupied"
    assert len(broken.record.moves) == 1


def test_a_repeated_position_is_forbidden_to_both() -> None:
    taking, taken = ("B3", "C4", "C2", "A1", "D3"), ("C3", "D4", "D2", "E3")
    for retaking, reason in ((("C3",), "ko"), (("pass", "C3"), "superko")):
        played = play_game(Scripted(*taking), Scripted(*taken, *retaking, name="rogue"), size=5)
        assert played.record.result == "B+F" and played.fault == f"rogue: C3 is illegal for white: {reason}"


def test_a_game_without_end_is_counted_as_it_stands() -> None:
    class Endless(RandomPlayer):
        """Never passes while it can play."""

        def choose(self, board: Board, colour: int, *, komi: float, cleanup: bool = False) -> int:
            legal = np.flatnonzero(board.legal_mask(colour)[:-1])
            return int(legal[self._draw(len(legal))]) if len(legal) else 9

    chance = Random(3)
    played = play_game(Endless(chance.randrange), Endless(chance.randrange), size=3)
    assert len(played.record.moves) <= LONGEST * 9 and played.record.result[0] in "BW"


def test_colours_alternate_and_wins_are_the_first_players() -> None:
    quitter, patient = Scripted(*["resign"] * 4), Scripted()
    played = list(play_match(patient, quitter, games=4, size=5))
    assert [game.colour for game in played] == [BLACK, WHITE, BLACK, WHITE]
    assert [game.record.result for game in played] == ["B+R", "W+R", "B+R", "W+R"]
    assert [game.points for game in played] == [1, 1, 1, 1]
    assert [game.points for game in play_match(Scripted(*["resign"] * 2), patient, games=2, size=5)] == [0, 0]
    assert played[0].record.names == ("scripted", "scripted") and distinct(played) == 2


@given(st.integers(0, 10_000), st.integers(2, 7))
def test_random_games_break_no_rule_and_end(seed: int, size: int) -> None:
    played = play_game(randomly(seed), randomly(seed + 1), size=size)
    moves = played.record.moves.tolist()
    assert not played.fault and (moves[-2:] == [size * size] * 2 or len(moves) == LONGEST * size * size)


def test_results_are_written_as_in_sgf() -> None:
    assert [by_score(3.5), by_score(-12.0), by_score(0.0)] == ["B+3.5", "W+12", "0"]
    assert [by_resignation(WHITE), by_forfeit(BLACK)] == ["W+R", "B+F"]
    assert [winner_of(result) for result in ("B+R", "W+0.5", "0", "")] == [BLACK, WHITE, None, None]


@given(st.floats(-361, 361), st.sampled_from([BLACK, WHITE]))
def test_every_result_that_is_written_is_read_back(score: float, winner: int) -> None:
    assert winner_of(by_score(score)) == (None if not score else BLACK if score > 0 else WHITE)
    assert winner_of(by_resignation(winner)) == winner_of(by_forfeit(winner)) == winner


@pytest.mark.parametrize(
    ("result", "winner"),
    [("b+resign", BLACK), ("White wins by 3.5", WHITE), ("Black +R", BLACK), ("W won", WHITE), ("黑中盘胜", BLACK),
     ("黒三目半勝", BLACK), ("白胜3/4子", WHITE), ("W+", WHITE), ("黑中盘负", None), ("Draw", None), ("Jigo", None),
     ("Both lose", None), ("Void", None), ("?", None), ("W", None), ("+3.5", None), ("不明", None)],
)  # fmt: skip
def test_a_winner_is_found_as_people_and_programs_write_it(result: str, winner: int | None) -> None:
    assert winner_of(result) == winner


@given(st.integers(1, 500).flatmap(lambda games: st.tuples(st.integers(0, games), st.just(games))))
def test_the_interval_is_scipys(numbers: tuple[int, int]) -> None:
    won, games = numbers
    found = wilson(won, games)
    expected = binomtest(won, games).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.share == won / games


def test_a_draw_is_half_a_win_and_numbers_must_fit() -> None:
    assert wilson(0.5, 1).share == 0.5
    for points, games in ((2, 1), (-1, 1), (0, 0)):
        with pytest.raises(ValueError, match="points must be"):
            wilson(points, games)
