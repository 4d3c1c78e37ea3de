"""Successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943): all arms are trained a little, the best go on.

They go on from their checkpoints, under the schedule of the whole length, so that an arm which comes to the end is what
it would have been alone. Who goes on is a function of the scores in the journal: a sweep that was killed decides again
what it had decided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

END = "the end"


@dataclass(frozen=True)
class Halving:
    """Where arms are stopped and how many go on. Rungs count from 0; the last one is the end of the training.

    Args:
        eta: of so many arms one goes on.
        stops: the lengths of all rungs but the last, such as 1ep; none trains every arm to its end.
    """

    eta: int = 1
    stops: tuple[str, ...] = ()

    @property
    def last(self) -> int:
        """The number of the last rung."""
        return len(self.stops)

    def stop(self, rung: int) -> str | None:
        """The length at which a trial of this rung stops; None at its end."""
        return self.stops[rung] if rung < self.last else None

    def called(self, rung: int) -> str:
        """The length as it is said."""
        return self.stop(rung) or END

    def climbed(self, arms: Sequence[int], *, score: Callable[[int, int], float | None]) -> list[list[int]]:
        """The arms of each rung as far as it is decided, those of the second and on the best first.

        Args:
            arms: the numbers of all arms.
            score: of an arm at a rung, more is better; None while it is not known, -inf if the arm is out.
        """
        found = [list(arms)]
        for rung in range(self.last):
            scores: list[tuple[float, int]] = []
            for arm in found[-1]:
                if (value := score(arm, rung)) is None:
                    return found
                if value > -math.inf:
                    scores.append((-value, arm))
            found.append([arm for _, arm in sorted(scores)[: self.kept(len(found[-1]))]])
        return found

    def kept(self, arms: int) -> int:
        """How many of so many arms go on: one in `eta`, and the last one always."""
        return min(arms, max(1, arms // self.eta))

    def sizes(self, known: Sequence[int]) -> list[int]:
        """How many arms each rung has if none fails, where the first rungs have as many as `known` says."""
        found = list(known)
        while len(found) <= self.last:
            found.append(self.kept(found[-1]))
        return found
