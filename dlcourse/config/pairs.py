"""Few combinations of many settings, in which every two values meet (pairwise testing, Cohen et al. 1997)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence


def covering(axes: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Few combinations in which every two values of different axes meet at least once, as overrides."""
    rows = [
        tuple(f"{key}={value}" for key, value in zip(axes, row, strict=True))
        for row in itertools.product(*axes.values())
    ]
    pairs = {row: set(itertools.combinations(row, 2)) for row in rows}
    missing = set[tuple[str, str]]().union(*pairs.values())
    while missing:
        best = max(rows, key=lambda row: len(pairs[row] & missing))
        missing -= pairs[best]
        yield best
    if len(axes) < 2:
        yield from rows
