"""What a network sees of a Go position, and the eight symmetries of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from dlcourse.data.go_planes import PLANES, Positions, encode, liberties, turn_points, turn_positions
from dlcourse.data.symmetries import INVERSES, SYMMETRIES, symmetry_points, turned


def drawn(count: int, *, size: int, seed: int = 0) -> Positions:
    """Stones anywhere, from a few to a board that is nearly full, so that chains wind."""
    generator = torch.Generator().manual_seed(seed)
    full, share = (torch.rand(count, 1, generator=generator) for _ in range(2))
    stone, own = (torch.rand(count, size * size, generator=generator) for _ in range(2))
    recent = torch.randint(-1, size * size + 1, (count, 8), generator=generator).short()
    ko = torch.randint(-1, size * size, (count,), generator=generator).short()
    mine, other = (stone < full) & (own < share), (stone < full) & (own >= share)
    return Positions(mine.to(torch.uint8), other.to(torch.uint8), recent, ko)


def board(rows: str) -> Positions:
    """One position from lines of X (own), O (the opponent's) and . for an empty point."""
    points = rows.split()
    own, opponent = (torch.tensor([[mark == one for one in "".join(points)]]).to(torch.uint8) for mark in "XO")
    recent = torch.tensor([[4, 0, 9, -1, -1, -1, -1, -1]], dtype=torch.int16)
    return Positions(own, opponent, recent, torch.tensor([2], dtype=torch.int16))


def where(plane: Tensor) -> list[int]:
    """The points that are marked."""
    assert set(plane.unique().tolist()) <= {0.0, 1.0}
    return plane.flatten().nonzero().squeeze(1).tolist()


def test_the_planes_of_a_small_board_by_hand() -> None:
    position = board("OX. .X. ..O")
    planes = encode(position, size=3, planes="full")[0]
    assert planes.shape == (16, 3, 3) and planes.dtype == torch.float32
    assert [where(plane) for plane in planes[:3]] == [[1, 4], [0, 8], [2, 3, 5, 6, 7]]
    # The latest move, the one before it; the third was a pass (point 9), and before that there was none.
    assert [where(plane) for plane in planes[3:11]] == [[4], [0], [], [], [], [], [], []]
    assert where(planes[11]) == [2]
    # The corner stone has one liberty, the other of its colour has two, the chain of two has four.
    assert [where(plane) for plane in planes[12:]] == [[0], [8], [], [1, 4]]


def test_a_kind_of_planes_begins_with_those_of_the_kind_before_it() -> None:
    positions = drawn(20, size=9)
    kinds = {planes: encode(positions, size=9, planes=planes) for planes in PLANES}
    assert {planes: one.shape[1] for planes, one in kinds.items()} == PLANES
    assert torch.equal(kinds["history"][:, :3], kinds["basic"])
    assert torch.equal(kinds["full"][:, :7], kinds["history"])


@pytest.mark.parametrize("size", [2, 5, 9, 19, 25])
def test_liberties_agree_with_those_that_scipy_finds(size: int) -> None:
    own, opponent, _, _ = drawn(12, size=size, seed=size)
    ours = liberties(own, opponent, size=size)
    for one, other, found in zip(own.numpy(), opponent.numpy(), ours.numpy(), strict=True):
        expected = np.zeros((size, size), dtype=np.int64)
        empty = ((one | other) == 0).reshape(size, size)
        for stones in (one, other):
            groups, count = ndimage.label(stones.reshape(size, size))
            for group in range(1, count + 1):
                inside = groups == group
                expected[inside] = (ndimage.binary_dilation(inside) & empty).sum()
        assert (found.reshape(size, size) == expected).all()


def test_a_snake_across_the_board_is_one_group() -> None:
    rows = ["X" * 9 if row % 2 == 0 else "." * 8 + "X" if row % 4 == 1 else "X" + "." * 8 for row in range(9)]
    position = board(" ".join(rows))
    found = liberties(position.own, position.opponent, size=9)
    assert set(found[position.own == 1].tolist()) == {32}


@pytest.mark.parametrize("symmetry", range(SYMMETRIES))
@pytest.mark.parametrize("planes", PLANES)
def test_turning_a_position_turns_its_planes(symmetry: int, planes: str) -> None:
    positions = drawn(10, size=7)
    symmetries = torch.full((10,), symmetry)
    moved = turn_positions(positions, size=7, symmetries=symmetries)
    assert torch.equal(encode(moved, size=7, planes=planes), turned(encode(positions, size=7, planes=planes), symmetry))
    back = turn_positions(moved, size=7, symmetries=torch.full((10,), INVERSES[symmetry]))
    assert all(torch.equal(one, other) for one, other in zip(back, positions, strict=True))
    assert [one.dtype for one in moved] == [one.dtype for one in positions]


def test_each_position_is_turned_by_its_own_symmetry() -> None:
    positions = drawn(8, size=5)
    together = turn_positions(positions, size=5, symmetries=torch.arange(8))
    for symmetry in range(SYMMETRIES):
        alone = Positions(*(one[symmetry : symmetry + 1] for one in positions))
        alone = turn_positions(alone, size=5, symmetries=torch.tensor([symmetry]))
        assert all(torch.equal(one[0], many[symmetry]) for one, many in zip(alone, together, strict=True))


def test_the_symmetries_are_eight_and_leave_a_pass_alone() -> None:
    points = symmetry_points(4)
    assert len({tuple(row) for row in points.tolist()}) == SYMMETRIES
    assert (points[:, 16] == 16).all()
    assert (points.sort(1).values == torch.arange(17)).all()
    for symmetry, inverse in enumerate(INVERSES):
        assert (points[inverse][points[symmetry]] == torch.arange(17)).all()


def test_a_quarter_turn_by_hand() -> None:
    # Symmetry 5 swaps rows and columns, then mirrors columns: the upper left corner goes to the upper right.
    assert turn_points(torch.tensor([0, 2, 9, -1]), size=3, symmetries=torch.full((4,), 5)).tolist() == [2, 8, 9, -1]
