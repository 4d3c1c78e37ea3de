"""The files of the Large Movie Review Dataset (Maas et al. 2011, https://ai.stanford.edu/~amaas/data/sentiment/)."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcourse.data.fetch import INSTEAD, Remote, fetch, unpack_tar
from dlcourse.data.roots import find_folder, incomplete, not_found
from dlcourse.errors import DataError

FOLDER = "aclImdb"
PARTS: Mapping[str, int] = {
    "train/neg": 12_500,
    "train/pos": 12_500,
    "train/unsup": 50_000,
    "test/neg": 12_500,
    "test/pos": 12_500,
}
"""The folders of reviews and how many the publisher put there; `unsup` has no labels."""
# Address and checksum: https://github.com/pytorch/text/blob/main/torchtext/datasets/imdb.py
ARCHIVE = Remote(
    ("https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",), "md5:7c2ac02c03563afcf9b574c7e56c153a"
)
_UNPACKED_LIMIT = 1_000_000_000


@dataclass(frozen=True)
class Listing:
    """The review files, part by part in the order of `PARTS`, each part sorted by name.

    Args:
        folder: what holds train and test.
        names: the files' names relative to it.
        counts: how many are in each part.
        digest: SHA-256 (hex) of every file's name, size and time of change.
    """

    folder: Path
    names: Sequence[str]
    counts: Mapping[str, int]
    digest: str

    def spread(self, values: Sequence[int]) -> NDArray[np.int64]:
        """Int64 [N]: of one value for each part, the one of every review."""
        return np.repeat(np.array(values, dtype=np.int64), list(self.counts.values()))

    def films(self, part: str) -> list[str]:
        """The address of the film of each review in a part such as "train/pos".

        Review 200_8.txt is about the film on line 200 of train/urls_pos.txt, counted from 0.

        Raises:
            DataError: the publisher's list is missing or has no such line.
        """
        above, _, kind = part.rpartition("/")
        path = self.folder / above / f"urls_{kind}.txt"
        try:
            known = path.read_text(errors="replace").splitlines()
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}); without it say data.val_by=review") from None
        numbers = [name.rpartition("/")[2].partition("_")[0] for name in self.names if name.startswith(f"{part}/")]
        for number in numbers:
            if not number.isdecimal() or int(number) >= len(known):
                raise DataError(f"{path}: has no line for review {number} of {part}; say data.val_by=review")
        return [known[int(number)] for number in numbers]

    def read(self) -> Iterator[str]:
        """The reviews; bytes that are no UTF-8 become U+FFFD.

        Raises:
            DataError: a file cannot be read.
        """
        for name in self.names:
            path = f"{self.folder}/{name}"
            try:
                with open(path, "rb", buffering=0) as file:  # noqa: PTH123  a Path each would take a second more
                    content = file.read()
            except OSError as error:
                raise DataError(f"{path}: cannot be read ({error.strerror}): {INSTEAD}") from None
            yield content.decode(errors="replace")


def find(root: Path, *, download: bool) -> Path:
    """The folder that holds train and test: in `root`, or `root` itself; fetched if it is missing and may be.

    Raises:
        DataError: it is neither there nor to be had.
    """
    found = find_folder(root, names=[FOLDER], files=())
    if found is None and (root / "train" / "pos").is_dir():
        found = root
    if found is not None:
        return found
    if not download:
        raise not_found(root, what=f"{FOLDER} folder")
    packed = fetch(ARCHIVE, folder=root)
    unpack_tar(packed, folder=root, limit=_UNPACKED_LIMIT)
    packed.unlink(missing_ok=True)
    return root / FOLDER


def list_reviews(folder: Path) -> Listing:
    """All review files below `folder`.

    Raises:
        DataError: a part of the set is missing or holds no review.
    """
    names: list[str] = []
    counts: dict[str, int] = {}
    lines: list[str] = []
    for part in PARTS:
        found = sorted(_scan(folder / part))
        counts[part] = len(found)
        names += [f"{part}/{name}" for name, _, _ in found]
        lines += [f"{part}/{name}\0{size}\0{changed}\n" for name, size, changed in found]
    if lacking := [part for part, count in counts.items() if not count]:
        raise incomplete(folder, lacking=lacking)
    digest = hashlib.sha256("".join(lines).encode(errors="surrogateescape"))
    return Listing(folder, names, counts, digest.hexdigest())


def _scan(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Name, bytes and nanoseconds of change of each review in a folder; none if there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(".txt"):
                    found = entry.stat()
                    if stat.S_ISREG(found.st_mode):
                        yield entry.name, found.st_size, found.st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise DataError(f"{folder}: cannot be looked into ({error.strerror}): {INSTEAD}") from None
