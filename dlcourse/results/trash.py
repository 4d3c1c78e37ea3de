"""Runs thrown away, brought back or done with for good: RUNS/.trash keeps them until it is emptied."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dlcourse.errors import ConfigError, RunError
from dlcourse.folders import RunFolder, all_runs, find_run, held, title
from dlcourse.results.record import RunRecord, name_in, reason_of

TRASH = ".trash"


def throw(folders: Sequence[RunFolder], *, runs: Path) -> list[Path]:
    """Move runs to the trash; gives where each stands now. All are checked before the first is moved.

    Raises:
        ConfigError: one does not stand in `runs`, or cannot be moved.
        RunError: one is being trained.
    """
    outside = [folder.path for folder in folders if name_in(folder.path, runs=runs) == folder.path.as_posix()]
    if outside:
        raise ConfigError(*(f"{path}: it does not stand in {runs}; name its folder with runs=" for path in outside))
    busy = [folder for folder in folders if not _is_free(folder)]
    if busy:
        raise RunError(*(f"{folder.path}: it is being trained; stop it first" for folder in busy), exit_code=2)
    return [
        _move(folder, to=_free_place(runs / TRASH / name_in(folder.path, runs=runs)), runs=runs) for folder in folders
    ]


def restore(word: str, *, runs: Path) -> Path:
    """Bring the run that `word` names back from the trash; gives where it stands.

    Raises:
        NoSuchRun: there is none in the trash, or several.
        ConfigError: another run has its place or its name.
    """
    folder = find_run(word, runs=runs / TRASH, latest=False)
    place = runs / name_in(folder.path, runs=runs / TRASH)
    if place.exists():
        raise ConfigError(f"{place}: another run stands there; move it away first")
    name = title(folder)
    if name and any(title(one) == name for one in all_runs(runs)):
        raise ConfigError(f"{name}: another run has this name by now; rename that one first")
    return _move(folder, to=place, runs=runs / TRASH)


def thrown(*, runs: Path) -> list[RunFolder]:
    """The runs in the trash."""
    return list(all_runs(runs / TRASH))


def empty(paths: Iterable[Path]) -> None:
    """Delete folders with everything in them; one that is gone already is well.

    Raises:
        ConfigError: something cannot be deleted.
    """
    for path in paths:
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ConfigError(f"{error.filename or path}: it cannot be deleted ({reason_of(error)})") from error


def fruitless(records: Iterable[RunRecord]) -> list[RunRecord]:
    """Runs that ended before their first validation."""
    return [record for record in records if record.state != "running" and not record.val and not record.test]


def spare_checkpoints(records: Iterable[RunRecord]) -> Iterator[Path]:
    """Of runs that are done, every checkpoint but the best; a run without a best one keeps all."""
    for record in records:
        folder = RunFolder(record.path).checkpoints
        if record.state == "done" and (folder / "best.pt").is_file():
            yield from sorted(path for path in folder.glob("*.pt") if path.name != "best.pt" and path.is_file())


def delete(paths: Iterable[Path]) -> None:
    """Delete files.

    Raises:
        ConfigError: one cannot be deleted.
    """
    for path in paths:
        try:
            path.unlink()
        except OSError as error:
            raise ConfigError(f"{path}: it cannot be deleted ({reason_of(error)})") from error


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; links are not followed."""
    if path.is_symlink() or path.is_file():
        return path.lstat().st_size
    return sum(os.lstat(f"{folder}/{name}").st_size for folder, _, names in os.walk(path) for name in names)


def _is_free(folder: RunFolder) -> bool:
    try:
        with held(folder):
            return True
    except RunError:
        return False


def _free_place(wanted: Path) -> Path:
    """`wanted`, or with a number behind it where another run of this name was thrown away before."""
    places = (wanted, *(wanted.with_name(f"{wanted.name}~{number}") for number in range(2, 10_000)))
    return next(place for place in places if not place.exists())


def _move(folder: RunFolder, *, to: Path, runs: Path) -> Path:
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        folder.path.rename(to)
    except OSError as error:
        raise ConfigError(f"{folder.path}: it cannot be moved to {to} ({reason_of(error)})") from error
    for parent in folder.path.parents:
        if parent == runs or not parent.is_relative_to(runs):
            break
        try:
            parent.rmdir()
        except OSError:
            break  # other runs stand there
    return to
