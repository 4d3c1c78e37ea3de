"""What a task can show beside numbers: figures and curves that observers write down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """A figure drawn only when somebody looks: `draw()` gives a matplotlib Figure."""

    draw: Callable[[], Figure]


@dataclass(frozen=True)
class PrecisionRecall:
    """A precision-recall curve: `hits` bool [N] (is the class), `scores` float [N] in 0..1."""

    hits: Tensor
    scores: Tensor


Media = Picture | PrecisionRecall
