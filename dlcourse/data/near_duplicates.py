"""Texts that are variants or parts of others, by the runs of characters that they share (Broder 1997, containment).

A. Broder, "On the resemblance and containment of documents", Compression and Complexity of Sequences 1997.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SIZE = 4
"""Characters in a run: as short as finds a quatrain of which two characters differ, longer than a common phrase."""
SHARE = 0.5


def near_duplicates(texts: Sequence[str], *, size: int = SIZE, share: float = SHARE) -> NDArray[np.bool_]:
    """Which texts to drop so that no two of the rest are near duplicates: bool [N].

    Two texts are near duplicates if they share at least `share` of the different runs of `size` characters that the
    one with fewer of them has. The longest is kept; of equally long ones, the first. A text shorter than a run has no
    near duplicates.

    Args:
        texts: without punctuation; fewer than 65,536 different characters.
        size: characters in a run.
        share: between 0 (excluded) and 1.
    """
    owners, runs = _runs(texts, size=size)
    counts = np.bincount(owners, minlength=len(texts))
    neighbours: defaultdict[int, list[int]] = defaultdict(list)
    for one, other in _near(owners, runs, counts=counts, share=share):
        neighbours[one].append(other)
        neighbours[other].append(one)
    dropped = np.zeros(len(texts), dtype=np.bool_)
    kept: set[int] = set()
    for index in sorted(neighbours, key=lambda index: (-len(texts[index]), index)):
        if kept.isdisjoint(neighbours[index]):
            kept.add(index)
        else:
            dropped[index] = True
    return dropped


def _runs(texts: Sequence[str], *, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every different run of every text: int64 [R] whose it is and int64 [R] which one, ascending by both."""
    chars = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    owners = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    if len(chars) < size:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    known, ids = np.unique(chars, return_inverse=True)
    starts = len(chars) - size + 1
    keys = np.zeros(starts, dtype=np.uint64)
    for at in range(size):
        keys = keys * np.uint64(len(known)) + ids[at : at + starts].astype(np.uint64)
    inside = owners[:starts] == owners[size - 1 :]
    different, numbers = np.unique(keys[inside], return_inverse=True)
    if not len(different):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    pairs = np.sort(owners[:starts][inside] * len(different) + numbers)
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]  # np.unique hashes here, which takes 30 times as long
    return pairs // len(different), pairs % len(different)


def _near(
    owners: NDArray[np.int64], runs: NDArray[np.int64], *, counts: NDArray[np.int64], share: float
) -> list[tuple[int, int]]:
    """All pairs of near duplicates, the lower index first."""
    from scipy.sparse import coo_array, csr_array, triu

    if not len(runs):
        return []
    shared = np.bincount(runs)[runs] > 1  # a run of one text alone makes no pair
    rows, columns = owners[shared], runs[shared]
    shape = (len(counts), int(runs.max()) + 1)
    table = csr_array((np.ones(len(rows), dtype=np.int32), (rows, columns)), shape=shape)
    common = coo_array(triu(table @ table.T, k=1))
    fewer = np.minimum(counts[common.row], counts[common.col])
    near = common.data >= share * fewer
    return list(zip(common.row[near].tolist(), common.col[near].tolist(), strict=True))
