"""A seeded cut of a labelled set that keeps every class's share."""

from __future__ import annotations

import torch
from torch import Tensor

from dlcourse.data.base import mix


def stratified(labels: Tensor, fraction: float, *, seed: int) -> tuple[Tensor, Tensor]:
    """Which items stay and which are held out: a function of the labels, the fraction and the seed alone.

    Of a class with n items, round(n * fraction) are held out, but at least one and never all of them; a class with
    a single item stays whole.

    Args:
        labels: int64 [N], 0 or more.
        fraction: share that is held out, between 0 and 1.
        seed: names the cut.

    Returns:
        (rest, held_out): int64, ascending, together every index once.
    """
    held = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(len(torch.bincount(labels))):
        members = (labels == label).nonzero().squeeze(1)
        size = max(min(max(round(len(members) * fraction), 1), len(members) - 1), 0)
        order = torch.randperm(len(members), generator=torch.Generator().manual_seed(mix(seed, label)))
        held[members[order[:size]]] = True
    return (~held).nonzero().squeeze(1), held.nonzero().squeeze(1)
