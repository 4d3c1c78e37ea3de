"""Area scores against a search point by point, another library and GNU Go."""

import shutil
import subprocess

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcourse.go.board import Board
from dlcourse.go.points import BLACK, EMPTY, WHITE, from_vertex, to_vertex
from dlcourse.go.scoring import area_score, owners

# Debian installs games where not every search path looks.
GNU_GO = shutil.which("gnugo") or shutil.which("gnugo", path="/usr/games")


def reaches(stones: NDArray[np.int8], size: int, start: int, colour: int) -> bool:
    """Whether a path from a point of another colour than `colour`'s opponent, over empty points, meets `colour`."""
    seen, waiting = {start}, [start]
    while waiting:
        point = waiting.pop()
        if stones[point] == colour:
            return True
        if stones[point] != EMPTY:
            continue
        row, column = divmod(point, size)
        for r, c in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if 0 <= r < size and 0 <= c < size and r * size + c not in seen:
                seen.add(r * size + c)
                waiting.append(r * size + c)
    return False


def test_stones_and_what_only_they_reach_count_and_komi_goes_to_white():
    stones = np.array([0, 1, 0, 2, 0, 0, 1, 0, 2, 0, 0, 1, 0, 2, 0, 0, 1, 0, 2, 0, 1, 1, 0, 2, 2], dtype=np.int8)
    assert owners(stones, 5).reshape(5, 5).tolist()[0] == [BLACK, BLACK, EMPTY, WHITE, WHITE]
    assert area_score(stones, 5, komi=0) == 0
    assert area_score(stones, 5, komi=6.5) == -6.5
    stones[2::5] = [BLACK, BLACK, BLACK, BLACK, EMPTY]
    assert area_score(stones, 5, komi=0.5) == 3.5


def test_an_empty_board_is_nobodys_and_one_stone_owns_it_all():
    stones = np.zeros(81, dtype=np.int8)
    assert area_score(stones, 9, komi=0) == 0
    stones[40] = WHITE
    assert area_score(stones, 9, komi=7.5) == -88.5


@pytest.mark.parametrize("size", [2, 3, 5, 9, 19, 25])
def test_owners_are_those_of_a_search_from_every_point(size: int):
    generator = np.random.default_rng(size)
    for weights in ((0.6, 0.2, 0.2), (0.9, 0.05, 0.05), (0.5, 0.5, 0.0)):
        stones = generator.choice(3, p=weights, size=size * size).astype(np.int8)
        found = owners(stones, size)
        for point in generator.integers(size * size, size=40):
            black, white = (reaches(stones, size, int(point), colour) for colour in (BLACK, WHITE))
            assert found[point] == (EMPTY if black == white else BLACK if black else WHITE)


@pytest.mark.parametrize("size", [2, 5, 9, 13, 19])
def test_sgfmill_counts_the_same(size: int):
    boards = pytest.importorskip("sgfmill.boards")
    generator = np.random.default_rng(size)
    for weights in ((0.5, 0.25, 0.25), (0.9, 0.05, 0.05)):
        stones = generator.choice(3, p=weights, size=size * size).astype(np.int8)
        other = boards.Board(size)
        for point in np.flatnonzero(stones).tolist():
            other.board[point // size][point % size] = "?bw"[stones[point]]
        assert area_score(stones, size, komi=0) == other.area_score()


@pytest.mark.skipif(GNU_GO is None, reason="needs GNU Go")
def test_gnu_go_allows_the_moves_that_we_allow_and_counts_finished_games_alike():
    assert GNU_GO is not None
    command = [GNU_GO, "--mode", "gtp", "--level", "1", "--seed", "1"]
    options = ["--chinese-rules", "--capture-all-dead", "--never-resign"]
    with subprocess.Popen([*command, *options], stdin=-1, stdout=-1, text=True) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        sent, received = program.stdin, program.stdout

        def ask(line: str) -> str:
            sent.write(line + "\n")
            sent.flush()
            answer = "".join(iter(received.readline, "\n"))
            assert answer.startswith("="), answer
            return answer[1:].strip()

        for size in (4, 5, 7):
            board = Board(size)
            for line in (f"boardsize {size}", "clear_board", "komi 0.5"):
                ask(line)
            opening = np.random.default_rng(size).integers(size * size)
            board.play(int(opening))
            ask(f"play black {to_vertex(int(opening), size=size)}")
            while not board.over and len(board.moves) < 150:
                theirs = set(ask("all_legal " + "?bw"[board.to_play]).split())
                ours = {to_vertex(int(point), size=size) for point in np.flatnonzero(board.legal_mask()[:-1])}
                assert ours <= theirs
                board.play(from_vertex(ask("genmove " + "?bw"[board.to_play]), size=size))
            assert board.over
            score = area_score(board.stones, size, komi=0.5)
            assert ask("final_score") == ("B+" if score > 0 else "W+") + str(abs(score))
        ask("quit")
