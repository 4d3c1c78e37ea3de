"""Go positions as the planes that a network sees: stones, recent moves, ko, liberties (after Silver et al. 2016).

D. Silver et al., "Mastering the game of Go with deep neural networks and tree search", Nature 529, extended data
table 2. Everything is seen by whoever is to play.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor
from torch.nn import functional

from dlcourse.data.symmetries import INVERSES, symmetry_points

Planes = Literal["basic", "history", "full"]

RECENT = 8
"""How many of the last moves a position remembers."""
_STONES, _LAST, _LIBERTIES = 3, 4, 4
_BORDER = 3  # the colour of cells beyond the edge, where 0 is empty, 1 own, 2 the opponent's
PLANES: Mapping[Planes, int] = {
    "basic": _STONES,  # own, opponent's, empty
    "history": _STONES + _LAST,  # and the last four moves, the latest first
    "full": _STONES + RECENT + 1 + _LIBERTIES,  # and the four moves before them, ko, stones with 1, 2, 3, 4+ liberties
}
"""How many planes there are of each kind; a kind begins with those of the kind before it."""


class Positions(NamedTuple):
    """B positions, each seen by whoever is to play; P is size * size.

    Args:
        own: uint8 [B, P], 1 where a stone of whoever is to play stands.
        opponent: uint8 [B, P], likewise.
        recent: int16 [B, 8], the last points played, the latest first; P is a pass, -1 where there was no move.
        ko: int16 [B], the point that simple ko forbids; -1 is none.
    """

    own: Tensor
    opponent: Tensor
    recent: Tensor
    ko: Tensor


def check_planes(planes: str) -> Planes:
    """`planes`, if there are such; else ValueError."""
    for known in get_args(Planes):
        if planes == known:
            return known
    raise ValueError(f"planes must be one of {', '.join(PLANES)}, not {planes!r}")


def encode(positions: Positions, *, size: int, planes: Planes) -> Tensor:
    """Float32 [B, PLANES[planes], size, size], 0 or 1, on the positions' device.

    Planes: own stones, the opponent's, empty points; for "history" the latest move, the one before it, and so on, four
    in all (a pass leaves its plane empty); for "full" the four moves before those, the point of ko, and stones of
    groups with one, two, three, and four or more liberties.
    """
    own, opponent = positions.own, positions.opponent
    encoded = torch.zeros(len(own), PLANES[planes], size * size, device=own.device)
    encoded[:, 0] = own
    encoded[:, 1] = opponent
    encoded[:, 2] = (own | opponent) ^ 1
    if planes == "history":
        _mark(encoded[:, _STONES:], positions.recent[:, :_LAST])
    elif planes == "full":
        points = torch.cat([positions.recent, positions.ko[:, None]], 1)
        _mark(encoded[:, _STONES:-_LIBERTIES], points)
        counts = liberties(own, opponent, size=size)
        for number in range(1, _LIBERTIES):
            encoded[:, number - 1 - _LIBERTIES] = counts == number
        encoded[:, -1] = counts >= _LIBERTIES
    return encoded.view(len(own), -1, size, size)


def turn_positions(positions: Positions, *, size: int, symmetries: Tensor) -> Positions:
    """Each position under the symmetry (int64 [B], 0 to 7) that is named for it."""
    own, opponent, recent, ko = positions
    # One gather for both colours: it costs more than taking them apart again.
    came_from = _inverse_points(size, device=own.device).index_select(0, symmetries)
    stones = (own | opponent << 1).gather(1, came_from)
    points = torch.cat([recent, ko[:, None]], 1)
    points = turn_points(points, size=size, symmetries=symmetries).to(recent.dtype)
    return Positions(stones & 1, stones >> 1, points[:, :-1], points[:, -1])


def turn_points(points: Tensor, *, size: int, symmetries: Tensor) -> Tensor:
    """Int64 [B, ...]: where points (any integers [B, ...]) go under the symmetry (int64 [B]) of their row; -1 stays."""
    goes_to = symmetry_points(size, device=points.device)
    rows = symmetries.view(-1, *[1] * (points.dim() - 1))
    points = points.long()
    return torch.where(points < 0, points, goes_to[rows, points])


def liberties(own: Tensor, opponent: Tensor, *, size: int) -> Tensor:
    """Int16 [B, P]: how many liberties the group of each stone has; 0 where no stone stands.

    Args:
        own: uint8 [B, P], 1 where a stone stands.
        opponent: uint8 [B, P], likewise.
        size: lines of the board.
    """
    colours = (own | opponent << 1).view(-1, size, size)
    # A column to the right of the board and a row above and below it: no cell of the board lacks a neighbour.
    colours = functional.pad(colours, (0, 1, 1, 1), value=_BORDER).flatten(1)
    groups, nowhere = _groups(colours, size=size), colours.shape[1] - 1
    empty = _inner(colours, size=size) == 0
    around = [torch.where(empty, group, nowhere).long() for group in _around(groups, size=size)]
    counts = torch.zeros_like(groups)
    for place, group in enumerate(around):
        first = torch.ones_like(group, dtype=torch.int16)
        for other in around[:place]:
            first *= group != other  # an empty point between two stones of a group is one liberty of it
        counts.scatter_add_(1, group, first)
    counts[:, nowhere] = 0
    found = counts.gather(1, _inner(groups, size=size).long())
    return found.view(-1, size, size + 1)[:, :, :size].flatten(1)


def _groups(colours: Tensor, *, size: int) -> Tensor:
    """Int16 [B, cells]: the lowest cell of the group of each stone; the last cell, no stone's, elsewhere."""
    nowhere = colours.shape[1] - 1
    cells = torch.arange(nowhere + 1, dtype=torch.int16, device=colours.device)
    labels = torch.where((colours == 0) | (colours == _BORDER), nowhere, cells).to(torch.int16)
    own = _inner(colours, size=size)
    apart = [(other != own).to(torch.int16) * nowhere for other in _around(colours, size=size)]
    while True:
        spread = labels.clone()
        inner = _inner(spread, size=size)
        for wall, other in zip(apart, _around(spread, size=size), strict=True):
            inner.copy_(inner.minimum(other.maximum(wall)))
        # A label is a cell of the same group: what that one has meanwhile heard of saves most rounds.
        spread = spread.gather(1, spread.long())
        if torch.equal(spread, labels):
            return labels
        labels = spread


def _inner(cells: Tensor, *, size: int) -> Tensor:
    """The view of cells [B, (size + 2) * (size + 1)] that holds the board's rows with the column to their right."""
    return cells[:, size + 1 : (size + 1) ** 2]


def _around(cells: Tensor, *, size: int) -> list[Tensor]:
    """Views as long as `_inner`: the cell above, below, left and right of each."""
    width = size + 1
    return [cells[:, width + step : width * width + step] for step in (-width, width, -1, 1)]


def _mark(planes: Tensor, points: Tensor) -> None:
    """Write 1 at points[b, c] into planes [B, C, P], which are all zero; a pass and -1 mark nothing."""
    last = planes.shape[2] - 1
    on_board = (points >= 0) & (points <= last)
    planes.scatter_(2, points.long().clamp(0, last)[:, :, None], on_board[:, :, None].to(planes.dtype))


def _inverse_points(size: int, *, device: torch.device) -> Tensor:
    """Int64 [8, P]: which point comes to lie on each under symmetry k."""
    return symmetry_points(size, device=device)[list(INVERSES), :-1]
