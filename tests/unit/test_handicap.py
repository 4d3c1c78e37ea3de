"""Handicap stones against GTP's table, and against GNU Go where it is installed."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from dlcourse.go.handicap import fixed_points, most_fixed
from dlcourse.go.points import to_vertex

GNUGO = shutil.which("gnugo") or shutil.which("/usr/games/gnugo")


@pytest.mark.parametrize(
    ("size", "stones", "vertices"),
    [
        (19, 2, "D4 Q16"),
        (19, 3, "D4 Q16 D16"),
        (19, 5, "D4 Q16 D16 Q4 K10"),
        (19, 6, "D4 Q16 D16 Q4 D10 Q10"),
        (19, 8, "D4 Q16 D16 Q4 D10 Q10 K4 K16"),
        (9, 9, "C3 G7 C7 G3 C5 G5 E3 E7 E5"),
        (13, 7, "D4 K10 D10 K4 D7 K7 G7"),
        (8, 4, "C3 F6 C6 F3"),
    ],
)
def test_they_stand_where_the_protocol_says(size: int, stones: int, vertices: str) -> None:
    assert [to_vertex(point, size=size) for point in fixed_points(stones, size=size)] == vertices.split()


@pytest.mark.parametrize(("size", "stones"), [(19, 1), (19, 10), (8, 5), (7, 5), (6, 2)])
def test_there_are_no_others(size: int, stones: int) -> None:
    with pytest.raises(ValueError, match=f"^stones must be 2 to {most_fixed(size)}"):
        fixed_points(stones, size=size)


@pytest.mark.skipif(GNUGO is None, reason="GNU Go is not installed")
def test_they_are_those_of_gnu_go() -> None:
    # On 12 lines GNU Go takes the fourth line; GTP's table has it from 13 on.
    asked = [(size, stones) for size in range(5, 20) if size != 12 for stones in range(2, 10)]
    lines = "".join(f"boardsize {size}\nfixed_handicap {stones}\n" for size, stones in asked)
    told = subprocess.run([str(GNUGO), "--mode", "gtp"], input=lines, capture_output=True, text=True, check=True)
    answers = told.stdout.split("\n\n")[1:-1:2]
    for (size, stones), answer in zip(asked, answers, strict=True):
        if answer.startswith("?"):
            assert stones > most_fixed(size)
        else:
            vertices = {to_vertex(point, size=size) for point in fixed_points(stones, size=size)}
            assert set(answer.split()[1:]) == vertices, (size, stones)
