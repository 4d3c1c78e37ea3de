"""Statistics of images that a model saw as they are and mirrored (Jordan 2024, arXiv:2404.00498, section 3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from torch import Tensor, nn

from dlcourse.metrics import ClassificationStats, Scored

LASTING = ("loss", "accuracy")
"""The numbers that are given of the mean as well."""


@dataclass(frozen=True, eq=False)
class MirroredStats(ClassificationStats):
    """What is counted of the images as they are, and loss and accuracy of the mean over each and its mirror image.

    Args:
        mirrored: the batches again, with the mean of both logits.
    """

    mirrored: tuple[Scored, ...] = ()

    def __add__(self, other: Self) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The statistics of both sets of images.

        Raises:
            ValueError: they have other classes.
        """
        return replace(super().__add__(other), mirrored=self.mirrored + other.mirrored)

    def summary(self) -> dict[str, float]:
        """Those of the images as they are, `loss_mirrored` (nats) and `accuracy_mirrored`."""
        mean = ClassificationStats(self.mirrored, self.classes).summary()
        return super().summary() | {f"{name}_mirrored": mean[name] for name in LASTING if name in mean}


def with_mirror_images(plain: ClassificationStats, model: nn.Module, images: Tensor) -> MirroredStats:
    """The statistics of one batch, and those of the mean of its logits and the logits of its mirror images.

    Args:
        plain: of the batch as it is.
        model: gives logits [B, K] of images.
        images: [B, C, H, W], those of the batch.
    """
    (seen,) = plain.parts
    logits: Tensor = model(images.flip(-1))
    mean = (seen.logits + logits.detach().float()) / 2
    return MirroredStats(plain.parts, plain.classes, (replace(seen, logits=mean),))
