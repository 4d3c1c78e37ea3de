"""One game of Go: captures, ko, superko, suicide, setup, taking back."""

import numpy as np
import pytest

from dlcourse.go.board import Board
from dlcourse.go.points import BLACK, EMPTY, WHITE, from_vertex, pass_point
from dlcourse.go.rules import KO, OCCUPIED, PLAYING, SUICIDE, SUPERKO, IllegalMove, Rules


def drawn(picture: str, *, rules: Rules = PLAYING, to_play: int = BLACK) -> Board:
    """A board set up from rows of X for black, O for white and . for empty."""
    text = "".join(picture.split())
    board = Board(round(len(text) ** 0.5), rules=rules)
    places = {stone: [point for point, found in enumerate(text) if found == stone] for stone in "XO"}
    board.place(places["X"], places["O"], to_play=to_play)
    return board


def picture(board: Board) -> str:
    """Its rows, joined by blanks."""
    text = "".join(".XO"[stone] for stone in board.stones)
    return " ".join(text[at : at + board.size] for at in range(0, len(text), board.size))


def at(board: Board, vertex: str) -> int:
    """The point that GTP names so."""
    return from_vertex(vertex, size=board.size)


def reason(board: Board, vertex: str, colour: int | None = None) -> str:
    """Why a move is refused."""
    before = board.stones
    with pytest.raises(IllegalMove) as caught:
        board.play(at(board, vertex), colour)
    assert np.array_equal(board.stones, before)
    assert not board.legal(at(board, vertex), colour)
    return caught.value.reason


def test_a_stone_goes_to_row_times_size_plus_column_and_the_turn_passes_on():
    board = Board(5)
    assert board.play(7) == []
    assert board.stones.tolist() == [BLACK if point == 7 else EMPTY for point in range(25)]
    assert board.stones.dtype == np.int8
    assert (board.to_play, board.moves) == (WHITE, [(BLACK, 7)])


def test_a_move_takes_every_group_whose_last_liberty_it_fills():
    board = drawn(". X O O X   X O . X .   . X O X .   . X O X .   . . X . .")
    assert sorted(board.play(at(board, "C4"))) == [2, 3, 6, 12, 17]
    assert picture(board) == ".X..X X.XX. .X.X. .X.X. ..X.."


def test_a_move_without_liberties_is_no_suicide_where_it_captures():
    board = drawn(". O X . .   O X X . .   X X . . .   . . . . .   . . . . .")
    assert board.play(at(board, "A5")) == [1, 5]
    assert picture(board) == "X.X.. .XX.. XX... ..... ....."


def test_suicide_is_refused_for_one_stone_and_for_a_group():
    board = drawn(". O .   O O .   . . .")
    assert reason(board, "A3") == SUICIDE
    board = drawn(". X O   X O .   O . .")
    assert reason(board, "A3") == SUICIDE


def test_where_suicide_is_allowed_the_own_group_leaves_the_board():
    board = drawn(". X O   X O .   O . .", rules=Rules(suicide=True))
    assert board.play(at(board, "A3")) == [0, 1, 3]
    assert picture(board) == "..O .O. O.."
    assert board.ko is None


def test_suicide_of_one_stone_repeats_the_position_and_so_is_superko():
    rows = ". O .   O O .   . . ."
    assert reason(drawn(rows, rules=Rules(suicide=True)), "A3") == SUPERKO
    assert drawn(rows, rules=Rules(suicide=True, superko=False)).play(0) == [0]


KO_SHAPE = """
. X O . .
X O . O .
. X O . .
. . . . .
. . . . ."""


def test_a_ko_may_be_retaken_only_after_a_move_elsewhere():
    board = drawn(KO_SHAPE)
    assert board.play(at(board, "C4")) == [6]
    assert board.ko == 6
    assert reason(board, "B4") == KO
    assert not board.legal_mask()[6]
    board.play(at(board, "E1"))
    assert board.ko is None
    board.play(at(board, "A1"))
    assert board.play(at(board, "B4")) == [7]


def test_a_ko_may_be_filled_by_whoever_took_it_and_a_pass_ends_it():
    board = drawn(KO_SHAPE, rules=Rules(superko=False))
    board.play(at(board, "C4"))
    assert board.copy().play(at(board, "B4"), BLACK) == []
    board.play(pass_point(5))
    assert board.ko is None
    assert board.play(at(board, "B4"), WHITE) == [7]


RETURNING_ONE = ". O . X   O X X X   . . . .   . . . ."


def test_taking_two_stones_or_with_two_stones_is_no_ko():
    board = drawn(RETURNING_ONE, to_play=WHITE)
    board.play(2)
    assert board.play(0) == [1, 2]
    assert board.ko is None
    board = drawn("X . O X   O O X .   . . . .   . . . .")
    assert board.play(1) == [2]
    assert board.ko is None
    assert board.play(2) == [0, 1]


