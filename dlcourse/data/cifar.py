"""CIFAR-10 and CIFAR-100 in their binary version (Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from dlcourse.data.augment import Augmentation, Flip, PaddingMode
from dlcourse.data.fetch import Remote, fetch, unpack_tar
from dlcourse.data.image_set import Labelled, Parts, RootedImageSet, check_labels, image_facts
from dlcourse.data.roots import find_folder, incomplete, not_found, read_exactly, read_names

_SIZE = 32
_CHANNELS = 3
_IMAGE_BYTES = _CHANNELS * _SIZE * _SIZE
_UNPACKED_LIMIT = 250_000_000
_FINE_CLASSES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
willow_tree wolf woman worm
"""


class Cifar(RootedImageSet):
    """What both sets share: files of records, each some label bytes and then three planes of 32x32 pixels."""

    folder_name: ClassVar[str]
    archive: ClassVar[Remote]
    train_files: ClassVar[tuple[str, ...]]
    test_files: ClassVar[tuple[str, ...]]
    names_file: ClassVar[str]
    known_classes: ClassVar[tuple[str, ...]]
    train_records: ClassVar[int]
    """In each of the training files."""
    test_records: ClassVar[int]
    label_bytes: ClassVar[int]
    """In each record; the last of them is the label."""

    def facts(self) -> Mapping[str, object]:
        """32x32 colour images; the well-known class names."""
        return image_facts(self.known_classes, channels=_CHANNELS, size=_SIZE)

    def read(self) -> Parts:
        """The official training and test files, fetched if they are missing and may be."""
        folder = self._folder()
        files = (*self.train_files, *self.test_files)
        if lacking := [name for name in files if not (folder / name).is_file()]:
            raise incomplete(folder, lacking=lacking)
        train = self._read_records(folder, self.train_files, records=self.train_records)
        test = self._read_records(folder, self.test_files, records=self.test_records)
        classes = read_names(folder / self.names_file, count=len(self.known_classes))
        return Parts(train, test, classes or self.known_classes)

    def _folder(self) -> Path:
        files = (*self.train_files, *self.test_files)
        folder = find_folder(self.root, names=[self.folder_name], files=files)
        if folder is not None:
            return folder
        if not self.download:
            raise not_found(self.root, what=f"{self.folder_name} folder")
        packed = fetch(self.archive, folder=self.root)
        unpack_tar(packed, folder=self.root, limit=_UNPACKED_LIMIT)
        packed.unlink(missing_ok=True)
        return self.root / self.folder_name

    def _read_records(self, folder: Path, names: Sequence[str], *, records: int) -> Labelled:
        """All records of the files, in their order."""
        count = len(names) * records
        images = np.empty((count, _SIZE * _SIZE, _CHANNELS), dtype=np.uint8)
        labels = np.empty(count, dtype=np.int64)
        for number, name in enumerate(names):
            content = read_exactly(folder / name, size=records * (self.label_bytes + _IMAGE_BYTES))
            table = content.reshape(records, -1)
            part = slice(number * records, (number + 1) * records)
            labels[part] = table[:, self.label_bytes - 1]
            check_labels(torch.from_numpy(labels[part]), path=folder / name, classes=len(self.known_classes))
            planes = table[:, self.label_bytes :].reshape(records, _CHANNELS, -1)
            for channel in range(_CHANNELS):
                images[part, :, channel] = planes[:, channel]
        return Labelled(torch.from_numpy(images).view(count, _SIZE, _SIZE, _CHANNELS), torch.from_numpy(labels))


class CIFAR10(Cifar):
    """50,000 + 10,000 colour photographs of 32x32 pixels in ten classes.

    Args:
        root: The folder that holds cifar-10-batches-bin, or that folder itself; `~` is expanded.
        download: Whether a missing set is fetched from its publisher (170 MB) into `root`.
        val_fraction: Share of each class's training images that is held out for validation.
        split_seed: Names the validation cut.
        fold: Validates on this part of so many instead, such as 2/5; null holds out val_fraction.
        crop_padding: Pixels added on every side before a random crop; 0 is off.
        crop_size: Side in pixels of the random crop in training; null is the image's own.
        padding_mode: What crop_padding adds: constant is black, reflect the image mirrored at its border.
        flip: Whether half of the training images are mirrored left to right; alternating: each in every other epoch.
        cutout: Side in pixels of a square that is blanked in each training image; 0 is off.
        sizes: Sides in pixels to which the first training epochs scale the images, one an epoch; [] scales none.
    """

    folder_name = "cifar-10-batches-bin"
    # Address and checksum: https://www.cs.toronto.edu/~kriz/cifar.html
    archive = Remote(
        ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",), "md5:c32a1d4ab5d03f1284b67883e8d87530"
    )
    train_files = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
    test_files = ("test_batch.bin",)
    names_file = "batches.meta.txt"
    known_classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    train_records = 10_000
    test_records = 10_000
    label_bytes = 1

    def __init__(
        self,
        *,
        root: str = "data",
        download: bool = True,
        val_fraction: float = 0.1,
        split_seed: int = 0,
        fold: str | None = None,
        crop_padding: int = 4,
        crop_size: int | None = None,
        padding_mode: PaddingMode = "constant",
        flip: Flip = True,
        cutout: int = 0,
        sizes: Sequence[int] = (),
    ) -> None:
        super().__init__(
            root=root,
            download=download,
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


class CIFAR100(Cifar):
    """50,000 + 10,000 colour photographs of 32x32 pixels in a hundred (fine) classes.

    Args:
        root: The folder that holds cifar-100-binary, or that folder itself; `~` is expanded.
        download: Whether a missing set is fetched from its publisher (169 MB) into `root`.
        val_fraction: Share of each class's training images that is held out for validation.
        split_seed: Names the validation cut.
        fold: Validates on this part of so many instead, such as 2/5; null holds out val_fraction.
        crop_padding: Pixels added on every side before a random crop; 0 is off.
        crop_size: Side in pixels of the random crop in training; null is the image's own.
        padding_mode: What crop_padding adds: constant is black, reflect the image mirrored at its border.
        flip: Whether half of the training images are mirrored left to right; alternating: each in every other epoch.
        cutout: Side in pixels of a square that is blanked in each training image; 0 is off.
        sizes: Sides in pixels to which the first training epochs scale the images, one an epoch; [] scales none.
    """

    folder_name = "cifar-100-binary"
    # Address and checksum: https://www.cs.toronto.edu/~kriz/cifar.html
    archive = Remote(
        ("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",), "md5:03b5dce01913d631647c71ecec9e9cb8"
    )
    train_files = ("train.bin",)
    test_files = ("test.bin",)
    names_file = "fine_label_names.txt"
    known_classes = tuple(_FINE_CLASSES.split())
    train_records = 50_000
    test_records = 10_000
    label_bytes = 2

    def __init__(
        self,
        *,
        root: str = "data",
        download: bool = True,
        val_fraction: float = 0.1,
        split_seed: int = 0,
        fold: str | None = None,
        crop_padding: int = 4,
        crop_size: int | None = None,
        padding_mode: PaddingMode = "constant",
        flip: Flip = True,
        cutout: int = 0,
        sizes: Sequence[int] = (),
    ) -> None:
        super().__init__(
            root=root,
            download=download,
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
