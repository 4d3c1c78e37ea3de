"""One's own images: a folder of class folders, decoded once."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from dlcourse.data.augment import Augmentation, Flip, PaddingMode
from dlcourse.data.decode import check_memory, decode_all, some
from dlcourse.data.image_set import TEST_SEED, ImageSet, Labelled, Parts, fraction, image_facts
from dlcourse.data.roots import checked_root
from dlcourse.data.split import stratified
from dlcourse.errors import DataError

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
LAYOUTS = "it must be ROOT/CLASS/*.png, or ROOT/train/CLASS/*.png and ROOT/test/CLASS/*.png"
_MOST_SIDE = 4096


@dataclass(frozen=True)
class _Listing:
    """The image files of one part, class by class in the classes' order."""

    paths: tuple[Path, ...]
    labels: tuple[int, ...]


class ImageFolder(ImageSet):
    """Images in class folders: ROOT/CLASS/*.jpg, or ROOT/train/CLASS and ROOT/test/CLASS (and ROOT/val/CLASS).

    Classes are the folders' names in alphabetical order; images may lie in folders below them; hidden files and
    files that are no bmp, gif, jpg, jpeg, png, tif, tiff or webp are passed over.

    Args:
        root: The folder of the class folders, or of train and test; `~` is expanded.
        size: Pixels: each image's shorter side is resized to it, and the middle square is taken.
        channels: 3 for colour, 1 for grey.
        test_fraction: Share of each class that is the test split, where there is no test folder; it never moves.
        workers: Threads that decode the images; the result does not depend on it.
        val_fraction: Share of each class's training images held out for validation, where there is no val folder.
        split_seed: Names the validation cut.
        fold: Validates on this part of so many instead, such as 2/5; null holds out val_fraction.
        crop_padding: Pixels added on every side before a random crop; null is size // 8.
        crop_size: Side in pixels of the random crop in training; null is the image's own.
        padding_mode: What crop_padding adds: constant is black, reflect the image mirrored at its border.
        flip: Whether half of the training images are mirrored left to right; alternating: each in every other epoch.
        cutout: Side in pixels of a square that is blanked in each training image; 0 is off.
        sizes: Sides in pixels to which the first training epochs scale the images, one an epoch; [] scales none.
    """

    def __init__(
        self,
        *,
        root: str = "data",
        size: int = 64,
        channels: int = 3,
        test_fraction: float = 0.2,
        workers: int = 4,
        val_fraction: float = 0.1,
        split_seed: int = 0,
        fold: str | None = None,
        crop_padding: int | None = None,
        crop_size: int | None = None,
        padding_mode: PaddingMode = "constant",
        flip: Flip = True,
        cutout: int = 0,
        sizes: Sequence[int] = (),
    ) -> None:
        if not 1 <= size <= _MOST_SIDE:
            raise ValueError(f"size must be 1 to {_MOST_SIDE} pixels, not {size}")
        if channels not in (1, 3):
            raise ValueError(f"channels must be 3 (colour) or 1 (grey), not {channels}")
        if workers < 1:
            raise ValueError(f"workers must be 1 or more threads, not {workers}")
        super().__init__(
            val_fraction=val_fraction,
            split_seed=split_seed,
            fold=fold,
            augmentation=Augmentation(
                crop_padding=size // 8 if crop_padding is None else crop_padding,
                crop_size=crop_size,
                padding_mode=padding_mode,
                flip=flip,
                cutout=cutout,
                sizes=tuple(sizes),
            ),
        )
        self.root = checked_root(root)
        self.size = size
        self.channels = channels
        self.test_fraction = fraction(test_fraction, name="test_fraction")
        self.workers = workers

    def facts(self) -> Mapping[str, object]:
        """The classes as the folders name them; no image is read."""
        top = self.root / "train" if self._is_parted() else self.root
        return image_facts(_classes(top), channels=self.channels, size=self.size)

    def read(self) -> Parts:
        """All images; without a test folder, a fixed share of each class is the test split."""
        if not self._is_parted():
            classes = _classes(self.root)
            (everything,) = self._decode(_list(self.root, classes=classes))
            train, test = stratified(everything.labels, self.test_fraction, seed=TEST_SEED)
            return Parts(everything[train], everything[test], classes)
        names = [name for name in ("train", "test", "val") if (self.root / name).is_dir()]
        if lacking := {"train", "test"}.difference(names):
            raise DataError(f"{self.root}: has {' and '.join(names)} but no {lacking.pop()} folder: {LAYOUTS}")
        classes = _classes(self.root / "train")
        for name in names[1:]:
            _check_same(_classes(self.root / name), classes, part=self.root / name)
        train_part, test_part, *val = self._decode(*(_list(self.root / name, classes=classes) for name in names))
        return Parts(train_part, test_part, classes, val=val[0] if val else None)

    def _is_parted(self) -> bool:
        """Whether train or test is a part with class folders of its own, and not a class of that name."""
        return any(_folders(self.root / name) for name in ("train", "test"))

    def _decode(self, *listings: _Listing) -> list[Labelled]:
        """The listed images; all faulty ones of a part are named at once."""
        check_memory(sum(len(part.paths) for part in listings), size=self.size, channels=self.channels)
        return [
            Labelled(
                decode_all(part.paths, size=self.size, channels=self.channels, workers=self.workers),
                torch.tensor(part.labels),
            )
            for part in listings
        ]


def _folders(path: Path) -> list[str]:
    """Names of the visible folders in `path`, sorted; none if it is no folder."""
    try:
        with os.scandir(path) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise DataError(f"{path}: cannot be looked into ({error.strerror}): give data.root=FOLDER") from None


def _classes(top: Path) -> tuple[str, ...]:
    """The class folders in `top`."""
    if not top.is_dir():
        raise DataError(f"{top}: no such folder of images: give data.root=FOLDER; {LAYOUTS}")
    classes = tuple(_folders(top))
    if len(classes) < 2:
        raise DataError(f"{top}: holds {len(classes)} class folders, but there must be at least 2; {LAYOUTS}")
    return classes


def _check_same(found: Sequence[str], classes: Sequence[str], *, part: Path) -> None:
    extra, lacking = sorted(set(found) - set(classes)), sorted(set(classes) - set(found))
    if extra or lacking:
        more = f"; it alone has {some(extra)}" if extra else ""
        less = f"; it lacks {some(lacking)}" if lacking else ""
        raise DataError(f"{part}: other classes than in train{more}{less}: both need the same class folders")


def _list(top: Path, *, classes: Sequence[str]) -> _Listing:
    """The image files of each class, sorted by path."""
    paths: list[Path] = []
    labels: list[int] = []
    empty: list[str] = []
    for label, name in enumerate(classes):
        found = _images(top / name)
        if not found:
            empty.append(str(top / name))
        paths += found
        labels += [label] * len(found)
    if empty:
        known = ", ".join(extension[1:] for extension in EXTENSIONS)
        raise DataError(f"no image in {some(empty)}: add images ({known}) or remove the class folder")
    return _Listing(tuple(paths), tuple(labels))


def _images(top: Path) -> list[Path]:
    """Visible image files in `top` and the folders below it."""
    found: list[Path] = []
    for folder, below, names in os.walk(top):
        below[:] = [name for name in below if not name.startswith(".")]
        found += [
            Path(folder, name) for name in names if not name.startswith(".") and Path(name).suffix.lower() in EXTENSIONS
        ]
    return sorted(found, key=lambda path: path.relative_to(top).as_posix())
