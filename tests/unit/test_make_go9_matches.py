"""The script that gathers matches for data=go9."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest

from dlcourse.go.board import Board
from dlcourse.go.match import play_match
from dlcourse.go.player import RandomPlayer
from dlcourse.go.scoring import area_score
from dlcourse.go.sgf_writer import write_game

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
script = importlib.import_module("make_go9_matches")


def write_match(folder: Path, *, games: int, size: int = 9, seed: int = 0) -> None:
    folder.mkdir(parents=True)
    player = RandomPlayer(Random(seed).randrange)
    for number, game in enumerate(play_match(player, player, games=games, size=size)):
        (folder / f"game-{number:03}.sgf").write_text(write_game(game.record), encoding="utf-8")


def test_games_with_a_winner_are_gathered_once_from_all_folders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_match(tmp_path / "games" / "a", games=3)
    write_match(tmp_path / "games" / "b" / "c", games=3)  # the same
    write_match(tmp_path / "games" / "d", games=2, seed=1)
    write_match(tmp_path / "games" / "small", games=2, size=5)
    (tmp_path / "games" / "unknown.sgf").write_text("(;SZ[9];B[ee];W[cc])")
    (tmp_path / "games" / "handicap.sgf").write_text("(;SZ[9]AB[ee]RE[B+2];W[cc])")
    (tmp_path / "games" / "broken.sgf").write_text("(;SZ[9]RE[B+2];B[zz")
    out = tmp_path / "out.npz"
    assert script.main([f"games={tmp_path / 'games'}", f"out={out}"]) == 0
    assert "out.npz: 5 games" in capsys.readouterr().out
    with np.load(out, allow_pickle=False) as found:
        moves, starts, results, random = (found[name] for name in ("moves", "starts", "results", "random"))
    assert len(starts) == 6 and not random.any()
    for game, result in enumerate(results):
        board = Board(9)
        for point in moves[starts[game] : starts[game + 1]].tolist():
            board.play(point)
        assert np.sign(area_score(board.stones, 9, komi=7.5)) == result


def test_a_folder_without_games_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main([f"games={tmp_path}", f"out={tmp_path / 'out.npz'}"]) != 0
    assert "holds no game on 9x9 with a winner" in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()
