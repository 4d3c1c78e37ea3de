"""Arrays that took long to make, kept on the disk under the name of what they were made from."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse.files import read_json, write_json

Arrays = Mapping[str, NDArray[Any]]

_CONTENTS = "contents.json"
"""Name of each array -> its CRC-32; an entry without it is not whole."""


def cached(key: str, make: Callable[[], Arrays], *, folder: Path | None = None) -> Arrays:
    """What `make` gives, from the disk if it was made before.

    A damaged entry is made anew; a folder that cannot be written only costs the time to make it every time. Entries
    may be deleted at any time.

    Args:
        key: names the entry: a digest of everything that the arrays depend on, their format included.
        make: gives the arrays by name, none of them of objects.
        folder: where entries are; None is `$DLCOURSE_CACHE`, else `dlcourse` in `$XDG_CACHE_HOME` or `~/.cache`.

    Returns:
        The arrays, read-only and memory-mapped unless they could not be written.

    Raises:
        ValueError: the key or the name of an array cannot be a file name.
    """
    _check_name(key, of="key")
    try:
        entry = (cache_folder() if folder is None else folder) / key
    except RuntimeError:  # there is no home folder
        return make()
    kept = _read(entry)
    if kept is not None:
        return kept
    made = make()
    for name in made:
        _check_name(name, of="array name")
    try:
        _write(entry, made)
    except OSError:
        return made
    return _read(entry) or made


def cache_folder() -> Path:
    """Where entries are kept unless another folder is named; RuntimeError if there is no home folder."""
    if own := os.environ.get("DLCOURSE_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "dlcourse"


def _check_name(name: str, *, of: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", name):
        raise ValueError(f"{of} must be 1 to 100 letters, digits, _ and -, not {name!r}")


def _read(entry: Path) -> Arrays | None:
    """The arrays of an entry; None if it is missing or damaged."""
    sums = read_json(entry / _CONTENTS)
    arrays: dict[str, NDArray[Any]] = {}
    for name, expected in sums.items():
        try:
            arrays[name] = np.load(entry / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        if _sum(arrays[name]) != expected:
            return None
    return arrays or None


def _write(entry: Path, arrays: Arrays) -> None:
    """Put an entry in place as a whole; one that another process has put there meanwhile is replaced."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{entry.name[:20]}-", dir=entry.parent))
    try:
        for name, array in arrays.items():
            np.save(beside / f"{name}.npy", array, allow_pickle=False)
        write_json(beside / _CONTENTS, {name: _sum(array) for name, array in arrays.items()})
        if entry.exists():
            shutil.rmtree(entry)
        beside.replace(entry)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _sum(array: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data)
