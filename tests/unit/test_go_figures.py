"""Boards are drawn with their stones, their heat and their best moves, without a warning."""

from __future__ import annotations

import io

import pytest
from matplotlib.axes import Axes

from dlcourse.go.points import to_vertex
from dlcourse.tasks.go_figures import Board, draw_boards, percent, stars

pytestmark = pytest.mark.filterwarnings("error")


def even(size: int) -> list[float]:
    return [1 / (size * size + 1)] * (size * size + 1)


def texts(axes: Axes) -> dict[tuple[float, float], str]:
    return {text.get_position(): text.get_text() for text in axes.texts}


@pytest.mark.parametrize("size", [2, 19, 25])
@pytest.mark.parametrize("count", [1, 4])
def test_boards_of_every_size_are_drawn(size: int, count: int) -> None:
    stones = [point % 3 for point in range(size * size)]
    figure = draw_boards([Board("$no formula", stones, even(size), played=1, last=0)] * count, note="a note")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=30)
    assert buffer.getvalue().startswith(b"\x89PNG")
    assert len(figure.axes) == count


@pytest.mark.parametrize("count", [1, 4])
def test_no_line_of_text_is_cut_off(count: int) -> None:
    board = Board("a title\nof two lines", [0] * 361, even(19))
    figure = draw_boards([board] * count, note="a note\nof two lines")
    figure.draw_without_rendering()
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert box is not None
        assert box.y0 > 0 and box.y1 < figure.bbox.y1 and box.x0 > 0 and box.x1 < figure.bbox.x1


def test_the_best_moves_have_their_percentages_where_they_stand() -> None:
    chances = [0.0] * 10
    chances[1], chances[5], chances[9] = 0.5, 0.25, 0.2501  # above, at the right, a pass
    chances[8] = 0.009
    (axes,) = draw_boards([Board("move 1", [0] * 9, chances)]).axes
    assert texts(axes) == {(1, 0): "50", (2, 1): "25"}
    assert axes.get_title() == "move 1, pass 25 %"
    heat = axes.images[0].get_array()
    assert heat is not None
    assert heat[0][1][3] == heat[..., 3].max() > heat[1][2][3] > heat[2][2][3] > heat[0][0][3] == 0
    assert [label.get_text() for label in axes.get_xticklabels()] == ["A", "B", "C"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["3", "2", "1"]


def test_an_impossible_pass_and_a_played_pass_leave_no_mark() -> None:
    chances = [0.1] * 10
    chances[9] = 0.0
    (bare,) = draw_boards([Board("t", [0] * 9, chances)]).axes
    (passed,) = draw_boards([Board("t", [0] * 9, chances, played=9, last=9)]).axes
    (marked,) = draw_boards([Board("t", [0] * 9, chances, played=8, last=7)]).axes
    assert bare.get_title() == "t"
    assert len(bare.collections) == len(passed.collections) == len(marked.collections) - 2


def test_the_marked_points_are_those_of_printed_boards() -> None:
    assert sorted(to_vertex(point, size=9) for point in stars(9)) == ["C3", "C7", "E5", "G3", "G7"]
    corners, sides = ["D16", "D4", "Q16", "Q4"], ["D10", "K10", "K16", "K4", "Q10"]
    assert sorted(to_vertex(point, size=19) for point in stars(19)) == sorted(corners + sides)
    assert [len(stars(size)) for size in (2, 5, 7, 8, 12, 13, 18, 25)] == [0, 0, 5, 4, 4, 9, 4, 9]


def test_a_percentage_is_rounded_down_but_never_to_nothing() -> None:
    chances = (0.0, 0.004, 0.00999, 0.01, 0.019, 0.999, 1.0)
    assert [percent(chance) for chance in chances] == ["<1 %", "<1 %", "<1 %", "1 %", "1 %", "99 %", "100 %"]


@pytest.mark.parametrize(
    ("stones", "chances", "problem"),
    [
        ([0] * 8, [0.1] * 9, "stones must be those of a square board, not 8"),
        ([0] * 9, [0.1] * 9, "chances must be 10, one a point and a pass, not 9"),
    ],
)
def test_boards_that_do_not_fit_are_refused(stones: list[int], chances: list[float], problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem}$"):
        Board("", stones, chances)


def test_there_must_be_a_board() -> None:
    with pytest.raises(ValueError, match=r"^boards must be one or more$"):
        draw_boards([])
