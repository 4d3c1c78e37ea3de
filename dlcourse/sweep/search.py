"""Which arms a sweep tries: all of a grid, or drawn at random by a seed.

A draw is a hash of (seed, arm, axis, attempt), so it does not matter what was drawn before or how often a sweep was
taken up.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dlcourse.sweep.space import Axis, Interval, Space, Values

ATTEMPTS = 10_000  # draws after which a space counts as used up


@dataclass(frozen=True)
class Tried:
    """An arm that was proposed.

    Args:
        words: its words, one for each axis.
        score: mean over its seeds, more is better; None while it is trained or if every seed of it failed.
        ended: whether no more trial of it is to come.
    """

    words: tuple[str, ...]
    score: float | None = None
    ended: bool = False


class Search(Protocol):
    """Proposes arms one after another; what it proposes is a function of its settings and the arms before."""

    @property
    def by_scores(self) -> bool:
        """Whether it looks at the scores, so that an arm must not be proposed before it is needed."""
        ...

    def propose(self, tried: Sequence[Tried]) -> tuple[str, ...] | None:
        """The words of the next arm, one for each axis; None if there is no more.

        Args:
            tried: all arms before it, in order.
        """
        ...


@dataclass(frozen=True)
class Grid:
    """Every combination of values, the last axis changing fastest, as `train -m` does.

    Args:
        axes: of several values each.
    """

    axes: tuple[Axis, ...]
    by_scores: bool = False

    def propose(self, tried: Sequence[Tried]) -> tuple[str, ...] | None:
        """See `Search`."""
        texts = [[f"{axis.key}={text}" for text in axis.texts] for axis in self.axes if isinstance(axis, Values)]
        return next(itertools.islice(itertools.product(*texts), len(tried), None), None)


@dataclass(frozen=True)
class Random:
    """So many different arms, each drawn evenly from every axis.

    Args:
        space: what to draw from.
        trials: how many arms.
        seed: decides the draws.
    """

    space: Space
    trials: int
    seed: int
    by_scores: bool = False

    def propose(self, tried: Sequence[Tried]) -> tuple[str, ...] | None:
        """See `Search`."""
        if len(tried) >= self.trials:
            return None
        return fresh(self.space, tried, seed=self.seed)


def fresh(space: Space, tried: Sequence[Tried], *, seed: int) -> tuple[str, ...] | None:
    """The first draw for the next arm that is none of those tried; None if there is none left."""
    before = {one.words for one in tried}
    if len(before) >= space.size:
        return None
    for attempt in range(ATTEMPTS):
        words = draw(space.axes, seed=seed, arm=len(tried), attempt=attempt)
        if words not in before:
            return words
    return None


def draw(axes: Sequence[Axis], *, seed: int, arm: int, attempt: int = 0) -> tuple[str, ...]:
    """A value of every axis."""
    return tuple(f"{axis.key}={axis.at(share(seed, arm, axis.key, attempt))}" for axis in axes)


def share(*parts: object) -> float:
    """A number from 0 to below 1 that these parts alone decide."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53  # 53 bits are all that a float holds, so it stays below 1


def intervals(axes: Sequence[Axis]) -> list[Interval]:
    """The axes that no grid can walk."""
    return [axis for axis in axes if isinstance(axis, Interval)]
