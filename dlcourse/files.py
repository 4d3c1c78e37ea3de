"""Files that are whole or absent: written beside, flushed to the disk, renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then put it in place of `path` in one step.

    After a crash at any moment `path` holds the old bytes or the new ones, never a part.
    """
    beside = path.with_name(f".{path.name}.partial")
    try:
        write(beside)
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder's names to the disk, where the platform can."""
    if os.name == "nt":  # a folder cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in UTF-8."""
    replace_file(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: object) -> None:
    """Replace `path` by `value` as indented JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