def test_superko_refuses_to_send_two_stones_and_return_one():
    for superko in (True, False):
        board = drawn(RETURNING_ONE, rules=Rules(superko=superko), to_play=WHITE)
        board.play(2)
        board.play(0)
        assert board.legal_mask()[1] == (not superko)
        if superko:
            assert reason(board, "B4") == SUPERKO
        else:
            assert board.play(1) == [0]
            assert picture(board) == ".O.X OXXX .... ...."


def test_superko_holds_after_passes_where_ko_does_not():
    board = drawn(KO_SHAPE)
    for vertex in ("C4", "pass", "pass"):
        board.play(at(board, vertex))
    assert board.ko is None
    assert reason(board, "B4") == SUPERKO


def test_occupied_points_and_points_off_the_board_are_refused_by_name():
    board = Board(5)
    board.play(0)
    assert reason(board, "A5") == OCCUPIED
    for point in (-1, 26):
        assert not board.legal(point)
        with pytest.raises(IllegalMove, match="off the board"):
            board.play(point)
    with pytest.raises(IllegalMove, match="A5 is illegal for white: occupied") as caught:
        board.play(0)
    assert (caught.value.point, caught.value.colour) == (0, WHITE)


def test_two_passes_end_the_game_and_a_stone_between_them_does_not():
    board = Board(3)
    for move in (9, 4, 9):
        board.play(move)
    assert (board.passes, board.over) == (1, False)
    board.play(9)
    assert (board.passes, board.over) == (2, True)
    board.undo()
    assert (board.passes, board.over) == (1, False)


def test_undo_brings_back_stones_ko_turn_and_what_superko_has_seen():
    board = drawn(KO_SHAPE)
    before = picture(board)
    board.play(at(board, "C4"))
    assert board.undo() == (BLACK, 7)
    assert (picture(board), board.ko, board.to_play, board.moves) == (before, None, BLACK, [])
    assert board.play(at(board, "C4")) == [6]
    board.undo()
    with pytest.raises(ValueError, match="no move to take back"):
        board.undo()


def test_a_copy_goes_its_own_way():
    board = Board(3)
    board.play(4)
    twin = board.copy()
    twin.play(0)
    assert (len(board.moves), len(twin.moves)) == (1, 2)
    assert board.stones[0] == EMPTY
    assert board.legal(0)


def test_setup_stones_stand_before_the_first_move_and_say_whose_turn_it_is():
    board = Board(9)
    board.place([20, 24], to_play=WHITE)
    board.place([], [40])
    assert (board.stones[20], board.stones[40], board.to_play) == (BLACK, WHITE, WHITE)
    board.play(0)
    with pytest.raises(ValueError, match="before the first move"):
        board.place([1])


@pytest.mark.parametrize(
    ("black", "white", "message"),
    [
        ([0], [1, 3], "point 0 has no liberty"),
        ([9], [], "point 9 is off the board"),
        ([-1], [], "point -1 is off the board"),
        ([4], [4], "point 4 is set up twice"),
    ],
)
def test_impossible_setups_are_refused_and_leave_the_board_alone(black: list[int], white: list[int], message: str):
    board = Board(3)
    with pytest.raises(ValueError, match=message):
        board.place(black, white)
    assert not board.stones.any()


def test_liberties_are_counted_once_for_a_whole_group():
    board = drawn(". X . . .   X X O . .   . . . . .   . . . . .   . . . . O")
    assert [board.liberties(point) for point in (1, 5, 6, 7, 24, 0)] == [4, 4, 4, 3, 2, 0]


@pytest.mark.parametrize(
    ("rows", "vertex", "eye"),
    [
        (". X .   X X .   . . .", "A3", True),
        (". X .   X O .   . . .", "A3", False),
        (". X . .   X . X .   . X O .   . . . .", "B3", True),
        (". X O .   X . X .   . X O .   . . . .", "B3", False),
        ("X . X   O X X   . . .", "B3", False),
        ("X . X   X X X   . . .", "B3", True),
        (". . X   X X X   . . .", "B3", False),
        ("X X X   X X X   . X X", "B3", False),
    ],
)
def test_an_eye_is_a_point_among_own_stones_with_diagonals_enough(rows: str, vertex: str, eye: bool):
    board = drawn(rows)
    assert board.is_eye(at(board, vertex), BLACK) is eye
    assert not board.is_eye(at(board, vertex), WHITE)


def test_the_sizes_allowed_are_two_to_twenty_five():
    assert len(Board(25).legal_mask()) == 626
    for size in (1, 26):
        with pytest.raises(ValueError, match="size must be from 2 to 25"):
            Board(size)
