"""Run folders: how one is claimed, and how a user's word for a run finds its folder."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dlcourse.errors import ConfigError, RunError, suggestion
from dlcourse.files import parse_object, read_json, write_json
from dlcourse.status import worked

MARK = "config.yaml"  # what makes a folder a run's
STAMP = "%Y-%m-%d_%H-%M-%S-%f"


@dataclass(frozen=True)
class RunFolder:
    """Where everything that a run leaves behind stands."""

    path: Path
    made: tuple[Path, ...] = ()  # the folders that `claim` made for it, innermost first

    @property
    def config(self) -> Path:
        return self.path / MARK

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def timing(self) -> Path:
        return self.path / "timing.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def figures(self) -> Path:
        return self.path / "figures"

    @property
    def predictions(self) -> Path:
        return self.path / "predictions.npz"

    @property
    def data(self) -> Path:
        return self.path / "data.json"

    @property
    def task(self) -> Path:
        return self.path / "task.json"

    @property
    def status(self) -> Path:
        return self.path / "status.json"

    @property
    def notes(self) -> Path:
        return self.path / "notes.json"

    def set_status(self, state: str, *, exit_code: int | None = None) -> None:
        """Say in status.json how the run stands: running, done, failed or interrupted."""
        before, now = self.read_status(), datetime.now().astimezone()
        moment = now.isoformat(timespec="seconds")
        started = before.get("started", moment) if state != "running" else moment
        # A process that was killed said nothing of its end; its last record is the last that is known of it.
        seconds = worked(before, until=now if state != "running" else self.last_sign())
        write_json(
            self.status,
            {
                "state": state,
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "exit_code": exit_code,
                "began": before.get("began") or before.get("started") or moment,
                "started": started,
                "changed": moment,
                "seconds": round(seconds, 3),
            },
        )

    def last_sign(self) -> datetime:
        """When a record was written last; if none was, when the status was."""
        times = [path.stat().st_mtime for path in (self.metrics, self.timing, self.status) if path.is_file()]
        return datetime.fromtimestamp(max(times, default=0.0)).astimezone()

    def read_status(self) -> dict[str, Any]:
        """What status.json says; empty if it is missing or damaged."""
        return read_json(self.status)

    def records(self) -> Iterator[dict[str, Any]]:
        """The lines of metrics.jsonl that are records; a last line that was cut off is left out."""
        if not self.metrics.is_file():
            return
        with self.metrics.open("rb") as lines:
            for line in lines:
                if is_record(record := parse_object(line)):
                    yield record


def is_record(line: Mapping[str, Any]) -> bool:
    """Whether a line of metrics.jsonl says what every record does."""
    scalars = line.get("scalars")
    return (
        isinstance(line.get("step"), int)
        and isinstance(line.get("epoch"), int | float)
        and isinstance(line.get("split"), str)
        and isinstance(scalars, dict)
        and all(isinstance(value, int | float) for value in scalars.values())
    )


def claim(runs: Path, *, group: str, job: int | None = None, wanted: Path | None = None) -> RunFolder:
    """Make a new run folder that no other process can have: `wanted`, or RUNS/GROUP/TIME (in a sweep with the job).

    Raises:
        ConfigError: it cannot be made, or `wanted` is there already and not empty.
    """
    try:
        if wanted is not None:
            made = missing(wanted)
            wanted.mkdir(parents=True, exist_ok=True)
            folder = RunFolder(wanted, made)
            if any(wanted.iterdir()) or not is_first(folder.status):
                raise ConfigError(f"{wanted}: this folder is not empty; name another, or go on with resume={wanted}")
            return folder
        while True:
            stamp = datetime.now().strftime(STAMP)
            path = runs / group / (stamp if job is None else f"{stamp}_{job}")
            made = (path, *missing(path.parent))
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.mkdir()
            except FileExistsError:
                continue  # another process claimed this very microsecond
            return RunFolder(path, made)
    except OSError as error:
        place = wanted or runs / group
        reason = error.strerror or error
        raise ConfigError(f"{place}: a run folder cannot be made there ({reason}); name another with runs=") from error


def is_first(path: Path) -> bool:
    """Whether this process made the file `path`, which only one can."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def missing(path: Path) -> tuple[Path, ...]:
    """`path` and the folders above it that are not there, innermost first."""
    return tuple(folder for folder in (path, *path.parents) if not folder.exists())


