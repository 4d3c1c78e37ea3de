"""Language models that read in both directions: the next word from those before, the previous from those after."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self, cast

import torch
from torch import Tensor, nn

from dlcourse.data.base import Batch
from dlcourse.errors import ConfigError
from dlcourse.metrics import Stats
from dlcourse.tasks.base import Task
from dlcourse.tasks.sampled_softmax import draw, exact_losses, inclusion_chances, total_loss


class Encoding(Protocol):
    """What turns words into states."""

    embedding: nn.Embedding


class Predicting(Protocol):
    """A model of both directions whose scores are products with the rows of its embedding table."""

    encoder: Encoding
    output_bias: Tensor

    def states(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """[B, T, 2H]: those of both directions at every word."""
        ...

    def heads(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """From states [..., 2H], two [..., E]: what predicts the next word, and what predicts the previous one."""
        ...


@dataclass(frozen=True, eq=False)
class PerplexityStats(Stats):
    """Predicted words of both directions.

    Args:
        losses: float64 [2] on the model's device: the summed cross entropy of the next and of the previous words, nats.
        words: how many there are of each direction.
    """

    losses: Tensor
    words: int

    # Statistics add to their own kind alone, which `Self` says and a substitutable argument could not.
    def __add__(self, other: Self) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The statistics of both sets of words."""
        return type(self)(self.losses + other.losses, self.words + other.words)

    def summary(self) -> dict[str, float]:
        """`loss`, nats a word over both directions, and perplexities, its exponential: of both and of each."""
        if not self.words:
            return {}
        forward, backward = (self.losses / self.words).tolist()
        means = {"perplexity": (forward + backward) / 2, "perplexity_forward": forward, "perplexity_backward": backward}
        # Past 700 nats the exponential is not finite.
        perplexities = {name: math.exp(mean) for name, mean in means.items() if mean < 700}
        return {"loss": means["perplexity"], **perplexities} if math.isfinite(means["perplexity"]) else {}


class LanguageModel(Task[Batch, PerplexityStats]):
    """The next word from the forward states and the previous word from the backward states, by cross entropy.

    A document's first word is predicted by no forward state and its last by no backward one, so both directions
    predict as many; a document of one word predicts nothing. Evaluation normalises over the whole vocabulary,
    whatever training samples.

    Args:
        samples: how many words, on average, a training step normalises over; 0 is the whole vocabulary.
        score_every: evaluation scores one word in so many, the same ones each time; 1 is all of them.

    Raises:
        ValueError: samples is below 0 or score_every below 1.
    """

    takes: ClassVar[str] = "texts"
    best: ClassVar[tuple[str, str]] = ("perplexity", "min")

    def __init__(self, *, samples: int = 2048, score_every: int = 1) -> None:
        if samples < 0:
            raise ValueError(f"samples must be 0 (the whole vocabulary) or more, not {samples}")
        if score_every < 1:
            raise ValueError(f"score_every must be at least 1, not {score_every}")
        self.samples = samples
        self.score_every = score_every
        self._chances = torch.ones(0)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Mean cross entropy of the batch's predicted words in both directions, nats; sampled if so asked.

        Raises:
            ConfigError: the model predicts no words.
        """
        speaker = as_predicting(model)
        ahead, following, behind, preceding = predictions(speaker, *batch.inputs)
        weight = speaker.encoder.embedding.weight
        sample = None
        if 0 < self.samples < len(weight):
            if len(self._chances) != len(weight):
                self._chances = inclusion_chances(len(weight), samples=self.samples)
            sample = draw(self._chances, device=weight.device)
        hidden, targets = torch.cat([ahead, behind]), torch.cat([following, preceding])
        total = total_loss(hidden, targets, weight=weight, bias=speaker.output_bias, sample=sample)
        return total / max(1, len(targets))

    def evaluate(self, model: nn.Module, batch: Batch) -> PerplexityStats:
        """The exact statistics of the words of one batch that are scored."""
        speaker = as_predicting(model)
        scored = None if self.score_every == 1 else sparse(batch, every=self.score_every)
        ahead, following, behind, preceding = predictions(speaker, *batch.inputs, scored=scored)
        weight, bias = speaker.encoder.embedding.weight, speaker.output_bias
        pairs = ((ahead, following), (behind, preceding))
        losses = [exact_losses(hidden, targets, weight=weight, bias=bias).double().sum() for hidden, targets in pairs]
        return PerplexityStats(torch.stack(losses), len(following))


def sparse(batch: Batch, *, every: int) -> Tensor:
    """Bool [B, T]: one place in `every`, a function of the document's index alone, however it was batched."""
    width = batch.inputs[0].shape[1]
    return (torch.arange(width, device=batch.indices.device) + batch.indices[:, None]) % every == 0


def predictions(
    model: Predicting, tokens: Tensor, lengths: Tensor, *, scored: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What predicts, and the word that it should say, for every word that has a neighbour; no padding among them.

    Args:
        model: gives states and heads.
        tokens: int64 [B, T].
        lengths: int64 [B].
        scored: bool [B, T], the pairs of neighbours to keep, by the place of the first; None keeps all.

    Returns:
        Forward heads [M, E] with the next words int64 [M], backward heads [M, E] with the previous words int64 [M].
    """
    states = model.states(tokens, lengths)
    columns = torch.arange(tokens.shape[1], device=tokens.device)
    words = columns < lengths[:, None]
    # On a GPU this waits once a step: how many words there are is known to the device alone.
    places = words.flatten().nonzero()[:, 0]
    # Padding goes through the heads as well: the number of words is another in every batch, and oneDNN keeps code and
    # memory for each shape that it has met (5 GB after 300 steps).
    ahead, behind = (head.index_select(0, places) for head in model.heads(states.flatten(0, 1)))
    ids = tokens.flatten()[places]
    # Without padding a word's successor stands right behind it, unless it is its document's last.
    paired = columns < lengths[:, None] - 1
    has_next = (paired if scored is None else paired & scored).flatten()[places].nonzero()[:, 0]
    following = has_next + 1
    return ahead.index_select(0, has_next), ids[following], behind.index_select(0, following), ids[has_next]


def as_predicting(model: nn.Module) -> Predicting:
    """The model; ConfigError unless it can predict words."""
    missing = [name for name in ("states", "heads", "output_bias", "encoder") if not hasattr(model, name)]
    if missing:
        raise ConfigError(
            f"task: a language model has states, heads, output_bias and encoder, and {type(model).__name__} has no "
            f"{', '.join(missing)}; take a model that predicts words, or another task"
        )
    return cast(Predicting, model)
