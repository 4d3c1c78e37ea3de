"""Seeded cuts of a set: one that keeps every class's share, and one that keeps groups whole."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import torch
from torch import Tensor

from dlcourse.data.base import mix
from dlcourse.data.folds import Fold, by_class, by_group


def stratified(labels: Tensor, share: float | Fold, *, seed: int) -> tuple[Tensor, Tensor]:
    """Which items stay and which are held out: a function of the labels, the share and the seed alone.

    Of a class with n items, round(n * share) are held out, but at least one and never all of them; a class with
    a single item stays whole. Of a fold its own part is held out.

    Args:
        labels: int64 [N], 0 or more.
        share: what is held out: a share between 0 and 1, or a fold.
        seed: names the cut.

    Returns:
        (rest, held_out): int64, ascending, together every index once.

    Raises:
        DataError: there are fewer items than folds.
    """
    if isinstance(share, Fold):
        return share.cut(by_class(labels, share.count, seed=seed))
    held = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(len(torch.bincount(labels))):
        members = (labels == label).nonzero().squeeze(1)
        size = max(min(max(round(len(members) * share), 1), len(members) - 1), 0)
        order = torch.randperm(len(members), generator=torch.Generator().manual_seed(mix(seed, label)))
        held[members[order[:size]]] = True
    return (~held).nonzero().squeeze(1), held.nonzero().squeeze(1)


def grouped(groups: Sequence[Hashable], share: float | Fold, *, seed: int) -> tuple[Tensor, Tensor]:
    """Which items stay and which are held out, whole groups at a time: a function of groups, share and seed alone.

    Groups are held out in a seeded order while they fit into the share; one group at least stays, and one is held out
    if there are two. Of a fold its own part is held out.

    Args:
        groups: of each item the group that it belongs to.
        share: what is held out: a share of the items between 0 and 1, or a fold.
        seed: names the cut.

    Returns:
        (rest, held_out): int64, ascending, together every index once.

    Raises:
        DataError: there are fewer groups than folds.
    """
    if isinstance(share, Fold):
        return share.cut(by_group(groups, share.count, seed=seed))
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    group_of = torch.tensor([numbers[group] for group in groups], dtype=torch.int64)
    sizes = torch.bincount(group_of, minlength=len(numbers))
    order = torch.randperm(len(numbers), generator=torch.Generator().manual_seed(mix(seed, len(numbers))))
    fit = int((sizes[order].cumsum(0) <= round(share * len(groups))).sum())
    held = torch.isin(group_of, order[: min(max(fit, 1), max(len(numbers) - 1, 0))])
    return (~held).nonzero().squeeze(1), held.nonzero().squeeze(1)
