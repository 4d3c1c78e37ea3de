"""LeNet-5 (LeCun et al. 1998, "Gradient-based learning applied to document recognition", section II.B)."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor, nn

SMALLEST = 12  # pixels; below, nothing is left of an image after the second convolution


class LeNet5(nn.Module):
    """The classic small convolutional network: images [B, C, H, W] -> logits [B, num_classes].

    The paper's 6 and 16 maps and 120 and 84 units. The paper pads 28-pixel digits to 32; here the first
    convolution pads images smaller than 32 instead.

    Args:
        num_classes: how many logits; the data set says it.
        in_channels: colour planes of an image; the data set says it.
        image_size: side of the images in pixels, at least 12; the data set says it.
        activation: relu as in today's courses, or the paper's tanh.
        pooling: max as in today's courses, or the paper's averages.
    """

    takes: ClassVar[str] = "images"

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int = 1,
        image_size: int = 32,
        activation: Literal["relu", "tanh"] = "relu",
        pooling: Literal["max", "average"] = "max",
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, not {num_classes}")
        if image_size < SMALLEST:
            raise ValueError(f"image_size must be at least {SMALLEST} pixels, not {image_size}")
        padding = 2 if image_size < 32 else 0
        side = ((image_size + 2 * padding - 4) // 2 - 4) // 2
        act: type[nn.Module] = {"relu": nn.ReLU, "tanh": nn.Tanh}[activation]
        pool: type[nn.Module] = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}[pooling]
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 6, 5, padding=padding), act(), pool(2),
            nn.Conv2d(6, 16, 5), act(), pool(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(16 * side * side, 120), act(), nn.Linear(120, 84), act(), nn.Linear(84, num_classes)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier(self.features(images))
