"""MNIST (LeCun et al. 1998) and Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747), read from idx files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from dlcourse.data.augment import Augmentation, Flip, PaddingMode
from dlcourse.data.fetch import Remote, fetch
from dlcourse.data.idx import read_idx
from dlcourse.data.image_set import Labelled, Parts, RootedImageSet, check_labels, image_facts
from dlcourse.data.roots import find_folder, incomplete, not_found
from dlcourse.errors import DataError

_SIZE = 28
_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


class Idx(RootedImageSet):
    """What both sets share: four idx files, plain or gzipped, of 28x28 grey images and their labels."""

    folder_names: ClassVar[tuple[str, ...]]
    """Where the files may lie below `root`; downloads go to the last."""
    mirrors: ClassVar[tuple[str, ...]]
    checksums: ClassVar[tuple[str, str, str, str]]
    """MD5 of the gzipped form of each of `_FILES`."""
    classes: ClassVar[tuple[str, ...]]

    def facts(self) -> Mapping[str, object]:
        """Ten classes of 28x28 grey images."""
        return image_facts(self.classes, channels=1, size=_SIZE)

    def read(self) -> Parts:
        """The official training and test files; those that are missing are fetched if they may be."""
        folder = self._folder()
        train_images, train_labels, test_images, test_labels = (self._file(folder, name) for name in _FILES)
        return Parts(self._pair(train_images, train_labels), self._pair(test_images, test_labels), classes=self.classes)

    def _folder(self) -> Path:
        packed = [f"{name}.gz" for name in _FILES]
        folder = find_folder(self.root, names=self.folder_names, files=[*_FILES, *packed])
        if folder is None and not self.download:
            raise not_found(self.root, what=f"{self.folder_names[-1]} folder")
        return folder or self.root / self.folder_names[-1]

    def _file(self, folder: Path, name: str) -> Path:
        """The plain file, the gzipped one, or the one fetched."""
        packed = f"{name}.gz"
        for path in (folder / name, folder / packed):
            if path.is_file():
                return path
        if not self.download:
            raise incomplete(folder, lacking=[name])
        urls = tuple(mirror + packed for mirror in self.mirrors)
        return fetch(Remote(urls, f"md5:{self.checksums[_FILES.index(name)]}"), folder=folder)

    def _pair(self, images_path: Path, labels_path: Path) -> Labelled:
        images = read_idx(images_path, dimensions=3)
        labels = read_idx(labels_path, dimensions=1).long()
        if images.shape[1:] != (_SIZE, _SIZE):
            found = "x".join(map(str, images.shape[1:]))
            raise DataError(f"{images_path}: expected images of {_SIZE}x{_SIZE} pixels, found {found}")
        if len(images) != len(labels):
            raise DataError(f"{images_path}: holds {len(images)} images, {labels_path} holds {len(labels)} labels")
        check_labels(labels, path=labels_path, classes=len(self.classes))
        return Labelled(images.unsqueeze(-1), labels)


class MNIST(Idx):
    """60,000 + 10,000 handwritten digits of 28x28 pixels.

    Args:
        root: The folder that holds mnist or MNIST/raw, or the folder of the idx files itself; `~` is expanded.
        download: Whether missing files are fetched (12 MB) into `root`/mnist.
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

    folder_names = ("MNIST/raw", "MNIST", "mnist")
    # Addresses and checksums: torchvision/datasets/mnist.py (BSD-3-Clause), classes MNIST and FashionMNIST.
    mirrors = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/")
    checksums = (
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    )
    classes = tuple("0123456789")

    def __init__(
        self,
        *,
        root: str = "data",
        download: bool = True,
        val_fraction: float = 0.1,
        split_seed: int = 0,
        fold: str | None = None,
        crop_padding: int = 2,
        crop_size: int | None = None,
        padding_mode: PaddingMode = "constant",
        flip: Flip = False,
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


class FashionMNIST(Idx):
    """60,000 + 10,000 grey pictures of clothes of 28x28 pixels in ten classes.

    Args:
        root: The folder that holds fashion-mnist or FashionMNIST/raw, or the folder of the idx files itself.
        download: Whether missing files are fetched (31 MB) into `root`/fashion-mnist.
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

    folder_names = ("FashionMNIST/raw", "FashionMNIST", "fashion-mnist")
    # Address and checksums: torchvision/datasets/mnist.py, as above.
    mirrors = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
    checksums = (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    )
    classes = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )

    def __init__(
        self,
        *,
        root: str = "data",
        download: bool = True,
        val_fraction: float = 0.1,
        split_seed: int = 0,
        fold: str | None = None,
        crop_padding: int = 2,
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
