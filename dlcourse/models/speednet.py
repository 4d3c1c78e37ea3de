"""A plain convolutional network for speed runs on small images (Jordan 2024, arXiv:2404.00498, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, max_pool2d, pad

WINDOW = 2  # pixels; side of the whitening convolution
SMALLEST = 9  # pixels; below, the third pooling leaves nothing of an image
EPS = 1e-12  # added to a variance


class Block(nn.Module):
    """Two 3x3 convolutions, pooling after the first: [B, in, H, W] -> [B, out, H // 2, W // 2]."""

    def __init__(
        self, in_channels: int, out_channels: int, *, norm_momentum: float = 0.4, even_maps: bool = False
    ) -> None:
        super().__init__()
        self.even_maps = even_maps
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels, eps=EPS, momentum=norm_momentum)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels, eps=EPS, momentum=norm_momentum)
        for conv in (self.conv1, self.conv2):
            # The first outputs repeat the inputs, a shortcut to begin with; the others start as torch has them.
            nn.init.dirac_(conv.weight.data[: conv.in_channels])
        for norm in (self.norm1, self.norm2):
            norm.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        if self.even_maps:
            # A negative pad keeps the layout of x and of its gradient; slicing would turn the latter's around.
            x = pad(x, (0, -(x.shape[3] % 2), 0, -(x.shape[2] % 2)))
        x = gelu(self.norm1(max_pool2d(self.conv1(x), 2)))
        return gelu(self.norm2(self.conv2(x)))


class SpeedNet(nn.Module):
    """Whitening, three blocks, one linear layer: images [B, C, H, W] -> logits [B, num_classes].

    Batch norm trains its shifts alone. The linear layer starts so that the logits do not depend on `logit_divisor`.

    Args:
        num_classes: how many logits; the data set says it.
        in_channels: colour planes of an image; the data set says it.
        image_size: side of the images in pixels, at least 9; the data set says it.
        widths: channels of the three blocks.
        whitening_bias: whether the first convolution adds a trained bias.
        freeze_whitening: whether the first convolution's weight stays as it starts, for init=whitening to fill.
        norm_momentum: share of its running statistics that batch norm renews in a step, in (0, 1]; the paper counts
            what it keeps, 0.6.
        even_maps: whether a block with an odd number of rows or columns leaves off the last one before it convolves,
            not after, where pooling drops it: at 32 pixels 1.13 times the images a second (docs/performance.md).
        logit_divisor: what the logits are divided by, which slows the linear layer under SGD by its square.

    Raises:
        ValueError: an argument is out of range.
    """

    takes: ClassVar[str] = "images"

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int = 3,
        image_size: int = 32,
        widths: Sequence[int] = (64, 256, 256),
        whitening_bias: bool = True,
        freeze_whitening: bool = False,
        norm_momentum: float = 0.4,
        even_maps: bool = False,
        logit_divisor: float = 9.0,
    ) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, not {num_classes}")
        if image_size < SMALLEST:
            raise ValueError(f"image_size must be at least {SMALLEST} pixels, not {image_size}")
        if len(widths) != 3 or min(widths) < 1:
            raise ValueError(f"widths must be three numbers of channels, each at least 1, not {list(widths)}")
        if not 0 < logit_divisor < float("inf"):
            raise ValueError(f"logit_divisor must be positive, not {logit_divisor}")
        if not 0 < norm_momentum <= 1:
            raise ValueError(f"norm_momentum must be above 0 and at most 1, not {norm_momentum}")
        self.logit_divisor = logit_divisor
        # Every direction of a patch and its opposite, since the activation keeps one side of each.
        directions = 2 * in_channels * WINDOW**2
        self.whiten = nn.Conv2d(in_channels, directions, WINDOW, bias=whitening_bias)
        self.whiten.weight.requires_grad_(not freeze_whitening)
        sizes = (directions, *widths)
        self.blocks = nn.Sequential(
            *(
                Block(before, after, norm_momentum=norm_momentum, even_maps=even_maps)
                for before, after in zip(sizes, widths, strict=False)
            )
        )
        self.head = nn.Linear(widths[-1], num_classes, bias=False)
        nn.init.normal_(self.head.weight, std=logit_divisor / widths[-1])

    def forward(self, images: Tensor) -> Tensor:
        x = self.blocks(gelu(self.whiten(images)))
        x = torch.flatten(max_pool2d(x, x.shape[2:]), 1)
        return self.head(x) / self.logit_divisor
