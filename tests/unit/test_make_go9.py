"""The script that makes the games of data=go9, with a program of random moves in the place of GNU Go."""

from __future__ import annotations

import importlib
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dlcourse.go.board import Board
from dlcourse.go.points import BLACK
from dlcourse.go.scoring import area_score

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
script = importlib.import_module("make_go9")
Make = Callable[..., dict[str, np.ndarray]]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Runs the script in pieces of three games."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(script, "PIECE", 3)
    program = shlex.join([sys.executable, str(ROOT / "tests" / "fake_gtp.py")])

    def run(*words: str, pieces: str = "pieces") -> dict[str, np.ndarray]:
        out = tmp_path / "go9.npz"
        assert script.main([f"program={program}", f"pieces={tmp_path / pieces}", f"out={out}", *words]) == 0
        with np.load(out, allow_pickle=False) as arrays:
            return dict(arrays)

    return run


def test_the_file_holds_games_that_follow_the_rules_to_their_result(make: Make) -> None:
    found = make("games=5", "random_moves=4")
    moves, starts = found["moves"], found["starts"]
    assert {name: array.dtype.name for name, array in found.items()} == {
        "moves": "uint8", "starts": "int32", "results": "int8", "random": "int8",
    }  # fmt: skip
    assert len(starts) == 6 and starts[0] == 0 and starts[-1] == len(moves) and (np.diff(starts) > 4).all()
    assert found["random"].min() >= 0 and found["random"].max() <= 4
    for game, result in enumerate(found["results"]):
        board = Board(9)
        for point in moves[starts[game] : starts[game + 1]].tolist():
            board.play(point)
        assert board.over and board.moves[0][0] == BLACK
        assert np.sign(area_score(board.stones, 9, komi=7.5)) == result


def test_more_games_begin_with_the_same_and_pieces_are_not_played_again(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = make("games=3")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "pieces").iterdir()}
    capsys.readouterr()
    more = make("games=7", "jobs=2")
    assert "2/2 pieces" in capsys.readouterr().out
    assert all(path.stat().st_mtime_ns == changed for path, changed in before.items())
    assert np.array_equal(more["moves"][: len(few["moves"])], few["moves"]) and len(more["results"]) == 7
    again = make("games=7", pieces="elsewhere")
    assert all(np.array_equal(again[name], more[name]) for name in more)
    other = make("games=3", "seed=2")
    assert not np.array_equal(other["moves"], few["moves"])


def test_numbers_out_of_range_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["games=0", "random_moves=99"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "dlcourse: games must be 1 or more, not 0",
        "dlcourse: random_moves must be 60 or less, not 99",
    ]
