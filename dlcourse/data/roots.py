"""Where a set's files lie below `data.root`, and reading them with their sizes checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlcourse.data.fetch import INSTEAD
from dlcourse.errors import DataError


def checked_root(root: str) -> Path:
    """`root` as a path, `~` expanded; nothing is read."""
    if not root or "\0" in root:
        raise ValueError(f"root must be the path of a folder, not {root!r}")
    try:
        return Path(root).expanduser()
    except RuntimeError:
        raise ValueError(f"root names a home folder that is not known: {root!r}") from None


def find_folder(root: Path, *, names: Sequence[str], files: Sequence[str]) -> Path | None:
    """The folder with a set's files: one called `names` in `root`, or `root` itself if it holds one of `files`.

    Raises:
        DataError: `root` is no folder or may not be looked into.
    """
    try:
        if root.exists() and not root.is_dir():
            raise DataError(f"{root}: is no folder: {INSTEAD}")
        for name in names:
            if (root / name).is_dir():
                return root / name
        return root if any((root / name).is_file() for name in files) else None
    except OSError as error:
        raise DataError(f"{root}: cannot be looked into ({error.strerror}): {INSTEAD}") from None


def not_found(root: Path, *, what: str) -> DataError:
    """The set is not there and may not be downloaded."""
    return DataError(f"{root}: holds no {what}, and data.download is false: set data.download=true, or {INSTEAD}")


def incomplete(folder: Path, *, lacking: Sequence[str]) -> DataError:
    """The folder is there, some of its files are not."""
    return DataError(f"{folder}: lacks {', '.join(lacking)}: move the folder away to download it again, or {INSTEAD}")


def read_exactly(path: Path, *, size: int) -> npt.NDArray[np.uint8]:
    """A file of `size` bytes.

    Raises:
        DataError: it has another size or cannot be read.
    """
    try:
        found = path.stat().st_size
        content = np.fromfile(path, dtype=np.uint8, count=size) if found == size else None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): {INSTEAD}") from None
    if content is None or len(content) != size:
        raise DataError(
            f"{path}: expected {size:,} bytes, found {found:,}: move its folder away to download it again, or {INSTEAD}"
        )
    return content


def read_names(path: Path, *, count: int) -> tuple[str, ...] | None:
    """The class names in a text file, one a line; None if there is no such file.

    Raises:
        DataError: it holds another number of names, or is no text.
    """
    try:
        if not path.is_file():
            return None
        with path.open(encoding="utf-8") as file:
            text = file.read(1 << 20)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}): remove it to use the well-known names") from None
    names = tuple(line.strip() for line in text.splitlines() if line.strip())
    if len(names) != count or len(set(names)) != count:
        raise DataError(
            f"{path}: expected {count} different class names, found {len(set(names))}: "
            "remove it to use the well-known names"
        )
    return names
