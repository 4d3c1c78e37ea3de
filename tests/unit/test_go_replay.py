"""Records into positions: what each position holds, and which games are refused."""

import numpy as np
import pytest

from dlcourse.go import replay as module
from dlcourse.go.points import BLACK, WHITE
from dlcourse.go.record import GameRecord
from dlcourse.go.replay import replay
from dlcourse.go.rules import KO, OCCUPIED, STIFLED, SUICIDE


def record(
    moves: list[int],
    *,
    size: int = 3,
    first: int = BLACK,
    rules: str = "",
    black: tuple[int, ...] = (),
    white: tuple[int, ...] = (),
) -> GameRecord:
    """A game in which the players take turns."""
    colours = np.array([first if turn % 2 == 0 else BLACK + WHITE - first for turn in range(len(moves))], dtype=np.int8)
    return GameRecord(
        size=size,
        moves=np.array(moves, dtype=np.int16),
        colours=colours,
        black=np.array(black, dtype=np.int16),
        white=np.array(white, dtype=np.int16),
        to_play=first,
        rules=rules,
    )


def opened(packed: np.ndarray, size: int = 3) -> list[list[list[int]]]:
    """For every position the points of whoever is to play, and the opponent's."""
    bits = np.unpackbits(packed, axis=-1, count=size * size)
    return [[np.flatnonzero(side).tolist() for side in position] for position in bits]


def test_every_move_stands_with_the_position_before_it_seen_by_its_player():
    games = replay([record([4, 0, 9, 1]), record([8], first=WHITE, black=(0, 2))], size=3)
    assert opened(games.packed) == [[[], []], [[], [4]], [[4], [0]], [[0], [4]], [[], [0, 2]]]
    assert games.moves.tolist() == [4, 0, 9, 1, 8]
    assert games.colours.tolist() == [BLACK, WHITE, BLACK, WHITE, WHITE]
    assert games.numbers.tolist() == [0, 1, 2, 3, 0]
    assert games.games.tolist() == [0, 0, 0, 0, 1]
    assert games.ko.tolist() == [-1] * 5
    kinds = (games.packed, games.moves, games.colours, games.numbers, games.ko, games.games)
    assert [kind.dtype.name for kind in kinds] == ["uint8", "int16", "int8", "int16", "int16", "int32"]
    assert games.errors == {}


def test_captured_stones_are_gone_from_the_next_position():
    games = replay([record([1, 0, 3, 8])], size=3)
    assert opened(games.packed)[-1] == [[], [1, 3]]


def ko_game(*after: int) -> GameRecord:
    """Black takes the stone at 5 by playing 6 on 4 lines; `after` are the moves that follow."""
    return record([6, *after], size=4, black=(1, 4, 9), white=(2, 5, 7, 10))


def test_the_point_of_a_ko_is_named_to_its_victim_for_one_move():
    games = replay([ko_game(15, 14, 5)], size=4)
    assert games.errors == {}
    assert games.ko.tolist() == [-1, 5, -1, -1]


def test_a_ko_binds_neither_its_taker_nor_anyone_after_a_pass():
    twice = ko_game(5)
    twice.colours[1] = BLACK
    games = replay([twice, ko_game(16, 16, 5)], size=4)
    assert games.errors == {}
    assert games.ko.tolist() == [-1, -1, -1, 5, -1, -1]


def test_games_that_break_a_rule_are_named_with_the_move_and_leave_no_position():
    bad = [
        record([4, 4]),
        record([0], white=(1, 3)),
        ko_game(5, 15),
        record([8], black=(0,), white=(1, 3)),
        record([8], black=(0,), white=(0,)),
    ]
    sound = [record([4, 0]), record([5])]
    threes = [sound[0], bad[0], bad[1], sound[1], bad[3], bad[4]]
    games = replay(threes, size=3)
    assert games.errors == {1: (OCCUPIED, 1), 2: (SUICIDE, 0), 4: (STIFLED, 0), 5: (OCCUPIED, 0)}
    assert games.games.tolist() == [0, 0, 3]
    assert games.moves.tolist() == [4, 0, 5]
    assert opened(games.packed) == [[[], []], [[], [4]], [[], []]]
    assert replay([bad[2]], size=4).errors == {0: (KO, 1)}


@pytest.mark.parametrize(("rules", "suicide", "fine"), [("NZ", None, True), ("Chinese", None, False), ("", True, True)])
def test_suicide_is_as_the_record_or_the_caller_has_it(rules: str, suicide: bool | None, fine: bool):
    game = record([0, 16, 15], size=4, rules=rules, black=(1,), white=(2, 4, 5))
    games = replay([game], size=4, suicide=suicide)
    if fine:
        assert opened(games.packed, 4)[1:] == [[[2, 4, 5], []], [[], [2, 4, 5]]]
    else:
        assert games.errors == {0: (SUICIDE, 0)}


def test_how_many_games_move_together_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    generator = np.random.default_rng(0)
    records = [record(generator.permutation(81)[: generator.integers(30)].tolist(), size=9) for _ in range(20)]
    whole = replay(records, size=9)
    monkeypatch.setattr(module, "TOGETHER", 3)
    parts = replay(records, size=9)
    assert whole.errors == parts.errors
    for name in ("packed", "moves", "colours", "numbers", "ko", "games"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))


def test_no_games_and_games_without_moves_give_no_positions():
    for records in ([], [record([])]):
        games = replay(records, size=3)
        assert games.packed.shape == (0, 2, 2)
        assert games.errors == {}


def test_a_record_of_another_size_is_refused():
    with pytest.raises(ValueError, match="size 3"):
        replay([record([4])], size=9)
