"""What the loop knows of a task: a loss, statistics that add, and what to show."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Generic, TypeVar

from torch import Tensor, nn

from dlcourse.data.base import Batch, Split
from dlcourse.media import Media
from dlcourse.metrics import Stats

B = TypeVar("B", bound=Batch)
S = TypeVar("S", bound=Stats)


class Task(ABC, Generic[B, S]):
    """What is minimised, what is counted, what is shown; it never names a model or a data set."""

    takes: ClassVar[str]
    """The kind of batch that it works on, such as "images"."""

    best: ClassVar[tuple[str, str]]
    """The validation number that picks the best epoch and its better direction: ("accuracy", "max")."""

    afterwards: ClassVar[tuple[str, ...]] = ()
    """Command lines that use what was trained, `{run}` standing for the run: 'predict run={run} "a text"'."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: B) -> Tensor:
        """The scalar to minimise: the mean over the batch's valid items, in nats."""

    @abstractmethod
    def evaluate(self, model: nn.Module, batch: B) -> S:
        """Statistics of one batch; those of many batches add."""

    def show(self, stats: S, split: Split[B], *, model: nn.Module) -> Mapping[str, Media]:
        """Pictures of a whole split's statistics, by name; empty unless a task has any.

        `model` is the one that the statistics are of, in evaluation mode; it is still so when a picture is drawn.
        """
        return {}

    def conclude(self, test: S, *, val: S) -> Mapping[str, float]:
        """Finite numbers of the test split that need validation as well, such as what is fitted there.

        A task that has any overrides it; for others validation is not gone through again.
        """
        return {}

    def predictions(self, stats: S) -> Mapping[str, Tensor]:
        """Arrays for predictions.npz (index, label, scores), as long as the split; empty unless a task has any."""
        return {}
