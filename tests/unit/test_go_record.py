"""What a game record takes and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlcourse.go.points import BLACK, WHITE
from dlcourse.go.record import GameRecord


def record(**changes: object) -> GameRecord:
    plain = GameRecord(
        size=9,
        moves=np.array([40, 81], np.int16),
        colours=np.array([BLACK, WHITE], np.int8),
        black=np.array([0], np.int16),
        white=np.array([], np.int16),
        to_play=BLACK,
    )
    return replace(plain, **changes)  # pyright: ignore[reportArgumentType]


def test_records_of_one_game_are_equal_wherever_they_were_found() -> None:
    assert record(source="a.sgf#1") == record(source="b.sgf#7")
    assert record() != record(komi=6.5)
    assert record() != record(moves=np.array([40, 80], np.int16))
    assert record() != "a game"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"size": 26}, "size must be 2 to 25, not 26"),
        ({"size": 1}, "size must be 2 to 25, not 1"),
        ({"moves": np.array([40], np.int16)}, r"moves \(1,\) and colours \(2,\)"),
        ({"moves": np.array([40, 82], np.int16)}, "moves must be points 0 to 81, not 40 to 82"),
        ({"moves": np.array([-1, 40], np.int16)}, "moves must be points 0 to 81, not -1 to 40"),
        ({"black": np.array([81], np.int16)}, "black must be points 0 to 80"),
        ({"white": np.array([-2], np.int16)}, "white must be points 0 to 80"),
        ({"colours": np.array([1, 3], np.int8)}, "colours must be 1 or 2, not 1 to 3"),
        ({"to_play": 0}, "to_play must be 1 or 2, not 0"),
    ],
)
def test_what_no_board_could_replay_is_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        record(**changes)
