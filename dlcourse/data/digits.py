"""Handwritten digits, 8x8 in 16 grey levels: scikit-learn's copy of a UCI test set (Alpaydin & Kaynak 1998)."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import torch

from dlcourse.data.augment import Augmentation, Flip, PaddingMode
from dlcourse.data.image_set import TEST_SEED, ImageSet, Labelled, Parts, image_facts
from dlcourse.data.split import stratified
from dlcourse.errors import DataError

_CLASSES = tuple("0123456789")
_SIZE = 8
_LEVELS = 16
_TEST_FRACTION = 0.2


class Digits(ImageSet):
    """1,797 grey digits of 8x8 pixels, embedded in scikit-learn: no download; 20 % are the test split.

    Args:
        val_fraction: Share of each class's training images that is held out for validation.
        split_seed: Names the validation cut; the test split never moves.
        fold: Validates on this part of so many instead, such as 2/5; null holds out val_fraction.
        crop_padding: Pixels added on every side before a random crop; 0 is off.
        crop_size: Side in pixels of the random crop in training; null is the image's own.
        padding_mode: What crop_padding adds: constant is black, reflect the image mirrored at its border.
        flip: Whether half of the training images are mirrored left to right; alternating: each in every other epoch.
        cutout: Side in pixels of a square that is blanked in each training image; 0 is off.
        sizes: Sides in pixels to which the first training epochs scale the images, one an epoch; [] scales none.
    """

    def __init__(
        self,
        *,
        val_fraction: float = 0.1,
        split_seed: int = 0,
        fold: str | None = None,
        crop_padding: int = 1,
        crop_size: int | None = None,
        padding_mode: PaddingMode = "constant",
        flip: Flip = False,
        cutout: int = 0,
        sizes: Sequence[int] = (),
    ) -> None:
        super().__init__(
            val_fraction=val_fraction,
            split_seed=split_seed,
            fold=fold,
            augmentation=Augmentation(
                crop_padding=crop_padding,
                crop_size=crop_size,
                padding_mode=padding_mode,
                flip=flip,
                cutout=cutout,
                sizes=tuple(sizes),
            ),
        )

    def facts(self) -> Mapping[str, object]:
        """Ten classes of 8x8 grey images."""
        return image_facts(_CLASSES, channels=1, size=_SIZE)

    def read(self) -> Parts:
        """All 1,797 digits, a fixed fifth of each class as test."""
        digits = _read_digits()
        train, test = stratified(digits.labels, _TEST_FRACTION, seed=TEST_SEED)
        return Parts(digits[train], digits[test], _CLASSES)


def _read_digits() -> Labelled:
    """The embedded table: 64 grey levels 0 to 16 and a label to a line."""
    # The package is found, not imported: its import takes more than a second.
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise DataError("data=digits is embedded in scikit-learn, which is not installed: pip install scikit-learn")
    path = Path(package.origin).with_name("datasets") / "data" / "digits.csv.gz"
    try:
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        table = torch.tensor([[int(float(cell)) for cell in row] for row in csv.reader(lines)])
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}): install scikit-learn again") from None
    levels, labels = table[:, :-1], table[:, -1].contiguous()
    images = (levels * (255 / _LEVELS)).round().to(torch.uint8)
    return Labelled(images.view(-1, _SIZE, _SIZE, 1), labels)
