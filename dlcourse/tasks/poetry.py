"""Language models of poems: the next character from those before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self, cast

import torch
from torch import Tensor, nn

from dlcourse.data.base import Batch, Split, Splits
from dlcourse.data.poems import PoemSplit
from dlcourse.errors import ConfigError
from dlcourse.media import Sketch, Table
from dlcourse.metrics import Stats
from dlcourse.tasks import poem_samples, poem_tables
from dlcourse.tasks.base import Task
from dlcourse.tasks.full_softmax import total_loss
from dlcourse.tasks.sampled_softmax import exact_losses
from dlcourse.text.characters import RESERVED
from dlcourse.text.vocab import UNK_ID


class Poems(Batch, Protocol):
    """Poems whose tokens after the first are to be predicted; `weight` is how many these are."""

    @property
    def targets(self) -> Tensor:
        """Int64 [B, T]: the token behind each one that the model is given, padded with 0."""
        ...


class Predicting(Protocol):
    """A model whose scores are products with the rows of a table."""

    output_bias: Tensor

    @property
    def output_weight(self) -> Tensor:
        """[V, E]: a row for each token."""
        ...

    def outputs(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """[B, T, E]: what predicts the token behind each one."""
        ...


@dataclass(frozen=True, eq=False)
class PoetryStats(Stats):
    """Predicted tokens, and the characters among them.

    Args:
        losses: float64 [2] on the model's device: the summed cross entropy of all tokens and of characters, nats.
        counts: int64 [2] there: how many tokens, and how many of them characters.
    """

    losses: Tensor
    counts: Tensor

    # Statistics add to their own kind alone, which `Self` says and a substitutable argument could not.
    def __add__(self, other: Self) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The statistics of both sets of tokens."""
        return type(self)(self.losses + other.losses, self.counts + other.counts)

    def summary(self) -> dict[str, float]:
        """`loss`, nats a token, and two perplexities, the exponential of such a mean.

        `perplexity` is over all predicted tokens: characters, punctuation and the end of the poem, but never the form
        token that a poem begins with. `perplexity_characters` is over the characters alone.
        """
        means = [
            loss / count if count else math.inf
            for loss, count in zip(self.losses.tolist(), self.counts.tolist(), strict=True)
        ]
        names = ("perplexity", "perplexity_characters")
        # Past 700 nats the exponential is not finite.
        perplexities = {name: math.exp(mean) for name, mean in zip(names, means, strict=True) if mean < 700}
        return {"loss": means[0], **perplexities} if math.isfinite(means[0]) else {}


class Poetry(Task[Poems, PoetryStats]):
    """The next character of poems, by cross entropy over the whole vocabulary.

    Args:
        label_smoothing: the share of a target that is spread evenly over the vocabulary in training.
        samples: poems of each form that TensorBoard shows after a validation, free and by the rules; 0 shows none.
        judged: free quatrains held against form, rhyme and tone after a validation (`compliance/...`); 0 judges none.

    Raises:
        ValueError: an argument is out of range.
    """

    takes: ClassVar[str] = "poems"
    best: ClassVar[tuple[str, str]] = ("perplexity", "min")
    afterwards: ClassVar[tuple[str, ...]] = ("generate run={run} form=7jue",)

    def __init__(self, *, label_smoothing: float = 0.0, samples: int = 1, judged: int = 64) -> None:
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must be at least 0 and below 1, not {label_smoothing}")
        for name, value in (("samples", samples), ("judged", judged)):
            if value < 0:
                raise ValueError(f"{name} must be 0 or more, not {value}")
        self.label_smoothing = label_smoothing
        self.samples, self.judged = samples, judged

    def loss(self, model: nn.Module, batch: Poems) -> Tensor:
        """Mean cross entropy of the batch's predicted tokens, nats.

        Raises:
            ConfigError: the model predicts no characters.
        """
        speaker = as_predicting(model)
        places = predicted_places(batch)
        total = total_loss(
            speaker.outputs(*batch.inputs).flatten(0, 1).index_select(0, places),
            batch.targets.flatten()[places],
            weight=speaker.output_weight,
            bias=speaker.output_bias,
            label_smoothing=self.label_smoothing,
        )
        return total / max(1, len(places))

    def evaluate(self, model: nn.Module, batch: Poems) -> PoetryStats:
        """The statistics of one batch; their loss is the plain cross entropy, so that runs compare."""
        speaker = as_predicting(model)
        places = predicted_places(batch)
        targets = batch.targets.flatten()[places]
        losses = exact_losses(
            speaker.outputs(*batch.inputs).flatten(0, 1).index_select(0, places),
            targets,
            weight=speaker.output_weight,
            bias=speaker.output_bias,
        ).double()
        characters = are_characters(targets)
        kinds = torch.stack([torch.ones_like(characters), characters])
        return PoetryStats(torch.where(kinds, losses, 0.0).sum(1), kinds.sum(1))

    def sketch(self, model: nn.Module, split: Split[Poems]) -> Sketch:
        """Poems of a fixed seed, and `compliance/...` of free ones; see `poem_samples`."""
        if not isinstance(split, PoemSplit):
            return Sketch()
        return poem_samples.sketch(model, split, samples=self.samples, judged=self.judged)

    def examine(self, model: nn.Module, splits: Splits, *, name: str, count: int) -> Sequence[Table]:
        """Rules kept, variety, copying and likelihood of quatrains, beside people's; see `poem_tables`."""
        train, judged = splits.train, getattr(splits, name)
        if not (isinstance(train, PoemSplit) and isinstance(judged, PoemSplit)):
            return ()
        return poem_tables.tables(model, train, judged, name=name, count=count, evaluate=self.evaluate)


def are_characters(tokens: Tensor) -> Tensor:
    """Bool, as large: neither punctuation nor the end of a poem; a character that the vocabulary lacks is one."""
    return (tokens >= len(RESERVED)) | (tokens == UNK_ID)


def predicted_places(batch: Poems) -> Tensor:
    """Int64 [M]: where the predicted tokens stand among the B * T flattened ones; no padding among them."""
    tokens, lengths = batch.inputs
    padding = torch.arange(tokens.shape[1], device=tokens.device) >= lengths[:, None]
    # As many as the batch says: counting them here would wait for the device.
    return padding.flatten().byte().argsort(stable=True)[: int(batch.weight)]


def as_predicting(model: nn.Module) -> Predicting:
    """The model; ConfigError unless it can predict characters."""
    missing = [name for name in ("outputs", "output_weight", "output_bias") if not hasattr(model, name)]
    if missing:
        raise ConfigError(
            f"task: a model of poems has outputs, output_weight and output_bias, and {type(model).__name__} has no "
            f"{', '.join(missing)}; take a model that predicts characters, or another task"
        )
    return cast(Predicting, model)
