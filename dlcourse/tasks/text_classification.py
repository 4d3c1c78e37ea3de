"""Classification of texts: documents without a label, virtual adversarial training, attention beside gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dlcourse.data.base import Split
from dlcourse.media import Media, Picture
from dlcourse.metrics import ClassificationStats
from dlcourse.tasks import attribution
from dlcourse.tasks.classification import Classification, LabelledBatch, worst_mistakes
from dlcourse.tasks.text_figures import Reading, draw_readings
from dlcourse.tasks.virtual_adversarial import with_divergence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MISTAKES_SHOWN = 4
RIGHT_SHOWN = 2
ATTENTION = "attention"


class Tokens(Protocol):
    """What knows the words behind ids."""

    def token(self, index: int) -> str:
        """The piece of an id."""
        ...


@runtime_checkable
class HasWords(Protocol):
    """A split whose documents can be read."""

    @property
    def encoder(self) -> Tokens:
        """Names the ids."""
        ...

    def document(self, index: int) -> list[int]:
        """The ids of one document, as a model sees them."""
        ...


class TextClassification(Classification):
    """One label for each document, by cross entropy over those that have one (-1: none).

    Args:
        label_smoothing: the share of each label that is spread evenly over all classes, at least 0 and below 1.
        class_weights: one factor for the loss of each class, for classes of unequal size; null weighs all alike.
        vat_weight: the weight of virtual adversarial training in the loss, over all documents; 0 leaves it out.
        vat_radius: how far a document's embedded words are pushed in it, in their standard deviations.
        vat_xi: how far for finding the direction: little, but not so little that rounding hides it (in bf16: 5).
        entropy_weight: the weight of the prediction's entropy in the loss, over all documents; 0 leaves it out.
        classes: the names of the classes; filled from the data.
        num_classes: how many classes there are; filled from the data.

    Raises:
        ValueError: an argument is out of range, or the number of weights or names is not that of the classes.
    """

    takes: ClassVar[str] = "texts"
    afterwards: ClassVar[tuple[str, ...]] = ('predict run={run} "a text"', "attribute run={run}")

    def __init__(
        self,
        *,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        vat_weight: float = 0.0,
        vat_radius: float = 5.0,
        vat_xi: float = 0.1,
        entropy_weight: float = 0.0,
        classes: Sequence[str] | None = None,
        num_classes: int | None = None,
    ) -> None:
        super().__init__(
            label_smoothing=label_smoothing, class_weights=class_weights, classes=classes, num_classes=num_classes
        )
        given = {"vat_weight": vat_weight, "vat_radius": vat_radius, "entropy_weight": entropy_weight}
        for name, value in given.items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be finite and at least 0, not {value}")
        if not (math.isfinite(vat_xi) and vat_xi > 0):
            raise ValueError(f"vat_xi must be finite and positive, not {vat_xi}")
        self.vat_weight, self.vat_radius, self.vat_xi = vat_weight, vat_radius, vat_xi
        self.entropy_weight = entropy_weight

    def loss(self, model: nn.Module, batch: LabelledBatch) -> Tensor:
        """Mean cross entropy of the documents with a label, and weighted means over all of what else is asked for.

        Raises:
            ConfigError: virtual adversarial training is asked for and the model's words cannot be pushed.
            TypeError: the model gives no logits, as a language model's.
        """
        divergence = None
        if self.vat_weight:
            tokens, lengths = batch.inputs
            logits, divergence = with_divergence(model, tokens, lengths, radius=self.vat_radius, xi=self.vat_xi)
        else:
            logits = model(*batch.inputs)
        if not isinstance(logits, Tensor):
            raise TypeError(f"it gives a {type(logits).__name__}, not logits [B, K]")
        labelled = batch.labels >= 0
        losses = self.cross_entropies(logits, batch.labels.clamp(min=0)).where(labelled, 0.0)
        loss = losses.sum() / labelled.sum().clamp(min=1)
        if divergence is not None:
            loss = loss + self.vat_weight * divergence.mean()
        if self.entropy_weight:
            loss = loss + self.entropy_weight * entropies(logits).mean()
        return loss

    def evaluate(self, model: nn.Module, batch: LabelledBatch) -> ClassificationStats:
        """The statistics of the documents with a label; their loss is the plain cross entropy."""
        logits: Tensor = model(*batch.inputs)
        known = batch.labels >= 0
        return ClassificationStats.from_logits(
            logits[known], batch.labels[known], indices=batch.indices[known], classes=self.classes
        )

    def show(self, stats: ClassificationStats, split: Split[LabelledBatch], *, model: nn.Module) -> Mapping[str, Media]:
        """What every classification shows, and `attention`: where the model looked, beside what counted."""
        shown = dict(super().show(stats, split, model=model))
        if stats.count and isinstance(split, HasWords):
            shown["attention"] = Picture(partial(_draw_attention, stats, split, model))
        return shown


def entropies(logits: Tensor) -> Tensor:
    """Of each row's probabilities, float32 [B], nats."""
    logs = logits.float().log_softmax(1)
    return -(logs.exp() * logs).sum(1)


