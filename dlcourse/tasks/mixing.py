"""Images mixed in pairs: mixup (Zhang et al. 2018, arXiv:1710.09412), CutMix (Yun et al. 2019, arXiv:1905.04899).

Each image's partner is the one before it in the batch, the first's the last. Training batches are shuffled anew in
each epoch, so this is a random partner, and no order has to reach the device. All random numbers come from the CPU's
default generator, which the loop starts anew for each step, so nothing waits for a GPU.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Beta


class Box(NamedTuple):
    """Rows `top` to `bottom` - 1 and columns `left` to `right` - 1 of an image; it may be empty."""

    top: int
    bottom: int
    left: int
    right: int


class Mixed(NamedTuple):
    """A mixed batch.

    Args:
        images: [B, C, H, W].
        share: how much of each image, and so of its loss, is its own, 0 to 1; the rest is its partner's.
    """

    images: Tensor
    share: float


@dataclass(frozen=True)
class Mixing:
    """What training does to the images of a batch; where both are on, each batch gets one of the two at random.

    Args:
        mixup: both parameters of the Beta distribution that the own share is drawn from, for adding images; 0 is off.
        cutmix: likewise for pasting a rectangle of the partner; 0 is off.

    Raises:
        ValueError: a parameter is negative or not finite.
    """

    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self) -> None:
        for name, alpha in (("mixup", self.mixup), ("cutmix", self.cutmix)):
            if not (math.isfinite(alpha) and alpha >= 0):
                raise ValueError(f"{name} must be finite and at least 0, not {alpha}")

    def mix(self, images: Tensor) -> Mixed:
        """The images [B, C, H, W] of one batch, mixed as the CPU's default generator says; as they are if all is off.

        One share holds for the whole batch, as in the authors' code.
        """
        pasting = self.cutmix > 0 and (not self.mixup or float(torch.rand(())) < 0.5)
        alpha = self.cutmix if pasting else self.mixup
        if not alpha:
            return Mixed(images, 1.0)
        share = float(Beta(alpha, alpha).sample())
        if not pasting:
            return Mixed(added(images, share=share), share)
        height, width = images.shape[2:]
        box = draw_box(share, height=height, width=width)
        return Mixed(pasted(images, box=box), kept(box, height=height, width=width))


def partners(items: Tensor) -> Tensor:
    """Of each of the items [B, ...] the one before it, of the first the last."""
    return torch.cat([items[-1:], items[:-1]])  # roll would lose channels_last on a GPU


def added(images: Tensor, *, share: float) -> Tensor:
    """`share` times each image and 1 - `share` times its partner: [B, C, H, W]."""
    return torch.lerp(images, partners(images), 1 - share)


def pasted(images: Tensor, *, box: Box) -> Tensor:
    """The images [B, C, H, W], what lies in the box taken from their partners."""
    rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
    mixed = images.clone()
    mixed[:, :, rows, columns] = partners(images[:, :, rows, columns])
    return mixed


def draw_box(share: float, *, height: int, width: int) -> Box:
    """A box shaped like the image with 1 - `share` of its pixels, around a random pixel and clipped at the border."""
    column, row = int(torch.randint(width, ())), int(torch.randint(height, ()))
    half = 0.5 * math.sqrt(1 - share)
    down, across = int(half * height), int(half * width)
    return Box(max(row - down, 0), min(row + down, height), max(column - across, 0), min(column + across, width))


def kept(box: Box, *, height: int, width: int) -> float:
    """The share of an image's pixels that lie outside the box."""
    return 1 - (box.bottom - box.top) * (box.right - box.left) / (height * width)
