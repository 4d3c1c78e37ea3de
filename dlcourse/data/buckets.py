"""Batches of documents of similar length, so that little of a batch is padding."""

from __future__ import annotations

import torch
from torch import Tensor

POOL_BATCHES = 50
"""Batches that documents are sorted among: more of them leave less padding, and less chance in who meets whom."""


def bucketed(batches: Tensor, *, lengths: Tensor) -> Tensor:
    """The same items, sorted by length inside each pool of batches.

    Args:
        batches: int64 [steps, size], which items stand in each batch.
        lengths: int64 [N], of every item.
    """
    pools = torch.arange(len(batches)).div(POOL_BATCHES, rounding_mode="floor")[:, None]
    keys = pools * (int(lengths.max()) + 1) + lengths[batches]
    return batches.flatten()[keys.flatten().argsort(stable=True)].view_as(batches)
