"""Files that are whole or absent: written beside, flushed to the disk, renamed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlcourse.errors import ConfigError


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


def make_output(folder: Path) -> None:
    """Make the folder that `out` names; before the work, since a wrong name should not cost minutes.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"out: {folder} cannot be made ({error.strerror}); name another folder") from error


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in UTF-8."""
    replace_file(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: object) -> None:
    """Replace `path` by `value` as indented JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; empty if the file is missing or damaged."""
    try:
        return parse_object(path.read_bytes())
    except OSError:
        return {}


def parse_object(text: bytes) -> dict[str, Any]:
    """The JSON object that `text` is; empty if it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):  # thousands of brackets are nested too deeply to be read
        return {}
    return found if isinstance(found, dict) else {}
