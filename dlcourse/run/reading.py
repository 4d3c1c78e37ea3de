"""What a classifier makes of a text: class, probabilities, and how much each word seems to count for it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.data.texts import TextSplit
from dlcourse.run.classifier import Classifier
from dlcourse.tasks.attribution import attention, has_captum, integrated_gradients, normalised_entropy
from dlcourse.tasks.deletion import keep, most
from dlcourse.text.ragged import Ragged
from dlcourse.text.vocab import UNK_ID

BATCH = 256
EXPLAINED = 16  # documents explained at once
SHARE = 0.1  # of the words, deleted to check each method
DRAWS = 20  # random choices of words whose effect is averaged


@dataclass(frozen=True)
class Reading:
    """One text as a run reads it.

    Args:
        text: the whole text.
        probabilities: what each class gets, in 0..1.
        words: what the model saw; an empty text is one `<unk>`.
        unknown: for each of them whether it stands outside the vocabulary.
        total: how many words the whole text has.
        head: how many of `words` stand at the text's beginning, all others at its end; None if all of it was read.
        attention: float [words], sums to 1; empty if it was not computed.
        integrated_gradients: float [words], nats for (below 0: against) the label; empty if not computed.
        random: float [words] in 0..1, the control; empty if not computed.
        entropy: attention's normalised entropy, 1 being flat; None if not computed.
        without: by method, the label's probability once the top tenth of the words is deleted; "random" is the mean
            of 20 draws.
        true_label: what the text's file says it is; None if it says nothing.
    """

    text: str
    probabilities: Mapping[str, float]
    words: tuple[str, ...]
    unknown: tuple[bool, ...]
    total: int
    head: int | None = None
    attention: tuple[float, ...] = ()
    integrated_gradients: tuple[float, ...] = ()
    random: tuple[float, ...] = ()
    entropy: float | None = None
    without: Mapping[str, float] = field(default_factory=dict[str, float])
    true_label: str | None = None

    @property
    def label(self) -> str:
        """The most probable class."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def empty(self) -> bool:
        """Whether there was nothing to read."""
        return self.total == 0

    @property
    def explained(self) -> bool:
        """Whether every method was computed that can be, and not at most attention."""
        return bool(self.random)

    @property
    def truncated(self) -> bool:
        """Whether the model saw but a part of it."""
        return len(self.words) < self.total


def read_texts(classifier: Classifier, texts: Sequence[str], *, explained: int, attend: bool = False) -> list[Reading]:
    """A reading of each text, in their order.

    Args:
        classifier: the run.
        texts: any strings.
        explained: for how many, from the first, every method is computed; integrated gradients if captum is here.
        attend: whether all others get their attention too.

    Raises:
        RunError: the model gives something that is no number.
    """
    if not texts:
        return []
    split = classifier.split(texts)
    order = torch.cat(list(split.batches_in_order(BATCH)))
    probabilities = torch.empty(len(texts), len(classifier.classes), dtype=torch.float64)
    for indices in _batches(order, BATCH):
        probabilities[indices] = classifier.probabilities(*split.fetch(indices).inputs)
    readings = _without_scores(classifier, texts, split=split, probabilities=probabilities)
    limit = len(texts) if attend else explained
    for indices in _batches(order[order < limit], BATCH):
        for index, changes in zip(indices.tolist(), _attended(classifier, split, indices), strict=True):
            readings[index] = replace(readings[index], **changes)
    for indices in _batches(order[order < explained], EXPLAINED):
        labels = probabilities[indices].argmax(1)
        draws = [chances(one.text, len(one.words)) for one in (readings[index] for index in indices.tolist())]
        explanations = _explained(classifier, split, indices, labels=labels, draws=draws)
        for index, changes in zip(indices.tolist(), explanations, strict=True):
            readings[index] = replace(readings[index], **changes)
    return readings


def _batches(order: Tensor, size: int) -> tuple[Tensor, ...]:
    return order.split(size) if len(order) else ()  # torch splits nothing into one empty part


