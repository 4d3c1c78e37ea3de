"""What the loop knows of a task: a loss, statistics that add, and what to show."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

from torch import Tensor, nn

from dlcourse.data.base import Batch, Split, Splits
from dlcourse.media import Media, Sketch, Table
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

    def evaluate_test(self, model: nn.Module, batch: B) -> S:
        """The same of a batch of the test split, which is looked at once and may be looked at longer."""
        return self.evaluate(model, batch)

    def show(self, stats: S, split: Split[B], *, model: nn.Module) -> Mapping[str, Media]:
        """Pictures of a whole split's statistics, by name; empty unless a task has any.

        `model` is the one that the statistics are of, in evaluation mode; it is still so when a picture is drawn.
        """
        return {}

    def sketch(self, model: nn.Module, split: Split[B]) -> Sketch:
        """What to show after each validation, and numbers that join its own; nothing unless a task has any.

        `model` is the one that was judged, in evaluation mode, under inference mode and autocast; `split` is the
        validation split. The answer must be a function of these two alone: what is random draws from a generator of
        its own, so that a resumed run shows and records what an unbroken one does.
        """
        return Sketch()

    def examine(self, model: nn.Module, splits: Splits, *, name: str, count: int) -> Sequence[Table]:
        """What takes too long for each validation, as tables for `dlcourse eval`; none unless a task has any.

        Args:
            model: the weights to examine, in evaluation mode, under inference mode and autocast.
            splits: on the model's device.
            name: the split that is evaluated: "train", "val" or "test".
            count: how many items of each kind to look at, 1 or more.
        """
        return ()

    def conclude(self, test: S, *, val: S) -> Mapping[str, float]:
        """Finite numbers of the test split that need validation as well, such as what is fitted there.

        A task that has any overrides it; for others validation is not gone through again.
        """
        return {}

    def predictions(self, stats: S) -> Mapping[str, Tensor]:
        """Arrays for predictions.npz (index, label, scores), as long as the split; empty unless a task has any."""
        return {}
