"""What the loop knows of data: sets give facts and splits, splits give batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import torch
from torch import Tensor


class Batch(Protocol):
    """Items that go through the model together."""

    @property
    def indices(self) -> Tensor:
        """Int64 [B]: where the items stand in their split."""
        ...

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What the model is called with: `model(*batch.inputs)`."""
        ...

    @property
    def weight(self) -> float:
        """How many items the loss is a mean over (labels, valid tokens, ...)."""
        ...


B_co = TypeVar("B_co", bound=Batch, covariant=True)


@dataclass(frozen=True)
class Draw:
    """Names the random numbers of one pass of augmentation; sample i draws from (seed, epoch, i)."""

    seed: int
    epoch: int


class Split(ABC, Generic[B_co]):
    """One part of a data set, held in memory on one device."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 (hex) of everything that training sees: inputs, labels, order."""

    @abstractmethod
    def __len__(self) -> int:
        """How many items."""

    @abstractmethod
    def fetch(self, indices: Tensor, *, draw: Draw | None = None) -> B_co:
        """The items at `indices` (int64 [B], on the CPU), augmented if `draw` is given, on this split's device."""

    @abstractmethod
    def to(self, device: torch.device, *, memory_format: torch.memory_format = torch.contiguous_format) -> Self:
        """The same split with its tensors on `device`; `memory_format` is what image batches are laid out in."""

    def steps(self, batch_size: int) -> int:
        """Optimizer steps in one epoch of `epoch_batches`."""
        return max(1, len(self) // batch_size)

    def epoch_batches(self, batch_size: int, *, seed: int, epoch: int) -> Sequence[Tensor]:
        """The shuffled batches of one epoch: a function of (seed, epoch) alone.

        Every batch is full, so a last handful of other samples sits out each epoch; a split smaller than
        `batch_size` is one batch.
        """
        generator = torch.Generator().manual_seed(mix(seed, epoch))
        order = torch.randperm(len(self), generator=generator)
        return order[: self.steps(batch_size) * batch_size].split(batch_size)

    def batches_in_order(self, batch_size: int) -> Sequence[Tensor]:
        """Every item once, in order, for evaluation; the last batch may be short."""
        return torch.arange(len(self)).split(batch_size)


@dataclass(frozen=True)
class Splits:
    """The three parts of a data set; the best epoch is chosen on `val`, `test` is touched once.

    Args:
        keepsakes: what a run keeps beside its config, file name -> text: the vocabulary that made the ids.
    """

    train: Split[Any]
    val: Split[Any]
    test: Split[Any]
    keepsakes: Mapping[str, str] = field(default_factory=dict[str, str])


class DataSet(ABC):
    """A data set as the config calls it: the constructor checks its arguments and reads nothing."""

    gives: ClassVar[str]
    """The kind of batch, such as "images"; a model names the kind that it `takes`."""

    @abstractmethod
    def facts(self) -> Mapping[str, object]:
        """What a model may ask for (num_classes, in_channels, image_size, ...), without reading the data."""

    @abstractmethod
    def load(self) -> Splits:
        """Read everything.

        Raises:
            DataError: a file is missing, damaged or cannot be fetched.
        """

    def settled(self) -> Mapping[str, object]:
        """Arguments that were left to the data, as it decided them; a run's config keeps them."""
        return {}

    def notes(self) -> list[str]:
        """What a reader of the results should know of the data, a line each; asked for after `load`."""
        return []


def mix(*numbers: int) -> int:
    """One 63-bit seed from several whole numbers (splitmix64 steps, Steele et al. 2014)."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = (state ^ (number & 0xFFFFFFFFFFFFFFFF)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        state = (state ^ state >> 27) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state >> 1
