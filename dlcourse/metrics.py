"""Statistics that add: batches are summed, and `summary()` divides once."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from dlcourse.calibration import expected_calibration_error


class Stats(ABC):
    """What was counted over some items; the sum of two counts both."""

    @abstractmethod
    def __add__(self, other: Self) -> Self:
        """The statistics of both sets of items."""

    @abstractmethod
    def summary(self) -> dict[str, float]:
        """The finite numbers by name; one that these items do not define is left out."""

    def details(self) -> dict[str, float]:
        """Finer numbers, such as `recall/cat`: too many for every validation; empty unless a task has any."""
        return {}


@dataclass(frozen=True, eq=False)
class Scored:
    """One batch: `logits` float32 [B, K] and `labels` int64 [B] on the model's device, `indices` int64 [B]."""

    logits: Tensor
    labels: Tensor
    indices: Tensor


@dataclass(frozen=True, eq=False)
class ClassificationStats(Stats):
    """One label for each item out of K classes.

    The batches stay as they came, on the device that made them, until a number is asked for: adding waits for no
    device and copies no tensor. Everything is then counted in float64 on the CPU in the order of the indices, so it
    depends neither on how the items were batched nor on their order.
    """

    parts: tuple[Scored, ...]
    classes: tuple[str, ...]

    @classmethod
    def from_logits(
        cls, logits: Tensor, labels: Tensor, *, indices: Tensor, classes: Sequence[str] | None = None
    ) -> Self:
        """The statistics of one batch.

        Args:
            logits: [B, K], any floating type.
            labels: whole numbers [B] in 0..K-1.
            indices: whole numbers [B], where the items stand in their split; all different over what is added.
            classes: K names; the class numbers if None.

        Raises:
            ValueError: the shapes do not fit each other.
        """
        names = tuple(classes) if classes is not None else tuple(map(str, range(logits.shape[-1])))
        if logits.shape != (len(labels), len(names)):
            raise ValueError(f"logits {list(logits.shape)} must be [{len(labels)} labels, {len(names)} classes]")
        if labels.shape != indices.shape:
            raise ValueError(f"indices {list(indices.shape)} must have the shape of labels {list(labels.shape)}")
        # A copy, because a compiled model may write its next output into the same memory.
        kept = logits.detach().to(torch.float32, copy=True)
        return cls((Scored(kept, labels.detach().long(), indices.detach().long()),), names)

    # Statistics add to their own kind alone, which `Self` says and a substitutable argument could not.
    def __add__(self, other: Self) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The statistics of both sets of items.

        Raises:
            ValueError: they have other classes.
        """
        if self.classes != other.classes:
            raise ValueError(f"statistics of {len(self.classes)} and of {len(other.classes)} other classes do not add")
        return replace(self, parts=self.parts + other.parts)

    @cached_property
    def _joined(self) -> Scored:
        """All items as one batch on the CPU, in the order of their indices."""
        indices = torch.cat([part.indices for part in self.parts]).cpu()
        logits = torch.cat([part.logits for part in self.parts]).cpu()
        labels = torch.cat([part.labels for part in self.parts]).cpu()
        order = indices.argsort(stable=True)
        return Scored(logits[order], labels[order], indices[order])

    @property
    def count(self) -> int:
        """How many items."""
        return sum(len(part.labels) for part in self.parts)

    @property
    def indices(self) -> Tensor:
        """Int64 [N]: where the items stand in their split, ascending."""
        return self._joined.indices

    @property
    def labels(self) -> Tensor:
        """Int64 [N]: the true classes."""
        return self._joined.labels

    @property
    def logits(self) -> Tensor:
        """Float32 [N, K], as the model gave them."""
        return self._joined.logits

    @cached_property
    def predictions(self) -> Tensor:
        """Int64 [N]: the most probable classes; the first of several that tie."""
        return self.logits.argmax(1)

    @cached_property
    def log_probabilities(self) -> Tensor:
        """Float64 [N, K], nats."""
        return self.logits.double().log_softmax(1)

    @cached_property
    def probabilities(self) -> Tensor:
        """Float64 [N, K]; every row sums to 1."""
        return self.log_probabilities.exp()

    @cached_property
    def losses(self) -> Tensor:
        """Float64 [N]: the cross entropy of each item, nats."""
        return -self.log_probabilities.gather(1, self.labels[:, None])[:, 0]

    @cached_property
    def confusion(self) -> Tensor:
        """Int64 [K, K]: how many items of the row's class were taken for the column's class."""
        size = len(self.classes)
        return (self.labels * size + self.predictions).bincount(minlength=size * size).view(size, size)

    def summary(self) -> dict[str, float]:
        """Loss (nats), accuracy, top5 (more than 5 classes), precision, recall and F1, ROC-AUC, calibration error.

        `_macro` is the plain mean over the classes that occur among the labels or the predictions, `_weighted` the
        mean over items, as scikit-learn has them with `zero_division=0`; of two classes the second is what is looked
        for, and the plain `precision`, `recall` and `f1` are its own. `roc_auc` is one against the rest, the mean over
        the classes that some items have and some have not.
        """
        if not self.count:
            return {}
        numbers = {"loss": self.losses.mean().item(), "accuracy": self._hits.double().mean().item()}
        if len(self.classes) > 5:
            numbers["top5"] = (self._ranks() < 5).double().mean().item()
        support = self.confusion.sum(1).double()
        occurs = (self.confusion.sum(0) + self.confusion.sum(1)) > 0
        for name, values in precision_recall_f1(self.confusion).items():
            if len(self.classes) == 2:
                numbers[name] = values[1].item()
            numbers[f"{name}_macro"] = values[occurs].mean().item()
            numbers[f"{name}_weighted"] = (values * support).sum().item() / self.count
        numbers["roc_auc"] = self._roc_auc()
        confidence = self.probabilities.gather(1, self.predictions[:, None])[:, 0]
        numbers["ece"] = expected_calibration_error(confidence, hits=self._hits)
        return {name: number for name, number in numbers.items() if math.isfinite(number)}

    def per_class(self) -> dict[str, dict[str, float]]:
        """Precision, recall, F1 and support (items) of each class, by its name; 0 where nothing was divided by 0."""
        columns = precision_recall_f1(self.confusion) | {"support": self.confusion.sum(1).double()}
        return {
            name: {column: values[place].item() for column, values in columns.items()}
            for place, name in enumerate(self.classes)
        }

    def details(self) -> dict[str, float]:
        """Precision, recall and F1 of each class as `precision/cat`, `recall/cat`, `f1/cat`."""
        return {
            f"{column}/{name}": number
            for name, columns in self.per_class().items()
            for column, number in columns.items()
            if column != "support"
        }

    @property
    def _hits(self) -> Tensor:
        return self.predictions == self.labels

    def _ranks(self) -> Tensor:
        """Int64 [N]: how many classes stand before the true one; of equals the first stands first, as in argmax."""
        logits, labels = self.logits, self.labels[:, None]
        own = logits.gather(1, labels)
        later = torch.arange(len(self.classes)) >= labels
        # Written as "not behind", so that a NaN is never a hit.
        return (~((logits < own) | ((logits == own) & later))).sum(1)

    def _roc_auc(self) -> float:
        areas = [roc_auc(scores, hits=self.labels == place) for place, scores in enumerate(self.probabilities.T)]
        defined = [area for area in areas if not math.isnan(area)]
        return math.fsum(defined) / len(defined) if defined else math.nan


def precision_recall_f1(confusion: Tensor) -> dict[str, Tensor]:
    """`precision`, `recall` and `f1`, float64 [K] each, from counts [K, K] with the truth in rows; 0/0 is 0."""
    right = confusion.diagonal().double()
    predicted, present = confusion.sum(0), confusion.sum(1)
    return {
        "precision": right / predicted.clamp(min=1),
        "recall": right / present.clamp(min=1),
        "f1": 2 * right / (predicted + present).clamp(min=1),
    }


def roc_auc(scores: Tensor, *, hits: Tensor) -> float:
    """The chance that a hit scores above another item, ties counting half (Mann and Whitney 1947).

    `scores` are floats [N], `hits` bool [N]; NaN if all or no items are hits, or if a score is NaN.
    """
    positive = int(hits.sum())
    negative = len(hits) - positive
    if not positive or not negative or bool(scores.isnan().any()):
        return math.nan
    ascending = scores.sort().values
    of_hits = scores[hits].contiguous()
    below = torch.searchsorted(ascending, of_hits, right=False).sum()
    not_above = torch.searchsorted(ascending, of_hits, right=True).sum()
    # Twice the pairs won: items below plus items not above, less the pairs of two hits, all whole numbers.
    twice_won = int(below + not_above) - positive * positive
    return twice_won / (2 * positive * negative)
