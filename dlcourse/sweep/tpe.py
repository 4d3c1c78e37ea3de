"""Bayesian search by tree-structured Parzen estimators (Bergstra et al. 2011), as Optuna computes them.

There is no database: what Optuna knows is told it anew for every arm from the journal, so that a sweep which was killed
goes on with the proposals that it would have made.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlcourse.errors import ConfigError
from dlcourse.sweep.search import Tried, fresh, share
from dlcourse.sweep.space import Axis, Space, Values

ASKS = 20  # how often Optuna is asked for an arm that was not tried yet


def optuna() -> Any:
    """The package, silent.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        package: Any = importlib.import_module("optuna")
    except ImportError as error:
        raise ConfigError('search=tpe needs Optuna, which is not installed; pip install "dlcourse[sweep]"') from error
    package.logging.set_verbosity(package.logging.WARNING)
    return package


@dataclass(frozen=True)
class Tpe:
    """So many different arms, each where the scores so far promise most; the first ten are drawn.

    Args:
        space: what to search.
        trials: how many arms.
        seed: decides the draws.
    """

    space: Space
    trials: int
    seed: int
    by_scores: bool = True

    def propose(self, tried: Sequence[Tried]) -> tuple[str, ...] | None:
        """See `Search`."""
        before = {one.words for one in tried}
        if len(tried) >= self.trials or len(before) >= self.space.size:
            return None
        for attempt in range(ASKS):
            words = self._ask(tried, attempt=attempt)
            if words not in before:
                return words
        return fresh(self.space, tried, seed=self.seed)

    def _ask(self, tried: Sequence[Tried], *, attempt: int) -> tuple[str, ...]:
        package = optuna()
        axes = self.space.axes
        distributions = {axis.key: _distribution(package, axis) for axis in axes}
        seed = int(share("tpe", self.seed, len(tried), attempt) * 2**32)
        # With several arms at once, one that is being trained counts as bad, so that the next goes elsewhere.
        sampler = package.samplers.TPESampler(seed=seed, constant_liar=True)
        study = package.create_study(sampler=sampler, direction="maximize")
        for one in tried:
            study.add_trial(_trial(package, one, axes=axes, distributions=distributions))
        params: Mapping[str, Any] = study.ask(distributions).params
        return tuple(
            f"{axis.key}={params[axis.key] if isinstance(axis, Values) else axis.text(params[axis.key])}"
            for axis in axes
        )


def _trial(package: Any, one: Tried, *, axes: Sequence[Axis], distributions: Mapping[str, Any]) -> Any:
    """An arm as Optuna takes it; one that failed is told as pruned, which it ranks below all that have a score."""
    texts = dict(word.split("=", 1) for word in one.words)
    states = package.trial.TrialState
    return package.trial.create_trial(
        params={axis.key: _value(axis, texts[axis.key]) for axis in axes},
        distributions=dict(distributions),
        value=one.score if one.ended else None,
        state=states.RUNNING if not one.ended else states.PRUNED if one.score is None else states.COMPLETE,
    )


def _value(axis: Axis, text: str) -> str | int | float:
    if isinstance(axis, Values):
        return text
    return int(text) if axis.whole else float(text)


def _distribution(package: Any, axis: Axis) -> Any:
    kinds = package.distributions
    if isinstance(axis, Values):
        return kinds.CategoricalDistribution(axis.texts)
    if axis.whole:
        return kinds.IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return kinds.FloatDistribution(axis.low, axis.high, log=axis.log)