@contextmanager
def held(folder: RunFolder) -> Generator[None]:
    """Keep every other process from training in this folder; the system lets go of it when this one ends, however.

    Raises:
        RunError: another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    descriptor = os.open(folder.path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        status = folder.read_status()
        who = f"process {status['pid']} on {status.get('host')}" if "pid" in status else "another process"
        raise RunError(
            f"{folder.path}: {who} is training in this folder; wait until it has ended, or stop it, then resume",
            exit_code=2,
        ) from error
    except OSError:
        pass  # some network file systems lock no folders
    try:
        yield
    finally:
        os.close(descriptor)


def is_held(folder: RunFolder) -> bool | None:
    """Whether a process trains in this folder; None where that cannot be known (Windows, no locks)."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        descriptor = os.open(folder.path, os.O_RDONLY)
    except OSError:
        return None
    try:
        # Shared, so that two who ask at the same time do not take each other for a training.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return False


def release(folder: RunFolder) -> None:
    """Take back a folder in which nothing was trained, and the parents that were made for it alone."""
    for path in sorted(folder.path.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    for path in folder.made:
        try:
            path.rmdir()
        except OSError:
            return  # somebody else's things stand there


def find_run(word: str, *, runs: Path, latest: bool = True) -> RunFolder:
    """The run that `word` names: a path, its name by `dlcourse runs rename`, `latest` (unless that is no word here), or
    MODEL-DATA/TIME or a unique end or beginning of it.

    Raises:
        RunError: there is none, or more than one.
    """
    path = Path(os.path.expanduser(word))  # noqa: PTH111  Path.expanduser raises where there is no such user
    if (path / MARK).is_file():
        return RunFolder(path)
    known = list(all_runs(runs))
    if named := [folder for folder in known if title(folder) == word]:
        return the_one(named, word=word, runs=runs)
    if path.exists():
        raise NoSuchRun(f"{word}: this is no run; a run folder holds {MARK}")
    if not known:
        raise NoSuchRun(f"{word}: there are no runs in {runs}; name the folder with runs=, or give a path")
    if latest and word == "latest":
        return max(known, key=begun)
    found = [
        folder for folder in known if f"/{folder.path.relative_to(runs).as_posix()}".endswith(f"/{word}".rstrip("/"))
    ]
    found = found or [folder for folder in known if folder.path.name.endswith(word)]
    found = found or [folder for folder in known if folder.path.relative_to(runs).as_posix().startswith(word)]
    if not found:
        places = (name for one in known for name in (title(one), one.path.relative_to(runs).as_posix()) if name)
        names = [*places, *(["latest"] if latest else [])]
        raise NoSuchRun(f"{word}: there is no such run in {runs}{suggestion(word, names, most=3)}")
    return the_one(found, word=word, runs=runs)


def the_one(found: Sequence[RunFolder], *, word: str, runs: Path) -> RunFolder:
    """The only run that `word` names.

    Raises:
        NoSuchRun: it names several.
    """
    if len(found) > 1:
        names = ", ".join(folder.path.relative_to(runs).as_posix() for folder in found[:4])
        raise NoSuchRun(f"{word}: it names {len(found)} runs ({names}); give more of the name")
    return found[0]


def title(folder: RunFolder) -> str:
    """The name that its user gave a run; empty if none."""
    name = read_json(folder.notes).get("name")
    return name if isinstance(name, str) else ""


def begun(folder: RunFolder) -> str:
    """When a run began, in the form of its folder's name; of a folder with a name of its own, when config.yaml did."""
    if re.match(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d{6}", folder.path.name):
        return folder.path.name
    return datetime.fromtimestamp(folder.config.stat().st_mtime).strftime(STAMP)


class NoSuchRun(RunError):
    """A word that names no run, or several."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems, exit_code=2)


def all_runs(runs: Path) -> Iterator[RunFolder]:
    """Every run folder below `runs`, two levels deep at most, hidden ones left out."""
    for depth in ("*", "*/*"):
        for mark in sorted(runs.glob(f"{depth}/{MARK}")):
            if not any(part.startswith(".") for part in mark.relative_to(runs).parts):
                yield RunFolder(mark.parent)
