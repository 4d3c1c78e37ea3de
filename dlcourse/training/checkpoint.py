"""Checkpoints: tensors and plain data, written so that a kill at any moment loses none that was whole."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from dlcourse.errors import CheckpointError
from dlcourse.files import replace_file, sync_folder

FORMAT = 1  # raised when what a checkpoint holds changes its meaning
ZIP = b"PK\x03\x04"
KINDS: Mapping[str, type | tuple[type, ...]] = {
    "step": int, "model": dict, "ema": (dict, type(None)), "optimizer": dict, "scheduler": dict, "scaler": dict,
    "losses": torch.Tensor, "best": list, "skipped": int, "history_bytes": list, "data": dict,
}  # fmt: skip


def save(folder: Path, content: Mapping[str, Any], *, keep: int, best: bool) -> None:
    """Write `content` as last.pt, moving the ones before it down to previous.pt, previous-2.pt, ...; also as best.pt.

    Args:
        folder: the run's checkpoints folder.
        content: what `State.state_dict` gave, and what else the run keeps.
        keep: how many older checkpoints stay beside last.pt and best.pt.
        best: whether this is the best by validation so far.
    """
    folder.mkdir(exist_ok=True)
    fresh = folder / "fresh.pt"
    replace_file(fresh, lambda beside: write({"format": FORMAT, **content}, beside))
    if best:
        replace_file(folder / "best.pt", lambda beside: twin(fresh, beside))
    names = newest_names(keep)
    for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
        if (folder / newer).exists():
            (folder / newer).replace(folder / older)
    fresh.replace(folder / "last.pt")
    sync_folder(folder)


def write(content: Mapping[str, Any], path: Path) -> None:
    """Fill one file; a full disk is the system's own OSError, which torch's zip writer hides behind another."""
    try:
        with path.open("wb") as file:
            torch.save(content, file)
    except RuntimeError as error:
        hidden: BaseException | None = error
        while hidden is not None and not isinstance(hidden, OSError):
            hidden = hidden.__context__
        raise hidden or error from error


def twin(source: Path, target: Path) -> None:
    """A second name for a file that is never changed in place, or a copy where the file system has no such names."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def newest_names(keep: int) -> list[str]:
    """File names, newest first: last.pt and `keep` older ones."""
    return ["last.pt", "previous.pt", *(f"previous-{number}.pt" for number in range(2, keep + 1))][: keep + 1]


def load(path: Path) -> dict[str, Any]:
    """Read one checkpoint onto the CPU; only tensors and plain data are ever read.

    Raises:
        CheckpointError: missing, damaged, of another format, or not a checkpoint of this program.
    """
    if path.exists() and not path.is_file():
        raise CheckpointError(f"{path}: no regular file")  # opening a pipe would wait for ever
    try:
        with path.open("rb") as file:
            is_archive = file.read(len(ZIP)) == ZIP
        if is_archive:
            check_archive(path)
        # torch would read anything else as a bare pickle
        content = torch.load(path, map_location="cpu", weights_only=True) if is_archive else None
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such checkpoint") from None
    except Exception as error:  # a damaged archive makes the unpickler raise almost anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path}: damaged, or not a checkpoint ({reason})") from error
    if not is_archive:
        raise CheckpointError(f"{path}: damaged, or not a checkpoint (no zip archive)")
    if not isinstance(content, dict) or "format" not in content:
        raise CheckpointError(f"{path}: not a checkpoint of dlcourse")
    if not isinstance(content["format"], int):
        raise CheckpointError(f"{path}: not a checkpoint of dlcourse (format {content['format']!r})")
    if content["format"] != FORMAT:
        age = "a newer" if content["format"] > FORMAT else "an older"
        raise CheckpointError(
            f"{path}: checkpoint format {content['format']}, of {age} dlcourse; this one reads format {FORMAT}"
        )
    if lacking := sorted(KINDS.keys() - content.keys()):
        raise CheckpointError(f"{path}: incomplete, it lacks {', '.join(lacking)}")
    if wrong := [name for name, kind in KINDS.items() if not isinstance(content[name], kind)]:
        raise CheckpointError(f"{path}: damaged, or not a checkpoint ({', '.join(wrong)} of another kind)")
    return content


def check_archive(path: Path) -> None:
    """Raise ValueError if a byte of an archive is wrong, or if it would unpack to more than it is.

    torch checks neither: it reads flipped bits as weights, and writes nothing compressed.
    """
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > path.stat().st_size:
            raise ValueError(f"it would unpack to {unpacked:,} bytes")
        if damaged := archive.testzip():
            raise ValueError(f"the checksum of {damaged} is wrong")


def newest(folder: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """The checkpoint with the most steps that can be read, or None; and what was wrong with damaged ones.

    Raises:
        CheckpointError: there are checkpoints, but none can be read.
    """
    found: list[dict[str, Any]] = []
    damaged: list[str] = []
    for path in candidates(folder):
        try:
            found.append(load(path))
        except CheckpointError as error:
            damaged.extend(error.problems)
        else:
            if path.name in ("fresh.pt", "last.pt"):
                break  # nothing older has more steps
    if damaged and not found:
        raise CheckpointError(*damaged)
    return max(found, key=lambda content: content["step"], default=None), damaged


def candidates(folder: Path) -> Iterator[Path]:
    """Checkpoint files, likely newest first."""
    files = [path for path in folder.glob("*.pt") if not path.name.startswith(".")]
    rank = {"fresh.pt": 0, "last.pt": 1, "previous.pt": 2}
    yield from sorted(files, key=lambda path: (rank.get(path.name, 3), path.name))
