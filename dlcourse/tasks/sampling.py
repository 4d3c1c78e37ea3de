"""How scores become chances: temperature, top k, nucleus (Holtzman et al. 2020, arXiv:1904.09751), no repetition."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor  # settings are checked before torch is loaded


@dataclass(frozen=True)
class Sampling:
    """How far the choice of a token departs from what the model says.

    Args:
        temperature: divides the log-probabilities: below 1 likely tokens gain, above 1 rare ones.
        top_k: how many of the most likely tokens may be chosen; None is all.
        top_p: the most likely tokens that together have this probability may be chosen; 1 is all.
        repetition: how many nats a token loses once it stands in the poem, however often. Unlike the factor of CTRL
            (Keskar et al. 2019, arXiv:1909.05858) it does not depend on where the scores have their zero.

    Raises:
        ValueError: an argument is out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    repetition: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"temperature must be positive, not {self.temperature}")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be 1 or more, or null for all, not {self.top_k}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {self.top_p}")
        if not 0 <= self.repetition < math.inf:
            raise ValueError(f"repetition must be 0 or more nats, not {self.repetition}")

    def weights(self, log_probs: Tensor, *, used: Tensor) -> Tensor:
        """Chances [B, V] to choose by, which need not sum to 1; at least one of each row is above 0.

        What may be chosen is settled first, so that top k and nucleus are counted among that alone.

        Args:
            log_probs: float [B, V], up to a constant for each row; -inf where a token must not be chosen, but nowhere
                in a whole row.
            used: int64 [B, T], the tokens that stand in the poem.
        """
        scores = log_probs
        if self.repetition and used.shape[1]:
            scores = scores.scatter(1, used, scores.gather(1, used) - self.repetition)
        if self.temperature != 1:
            scores = scores / self.temperature
        if self.top_k is not None and self.top_k < scores.shape[1]:
            least = scores.topk(self.top_k, dim=1).values[:, -1:]
            scores = scores.masked_fill(scores < least, -math.inf)
        chances = scores.softmax(1)
        if self.top_p == 1:
            return chances
        ranked, order = chances.sort(dim=1, descending=True)
        before = ranked.cumsum(1) - ranked  # of the first it is 0, so one is always left
        return chances.scatter(1, order, ranked.masked_fill(before >= self.top_p, 0.0))
