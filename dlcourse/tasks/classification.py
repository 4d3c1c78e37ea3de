"""Classification: one label for each item, learned by cross entropy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dlcourse.calibration import expected_calibration_error, fit_temperature
from dlcourse.data.base import Batch, Split
from dlcourse.media import Media, Picture, PrecisionRecall
from dlcourse.metrics import ClassificationStats
from dlcourse.tasks import figures
from dlcourse.tasks.base import Task
from dlcourse.tasks.mirrored import with_mirror_images
from dlcourse.tasks.mixing import Mixing, partners

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CURVES = 10
MOST_MISTAKES = 25


class LabelledBatch(Batch, Protocol):
    """Items with one label each; `model(*batch.inputs)` gives logits [B, K]."""

    @property
    def labels(self) -> Tensor:
        """Int64 [B]: the true classes, 0..K-1."""
        ...


@runtime_checkable
class HasPixels(Protocol):
    """A split whose items can be looked at."""

    def pixels(self, indices: Tensor) -> Tensor:
        """Uint8 [B, H, W, C]: the items at `indices` (int64 [B], on the CPU) as they are, C being 1 or 3."""
        ...


class Classification(Task[LabelledBatch, ClassificationStats]):
    """One label for each item, by cross entropy.

    Args:
        label_smoothing: the share of each label that is spread evenly over all classes, at least 0 and below 1.
        class_weights: one factor for the loss of each class, for classes of unequal size; null weighs all alike.
        mixup: adds the images of a training batch in pairs, at shares drawn from Beta(mixup, mixup); 0 is off.
        cutmix: pastes rectangles between them, their sizes drawn from Beta(cutmix, cutmix); 0 is off. With both on each
            batch gets one of the two at random.
        mirror: whether the test also takes the mean over each image and its mirror image, in twice the time.
        classes: the names of the classes; filled from the data.
        num_classes: how many classes there are; filled from the data.

    Raises:
        ValueError: an argument is out of range, or the number of weights or names is not that of the classes.
    """

    takes: ClassVar[str] = "images"
    best: ClassVar[tuple[str, str]] = ("accuracy", "max")

    def __init__(
        self,
        *,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        mixup: float = 0.0,
        cutmix: float = 0.0,
        mirror: bool = False,
        classes: Sequence[str] | None = None,
        num_classes: int | None = None,
    ) -> None:
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must be at least 0 and below 1, not {label_smoothing}")
        if classes is not None and num_classes is not None and len(classes) != num_classes:
            raise ValueError(f"classes has {len(classes)} names, but num_classes is {num_classes}")
        size = len(classes) if classes is not None else num_classes
        if class_weights is not None:
            if size is not None and len(class_weights) != size:
                raise ValueError(
                    f"class_weights has {len(class_weights)} numbers for {size} classes; give one for each"
                )
            if not all(math.isfinite(weight) and weight >= 0 for weight in class_weights) or not any(class_weights):
                raise ValueError(
                    f"class_weights must be finite, at least 0 and not all 0, not {[float(w) for w in class_weights]}"
                )
        self.label_smoothing = label_smoothing
        self.mixing = Mixing(mixup=mixup, cutmix=cutmix)
        self.mirror = mirror
        self.classes = tuple(classes) if classes is not None else None
        self._weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)

    def loss(self, model: nn.Module, batch: LabelledBatch) -> Tensor:
        """Cross entropy with smoothing and weights, nats: the sum over the batch divided by its items.

        It is divided by the number of items even with class weights (torch divides by the sum of their weights),
        so that the micro-batches of one step add up to the same gradient however it is cut. Of mixed images the loss
        is the same mix of their own labels' and their partners'.
        """
        if self.mixing == Mixing():
            logits: Tensor = model(*batch.inputs)
            return self.cross_entropies(logits, batch.labels).mean()
        (images,) = batch.inputs
        mixed, share = self.mixing.mix(images)
        logits = model(mixed)
        own = self.cross_entropies(logits, batch.labels)
        others = self.cross_entropies(logits, partners(batch.labels))
        return (share * own + (1 - share) * others).mean()

    def cross_entropies(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Float32 [B], nats, with smoothing and weights."""
        if self._weights is not None:
            # Stays there, so that only the first step copies.
            self._weights = self._weights.to(logits.device)
        # In float32 even under autocast: bf16 keeps two to three digits of a logarithm.
        return cross_entropy(
            logits.float(), labels, weight=self._weights, label_smoothing=self.label_smoothing, reduction="none"
        )

    def evaluate(self, model: nn.Module, batch: LabelledBatch) -> ClassificationStats:
        """The statistics of one batch; their loss is the plain cross entropy, so that runs compare."""
        logits: Tensor = model(*batch.inputs)
        return ClassificationStats.from_logits(logits, batch.labels, indices=batch.indices, classes=self.classes)

    def evaluate_test(self, model: nn.Module, batch: LabelledBatch) -> ClassificationStats:
        """The same and, if so asked, `loss_mirrored` and `accuracy_mirrored`: of the mean with the mirror images."""
        plain = self.evaluate(model, batch)
        if not self.mirror:
            return plain
        (images,) = batch.inputs
        return with_mirror_images(plain, model, images)

    def conclude(self, test: ClassificationStats, *, val: ClassificationStats) -> Mapping[str, float]:
        """`temperature`, fitted on validation, and `ece_scaled`, the test's calibration error with it.

        Empty where validation determines none (all right, or no better than chance) or the test has no finite one.
        """
        temperature = fit_temperature(val.logits, val.labels) if val.count and test.count else None
        if temperature is None:
            return {}
        confidence = (test.logits.double() / temperature).softmax(1).amax(1)
        scaled = expected_calibration_error(confidence, hits=test.predictions == test.labels)
        return {"temperature": temperature, "ece_scaled": scaled} if math.isfinite(scaled) else {}

    def show(self, stats: ClassificationStats, split: Split[LabelledBatch], *, model: nn.Module) -> Mapping[str, Media]:
        """`confusion`, `mistakes` (if the split's items can be looked at) and `precision_recall/<class>`."""
        shown: dict[str, Media] = {}
        if not stats.count:
            return shown
        shown["confusion"] = Picture(partial(figures.confusion_matrix, stats.confusion, classes=stats.classes))
        worst = worst_mistakes(stats, most=MOST_MISTAKES)
        if isinstance(split, HasPixels) and len(worst):
            shown["mistakes"] = Picture(partial(_draw_mistakes, stats, worst, split))
        for place in hardest_classes(stats, most=MOST_CURVES):
            shown[f"precision_recall/{stats.classes[place]}"] = PrecisionRecall(
                hits=stats.labels == place, scores=stats.probabilities[:, place].float()
            )
        return shown

    def predictions(self, stats: ClassificationStats) -> Mapping[str, Tensor]:
        """`index` and `label` int64 [N], `scores` float32 [N, K]: the probabilities, in the order of the split."""
        return {"index": stats.indices, "label": stats.labels, "scores": stats.probabilities.float()}


def worst_mistakes(stats: ClassificationStats, *, most: int) -> Tensor:
    """Int64 [<= most]: the places in `stats` of the wrong items with the highest loss, the worst first."""
    wrong = (stats.predictions != stats.labels).nonzero()[:, 0]
    return wrong[stats.losses[wrong].argsort(descending=True, stable=True)[:most]]


def hardest_classes(stats: ClassificationStats, *, most: int) -> list[int]:
    """The classes that some item has, in their order; of more than `most` those with the lowest F1."""
    per_class = list(stats.per_class().values())
    present = [place for place, numbers in enumerate(per_class) if numbers["support"]]
    return sorted(sorted(present, key=lambda place: per_class[place]["f1"])[:most])


def _draw_mistakes(stats: ClassificationStats, places: Tensor, split: HasPixels) -> Figure:
    return figures.mistakes(
        split.pixels(stats.indices[places]),
        truths=stats.labels[places].tolist(),
        predictions=stats.predictions[places].tolist(),
        probabilities=stats.probabilities[places].amax(1).tolist(),
        classes=stats.classes,
    )
