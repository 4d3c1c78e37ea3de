"""K-fold cross-validation by a sweep: each fold of an arm is a trial, and the search knows only their mean."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlcourse.config.compose import Where, run_hydra
from dlcourse.errors import ConfigError
from dlcourse.results.groups import FOLD
from dlcourse.sweep.search import Search, Tried
from dlcourse.sweep.space import Space, check_arms

if TYPE_CHECKING:
    from dlcourse.data.base import DataSet


@dataclass(frozen=True)
class Folded:
    """What another search proposes, each arm of it as so many arms beside each other: one for each fold.

    Args:
        search: proposes arms without a fold.
        count: how many folds.
    """

    search: Search
    count: int

    @property
    def by_scores(self) -> bool:
        """See `Search`."""
        return self.search.by_scores

    def propose(self, tried: Sequence[Tried]) -> tuple[str, ...] | None:
        """See `Search`."""
        before = len(tried) % self.count
        words = whole(tried[-1].words) if before else self.search.propose(self._arms(tried))
        return None if words is None else (*words, f"{FOLD}={before + 1}/{self.count}")

    def _arms(self, tried: Sequence[Tried]) -> list[Tried]:
        """The arms without their folds, all of whose folds were proposed."""
        found: list[Tried] = []
        for start in range(0, len(tried), self.count):
            folds = tried[start : start + self.count]
            scores = [one.score for one in folds if one.score is not None]
            ended = all(one.ended for one in folds)
            score = statistics.fmean(scores) if scores and ended else None
            found.append(Tried(whole(folds[0].words), score, ended))
        return found


def folded(search: Search, count: int | None) -> Search:
    """The search, each arm of it in so many folds; as it is if there are none."""
    return search if count is None else Folded(search, count)


def whole(words: Sequence[str]) -> tuple[str, ...]:
    """The words of an arm without its fold."""
    return tuple(word for word in words if word.partition("=")[0] != FOLD)


def misfits(count: int, space: Space, *, halving: int | None) -> list[str]:
    """A line for each thing that does not go with so many folds: too few, a fold among the words, and halving."""
    keys = [word.partition("=")[0] for word in space.fixed] + [axis.key for axis in space.axes]
    few = f"kfold must be 2 or more, not {count}: of one part alone nothing is left to train on"
    named = f"{FOLD}: kfold= trains every fold; leave one of them out"
    dropped = "kfold: halving judges an arm by one training, not by its folds; leave one of them out"
    return [
        *([few] if count < 2 else []),
        *([named] if FOLD in (key.lstrip("+") for key in keys) else []),
        *([dropped] if halving is not None else []),
    ]


def check_data(space: Space, search: Search) -> None:
    """Read the data of the first fold, if there are folds, so that a fault of it is told once and before any training.

    What has to be fetched is fetched here too, once and not by several trials at the same time.

    Raises:
        UserError: the data has no folds, fewer items than folds, or cannot be read.
    """
    if not isinstance(search, Folded):
        return
    words = search.propose([])
    assert words is not None  # every search has a first arm
    try:
        check_arms(space, [words])
    except ConfigError as error:
        raise ConfigError(*(f"kfold={search.count}: {problem}" for problem in error.problems)) from error
    run_hydra([*space.flags, *space.fixed, *words], _read)


def _read(config: dict[str, Any], where: Where) -> int:
    from dlcourse.config.build import call  # with a data set comes torch, two seconds

    data: DataSet = call(config["data"], at="data")
    data.load()
    return 0
