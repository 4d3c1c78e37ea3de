"""The eight symmetries of a square board: where each takes every point, and which undoes which."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

SYMMETRIES: Final = 8
INVERSES: Final = (0, 1, 2, 3, 4, 6, 5, 7)
"""`INVERSES[k]` undoes symmetry k; 5 and 6 are the two quarter turns."""


def turned(boards: Tensor, symmetry: int) -> Tensor:
    """Boards [..., S, S] under one symmetry of 0 to 7: 4 swaps rows and columns, then 1 mirrors columns, 2 rows.

    Symmetry 0 changes nothing; `turned(turned(boards, k), INVERSES[k])` is `boards`.
    """
    if symmetry & 4:
        boards = boards.transpose(-1, -2)
    mirrored = [axis for bit, axis in ((1, -1), (2, -2)) if symmetry & bit]
    return boards.flip(mirrored) if mirrored else boards


@lru_cache(maxsize=64)
def symmetry_points(size: int, *, device: torch.device | None = None) -> Tensor:
    """Int64 [8, size * size + 1]: where symmetry k takes point p; a pass (the last) stays. Not to be written to.

    So `boards.flatten(-2)[..., symmetry_points(size)[INVERSES[k], :-1]]` are the points of `turned(boards, k)`.
    """
    with torch.inference_mode(mode=False):  # a tensor that is kept for training as well
        points = torch.arange(size * size).view(size, size)
        # The points of a turned board say where each came from, which is where the inverse takes it.
        goes_to = torch.stack([turned(points, symmetry).flatten() for symmetry in INVERSES])
        return torch.cat([goes_to, torch.full((SYMMETRIES, 1), size * size)], 1).to(device)
