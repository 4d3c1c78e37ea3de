"""A first convolution that makes patches of the images white (Page 2018, "How to train your ResNet 8: Bag of tricks").

With every filter stands its negative, since the activation behind keeps one side (Jordan 2024, arXiv:2404.00498,
section 3).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

from dlcourse.data.base import Split
from dlcourse.errors import ConfigError

AT_ONCE = 250  # images unfolded in one piece: the 2x2 patches of CIFAR are then 23 MB


def whitening(
    model: nn.Module,
    train: Split[Any],
    generator: torch.Generator,
    *,
    images: int = 5000,
    eps: float = 5e-4,
) -> str:
    """Fill the first convolution of `model` with whitening filters of the training images' patches; says how many.

    They are the eigenvectors of the patches' second moments, those of the largest eigenvalues first, each divided by
    the root of its eigenvalue; then the same again, negative. Whether they are trained is for the model to say.

    Args:
        model: what is started; its first convolution is `whiten`.
        train: images, which are taken as the data set normalises them, without augmentation.
        generator: chooses the images.
        images: how many training images the patches come from, at most; 1 or more.
        eps: added to each eigenvalue, so that directions in which patches hardly differ are not blown up.

    Raises:
        ValueError: an argument is out of range.
        ConfigError: the model has no such convolution, or one with another number of filters.
    """
    if images < 1:
        raise ValueError(f"images must be 1 or more, not {images}")
    if not 0 < eps < float("inf"):
        raise ValueError(f"eps must be positive, not {eps}")
    convolution = getattr(model, "whiten", None)
    if not isinstance(convolution, nn.Conv2d):
        raise ConfigError(
            "init: whitening fills a first convolution, and the model has none (whiten); try model=speednet"
        )
    weight = convolution.weight
    if len(weight) != 2 * weight[0].numel():
        raise ConfigError(
            f"init: whitening takes two filters for each number of a patch, {2 * weight[0].numel()}, "
            f"and the model's first convolution has {len(weight)}"
        )
    chosen = torch.randperm(len(train), generator=generator)[:images]
    kernel_size = (weight.shape[2], weight.shape[3])
    filters = whitening_filters(second_moments(train, chosen, kernel_size=kernel_size), eps=eps)
    with torch.no_grad():
        weight.copy_(torch.cat([filters, -filters]).view(weight.shape))
    fate = "trained on" if weight.requires_grad else "frozen"
    return f"{len(weight)} filters from the patches of {len(chosen):,} images, {fate}"


def second_moments(train: Split[Any], indices: Tensor, *, kernel_size: tuple[int, int]) -> Tensor:
    """Float64 [D, D] on the CPU: the mean of p p^T over all patches p [D = C * h * w] of the images at `indices`."""
    total, count = torch.zeros((), dtype=torch.float64), 0
    for some in indices.split(AT_ONCE):
        patches = unfold(train.fetch(some).inputs[0], kernel_size).double()  # [B, D, places]
        columns = patches.transpose(0, 1).flatten(1)
        total = total + (columns @ columns.T).cpu()
        count += columns.shape[1]
    return total / count


def whitening_filters(moments: Tensor, *, eps: float) -> Tensor:
    """Float64 [D, D], a filter a row, so that filters @ moments @ filters.T is the identity but for `eps`."""
    eigenvalues, eigenvectors = torch.linalg.eigh(moments)
    # Rounding may leave an eigenvalue of 0 just below it.
    filters = eigenvectors.T / (eigenvalues.clamp(min=0) + eps).sqrt()[:, None]
    # An eigenvector's sign is the library's choice; with the largest number positive all machines choose alike.
    largest = filters.gather(1, filters.abs().argmax(1, keepdim=True))
    return (filters * largest.sign()).flip(0)
