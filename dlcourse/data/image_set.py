"""What every image set shares: the validation cut, the channel statistics, the splits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from dlcourse.data.augment import NO_AUGMENTATION, Augmentation
from dlcourse.data.base import DataSet, Splits
from dlcourse.data.folds import read_fold
from dlcourse.data.images import ImageSplit
from dlcourse.data.roots import checked_root
from dlcourse.data.split import stratified
from dlcourse.errors import ConfigError, DataError

TEST_SEED = 0
"""Cuts the test split of sets that come without one: fixed, so that no other choice moves images into test."""


@dataclass(frozen=True)
class Labelled:
    """Images uint8 [N, H, W, C] and their labels int64 [N]."""

    images: Tensor
    labels: Tensor

    def __getitem__(self, indices: Tensor) -> Labelled:
        return Labelled(self.images.index_select(0, indices), self.labels.index_select(0, indices))


@dataclass(frozen=True)
class Parts:
    """What a set's files hold; `val` is None where it has to be cut from `train`."""

    train: Labelled
    test: Labelled
    classes: tuple[str, ...]
    val: Labelled | None = None


class ImageSet(DataSet):
    """A set of labelled images; a kind of it says its facts and reads its files."""

    gives: ClassVar[str] = "images"

    def __init__(
        self,
        *,
        val_fraction: float,
        split_seed: int,
        fold: str | None = None,
        augmentation: Augmentation = NO_AUGMENTATION,
    ) -> None:
        self.val_fraction = fraction(val_fraction, name="val_fraction")
        self.fold = read_fold(fold)
        self.split_seed = split_seed
        self.augmentation = augmentation

    @abstractmethod
    def read(self) -> Parts:
        """Everything that the set's files hold.

        Raises:
            DataError: a file is missing, damaged or cannot be fetched.
        """

    def load(self) -> Splits:
        """Read the files, cut the validation split if there is none, measure the training split's channels."""
        parts = self.read()
        side = min(parts.train.images.shape[1:3])
        if self.augmentation.padding_mode == "reflect" and self.augmentation.crop_padding >= side:
            raise ConfigError(
                f"data.crop_padding must be less than the {side} pixels of an image that padding_mode=reflect mirrors, "
                f"not {self.augmentation.crop_padding}"
            )
        widest = side + 2 * self.augmentation.crop_padding
        if (self.augmentation.crop_size or 0) > widest:
            raise ConfigError(
                f"data.crop_size must be at most the {widest} pixels of an image with its padding, "
                f"not {self.augmentation.crop_size}"
            )
        train, val = parts.train, parts.val
        if val is None:
            rest, held_out = stratified(train.labels, self.fold or self.val_fraction, seed=self.split_seed)
            if not len(held_out):
                raise DataError(
                    f"{len(train.labels)} training images, one to a class, leave none to validate on: add images"
                )
            train, val = train[rest], train[held_out]
        elif self.fold is not None:
            raise DataError(
                f"data.fold={self.fold}: this set brings its own validation split, which no fold may change; leave "
                "fold out, or put those images into train"
            )
        mean, std = channel_statistics(train.images)

        def split(part: Labelled, augmentation: Augmentation = NO_AUGMENTATION) -> ImageSplit:
            return ImageSplit(part.images, part.labels, parts.classes, mean, std, augmentation)

        return Splits(train=split(train, self.augmentation), val=split(val), test=split(parts.test))


class RootedImageSet(ImageSet):
    """An image set whose files lie below `root` and can be fetched from a publisher."""

    def __init__(
        self,
        *,
        root: str,
        download: bool,
        val_fraction: float,
        split_seed: int,
        fold: str | None = None,
        augmentation: Augmentation = NO_AUGMENTATION,
    ) -> None:
        super().__init__(val_fraction=val_fraction, split_seed=split_seed, fold=fold, augmentation=augmentation)
        self.root = checked_root(root)
        self.download = download


def fraction(value: float, *, name: str) -> float:
    """`value`, if a split can be cut by it."""
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie between 0 and 1, not {value}")
    return value


def image_facts(classes: tuple[str, ...], *, channels: int, size: int) -> Mapping[str, object]:
    """What a model may ask of a set of `size` x `size` images."""
    return {"num_classes": len(classes), "in_channels": channels, "image_size": size, "classes": classes}


def check_labels(labels: Tensor, *, path: Path, classes: int) -> None:
    """Every label of a file's records (int64 [N]) is below `classes`.

    Raises:
        DataError: names the file and its first wrong record, counted from 0.
    """
    wrong = (labels >= classes).nonzero().squeeze(1)
    if len(wrong):
        record = int(wrong[0])
        raise DataError(
            f"{path}: record {record} has label {int(labels[record])}, but labels are 0 to {classes - 1} "
            f"({len(wrong)} of {len(labels)} records are wrong)"
        )


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel of uint8 [N, H, W, C], in 0 to 255; a constant channel has 1."""
    channels = images.shape[-1]
    total = torch.zeros(images[0].numel(), dtype=torch.float64)
    squares = torch.zeros_like(total)
    # Sums of 256 bytes or their squares are whole numbers below 2^24: exact in float32, so the result depends on
    # no order of summation and no number of threads.
    for chunk in torch.split(images.flatten(1), 256):
        values = chunk.float()
        total += values.sum(0)
        squares += values.square_().sum(0)
    count = images.numel() // channels
    mean = total.view(-1, channels).sum(0) / count
    variance = squares.view(-1, channels).sum(0) / count - mean.square()
    std = variance.clamp(min=0).sqrt()
    return tuple(map(float, mean)), tuple(map(float, torch.where(std > 0, std, 1.0)))