def worth_reading(stats: ClassificationStats) -> Tensor:
    """Places in `stats`: the worst mistakes, then some that are right, the surest and the least sure."""
    right = (stats.predictions == stats.labels).nonzero()[:, 0]
    by_loss = right[stats.losses[right].argsort(stable=True)]
    ends = torch.linspace(0, max(0, len(by_loss) - 1), min(RIGHT_SHOWN, len(by_loss))).long()
    return torch.cat([worst_mistakes(stats, most=MISTAKES_SHOWN), by_loss[ends]])


def _draw_attention(stats: ClassificationStats, split: Split[LabelledBatch], model: nn.Module) -> Figure:
    """Each document as attention, integrated gradients and a random control weigh its words."""
    assert isinstance(split, HasWords)
    places = worth_reading(stats)
    tokens, lengths = split.fetch(stats.indices[places]).inputs
    target = stats.predictions[places].to(tokens.device)
    columns, notes = word_scores(model, tokens, lengths, target=target)
    titles = [_verdict(stats, place) for place in places.tolist()]
    if ATTENTION in columns:
        entropy = attribution.normalised_entropy(columns[ATTENTION].to(lengths.device), lengths).tolist()
        titles = [
            f"{title}, attention's normalised entropy {one:.3f}" for title, one in zip(titles, entropy, strict=True)
        ]
    readings: list[Reading] = []
    for row, (title, index) in enumerate(zip(titles, stats.indices[places].tolist(), strict=True)):
        words = [split.encoder.token(id) for id in split.document(index)]
        scores = {name: values[row, : len(words)].tolist() for name, values in columns.items()}
        readings.append(Reading(f"{title}, {len(words)} words", words, scores))
    return draw_readings(readings, notes=notes)


def word_scores(
    model: nn.Module, tokens: Tensor, lengths: Tensor, *, target: Tensor
) -> tuple[dict[str, Tensor], list[str]]:
    """What can be counted here, each float [B, T] on the CPU, and lines that say why something cannot."""
    columns: dict[str, Tensor] = {}
    notes = ["blue speaks for the prediction, red against it; the random control says what any colours would look like"]
    if isinstance(model, attribution.Attentive):
        columns[ATTENTION] = attribution.attention(model, tokens, lengths, target=target)
    else:
        notes.append(f"{type(model).__name__} has no attention to show")
    if attribution.has_captum():
        columns["integrated gradients"] = attribution.integrated_gradients(model, tokens, lengths, target=target)
    else:
        notes.append('integrated gradients need captum: pip install "dlcourse[explain]"')
    control = torch.Generator().manual_seed(0)
    columns["random control"] = attribution.random_order(model, tokens, lengths, target=target, generator=control)
    return {name: values.float().cpu() for name, values in columns.items()}, notes


def _verdict(stats: ClassificationStats, place: int) -> str:
    truth, prediction = int(stats.labels[place]), int(stats.predictions[place])
    # Rounded down: "100%" shall mean that nothing was left for the truth.
    percent = math.floor(100 * float(stats.probabilities[place, prediction]))
    return f"true {stats.classes[truth]} → predicted {stats.classes[prediction]} {percent}%"
