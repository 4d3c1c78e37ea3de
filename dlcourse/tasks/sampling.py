"""How scores become chances: temperature, top k, min-p (Nguyen et al. 2024, arXiv:2407.01082), nucleus (Holtzman et
al. 2020, arXiv:1904.09751), no repetition."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor  # settings are checked before torch is loaded

LEAST = 1e-30
"""What is left of a chance by the highest penalty on repetition; single precision ends at 1e-38."""
BELOW_ONE = 1 - 2.0**-20


@dataclass(frozen=True)
class Sampling:
    """How far the choice of a token departs from what the model says.

    Args:
        temperature: divides the log-probabilities: below 1 likely tokens gain, above 1 rare ones.
        top_k: how many of the most likely tokens may be chosen; None is all.
        min_p: how likely a token must be to be chosen, as a share of the likeliest one's chance: where the model is
            sure few are left, and many where it is not; 0 is all.
        top_p: the most likely tokens that together have this probability may be chosen; 1 is all.
        repetition: how many nats a token loses once it stands in the poem, however often. Unlike the factor of CTRL
            (Keskar et al. 2019, arXiv:1909.05858) it does not depend on where the scores have their zero.

    Raises:
        ValueError: an argument is out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    min_p: float = 0.0
    top_p: float = 1.0
    repetition: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"temperature must be positive, not {self.temperature}")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k must be 1 or more, or null for all, not {self.top_k}")
        if not 0 <= self.min_p <= 1:
            raise ValueError(f"min_p must be at least 0 and at most 1, not {self.min_p}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {self.top_p}")
        if not 0 <= self.repetition < math.inf:
            raise ValueError(f"repetition must be 0 or more nats, not {self.repetition}")

    def weights(self, chances: Tensor, *, used: Tensor) -> Tensor:
        """What to draw by under all settings but top_p: float [B, V], in the place of `chances`.

        What may be chosen is settled first, so that top k, min-p and nucleus are counted among that alone. Weights
        need not sum to 1; the largest of each row is 1.

        Args:
            chances: float [B, V], none negative, 0 where a token must not be chosen, but nowhere in a whole row; they
                need not sum to 1. Overwritten.
            used: int64 [B, T], the tokens that stand in the poem.
        """
        _scale(chances)
        if self.repetition and used.shape[1]:
            chances.scatter_(1, used, chances.gather(1, used) * max(math.exp(-self.repetition), LEAST))
            _scale(chances)
        if self.temperature != 1:
            chances **= 1 / self.temperature
        if self.top_k is not None and self.top_k < chances.shape[1]:
            chances *= chances >= chances.topk(self.top_k, dim=1).values[:, -1:]
        if self.min_p:
            from torch import threshold_

            threshold_(chances, self.min_p * BELOW_ONE, 0.0)  # which keeps what is above, not what is equal
        return chances


def _scale(chances: Tensor) -> None:
    """Make 1 of the largest of each row, so that none comes near to the smallest number there is."""
    chances /= chances.amax(1, keepdim=True)


USUAL = Sampling(min_p=0.01, repetition=1.0)
"""What `dlcourse generate` takes unless told otherwise: of what gave quatrains of Tang poems the variety of people's,
the settings that cost the least likelihood, with as many characters repeated as people repeat."""
