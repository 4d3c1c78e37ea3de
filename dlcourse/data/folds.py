"""K-fold cross-validation: parts of what is trained on, each of which validates one training and trains the others."""

from __future__ import annotations

import heapq
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcourse.data.base import mix
from dlcourse.errors import DataError

WRITTEN = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})")


@dataclass(frozen=True)
class Fold:
    """One of `count` parts, by its number from 1; written 2/5."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def cut(self, parts: Tensor) -> tuple[Tensor, Tensor]:
        """The items of all other parts, and those of this one.

        Args:
            parts: int64 [N], of each item the part that it belongs to, from 0.

        Returns:
            (rest, held_out): int64, ascending, together every index once.

        Raises:
            DataError: some part is empty.
        """
        filled = len(parts.unique())
        if filled < self.count:
            raise DataError(
                f"fold {self}: the {len(parts):,} items to train on fill only {filled:,} of {self.count:,} parts; take "
                "fewer folds, or add data"
            )
        held = parts == self.number - 1
        return (~held).nonzero().squeeze(1), held.nonzero().squeeze(1)


def read_fold(text: str | None) -> Fold | None:
    """The fold that a data set's argument `fold` names; None if it names none.

    Raises:
        ValueError: it is not written i/k, with i from 1 to k and k of 2 or more.
    """
    if text is None:
        return None
    found = WRITTEN.fullmatch(str(text))
    number, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= number <= count or count < 2:
        raise ValueError(f"fold must be i/k such as 2/5, the second of five parts (k is 2 or more), not {text!r}")
    return Fold(number, count)


def by_class(labels: Tensor, count: int, *, seed: int) -> Tensor:
    """The part of each item, so that each class's shares differ by one item at most, and the parts' sizes too.

    Args:
        labels: int64 [N], 0 or more.
        count: how many parts.
        seed: decides who goes where.

    Returns:
        int64 [N], from 0 to below `count`.
    """
    members = [(labels == label).nonzero().squeeze(1) for label in range(len(torch.bincount(labels)))]
    orders = [
        torch.randperm(len(some), generator=torch.Generator().manual_seed(mix(seed, label)))
        for label, some in enumerate(members)
    ]
    # Dealt out like cards, class after class without starting anew, so that no part gets all the remainders.
    dealt = torch.cat(
        [torch.empty(0, dtype=torch.int64), *(some[order] for some, order in zip(members, orders, strict=True))]
    )
    parts = torch.empty(len(labels), dtype=torch.int64)
    parts[dealt] = torch.arange(len(labels)) % count
    return parts


def by_group(groups: Sequence[Hashable], count: int, *, seed: int) -> Tensor:
    """The part of each item, whole groups at a time: the largest first, each into the part that is smallest then.

    Args:
        groups: of each item the group that it belongs to.
        count: how many parts.
        seed: decides the order of groups of one size.

    Returns:
        int64 [N], from 0 to below `count`.
    """
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    group_of = torch.tensor([numbers[group] for group in groups], dtype=torch.int64)
    sizes: list[int] = torch.bincount(group_of, minlength=len(numbers)).tolist()
    generator = torch.Generator().manual_seed(mix(seed, len(numbers)))
    shuffled: list[int] = torch.randperm(len(numbers), generator=generator).tolist()
    parts = torch.zeros(len(numbers), dtype=torch.int64)
    filled = [(0, part) for part in range(count)]
    for group in sorted(shuffled, key=lambda group: -sizes[group]):  # the sort keeps the shuffled order of equals
        size, part = filled[0]
        parts[group] = part
        heapq.heapreplace(filled, (size + sizes[group], part))
    return parts[group_of]


def by_key(keys: Sequence[int], count: int, *, seed: int) -> Tensor:
    """The part of each item, which its own key decides whatever else there is: adding items moves none.

    Args:
        keys: whole numbers; equal ones go together.
        count: how many parts, about equal in size.
        seed: decides who goes where.

    Returns:
        int64 [N], from 0 to below `count`.
    """
    # `mix` gives 63 bits: the share of them times `count`, rounded down.
    return torch.tensor([mix(key, seed) * count >> 63 for key in keys], dtype=torch.int64)