def _without_scores(
    classifier: Classifier, texts: Sequence[str], *, split: TextSplit, probabilities: Tensor
) -> list[Reading]:
    """What is known of every text before any word is weighed."""
    pieces = [classifier.encoder.pieces(text) for text in texts]
    # Cut as the documents are, numbered words say which of them the model sees.
    places = replace(split, documents=Ragged.join([_numbered(words) for words in pieces]))
    nothing = classifier.encoder.token(UNK_ID)
    readings: list[Reading] = []
    for index, (text, words, row) in enumerate(zip(texts, pieces, probabilities.tolist(), strict=True)):
        kept = places.document(index) if words else []
        seen = tuple(words[place] for place in kept) or (nothing,)
        head = sum(place == number for number, place in enumerate(kept)) if 0 < len(kept) < len(words) else None
        unknown = (id == UNK_ID for id in split.document(index))
        found = dict(zip(classifier.classes, row, strict=True))
        readings.append(Reading(text, found, seen, tuple(unknown), total=len(words), head=head))
    return readings


def _attended(classifier: Classifier, split: TextSplit, indices: Tensor) -> list[dict[str, object]]:
    """Attention and its entropy of each of these documents."""
    tokens, lengths = split.fetch(indices).inputs
    weights = attention(classifier.model, tokens, lengths, target=lengths)
    entropies = normalised_entropy(weights, lengths).tolist()
    return [
        {"attention": row, "entropy": entropy} for row, entropy in zip(_rows(weights, lengths), entropies, strict=True)
    ]


def _explained(
    classifier: Classifier, split: TextSplit, indices: Tensor, *, labels: Tensor, draws: Sequence[Tensor]
) -> list[dict[str, object]]:
    """The other scores of each of these documents, and what deleting the top words of each method leaves.

    Args:
        classifier: the run.
        split: the texts.
        indices: int64 [B].
        labels: int64 [B], the classes that they get.
        draws: of each document what `chances` gives.
    """
    tokens, lengths = split.fetch(indices).inputs
    model, target = classifier.model, labels.to(tokens.device)
    # [1 + DRAWS, B, T]: the control that is shown, which also orders equal scores, and the choices that are averaged.
    chance = torch.stack([nn.functional.pad(one, (0, tokens.shape[1] - one.shape[1])) for one in draws], 1)
    control, choices = chance[0].to(tokens.device), chance[1:].to(tokens.device)
    scores = {"attention": attention(model, tokens, lengths, target=target)}
    if has_captum():
        scores["integrated_gradients"] = integrated_gradients(model, tokens, lengths, target=target)

    left = {
        name: _without(classifier, tokens, lengths, labels=labels, scores=by, ties=control)
        for name, by in scores.items()
    }
    # Every document DRAWS times, in batches as large as those of plain reading.
    parts = zip(
        tokens.repeat(DRAWS, 1).split(BATCH),
        lengths.repeat(DRAWS).split(BATCH),
        labels.repeat(DRAWS).split(BATCH),
        choices.flatten(0, 1).split(BATCH),
        strict=True,
    )
    drawn = [_without(classifier, some, long, labels=these, scores=by, ties=by) for some, long, these, by in parts]
    left["random"] = torch.cat(drawn).view(DRAWS, len(labels)).mean(0)
    signed = scores.get("integrated_gradients")
    rows = _rows(signed, lengths) if signed is not None else [()] * len(indices)
    return [
        {
            "integrated_gradients": row,
            "random": chance,
            "without": {name: float(values[place]) for name, values in left.items()},
        }
        for place, (row, chance) in enumerate(zip(rows, _rows(control, lengths), strict=True))
    ]


def _without(
    classifier: Classifier, tokens: Tensor, lengths: Tensor, *, labels: Tensor, scores: Tensor, ties: Tensor
) -> Tensor:
    """The labels' probabilities, float64 [B], once the words with the highest scores are deleted."""
    top = most(scores, lengths, share=SHARE, ties=ties)
    left = classifier.probabilities(*keep(tokens, lengths, ~top))
    return left.gather(1, labels[:, None])[:, 0]


def chances(text: str, words: int) -> Tensor:
    """Float [1 + DRAWS, words] in 0..1 from a seed of the text itself: in any company it gets the same."""
    seed = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:7], "big")
    return torch.rand(1 + DRAWS, words, generator=torch.Generator().manual_seed(seed))


def _rows(scores: Tensor, lengths: Tensor) -> list[tuple[float, ...]]:
    """Each document's numbers without its padding."""
    pairs = zip(scores.tolist(), lengths.tolist(), strict=True)
    return [tuple(row[:length]) for row, length in pairs]


def _numbered(words: Sequence[str]) -> Ragged:
    return Ragged(np.arange(len(words), dtype=np.int32), np.array([0, len(words)], dtype=np.int64))
