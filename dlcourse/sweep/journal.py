"""The journal of a sweep: RUNS/sweeps/NAME/journal.jsonl, a line for each thing that is settled, flushed to the disk.

The first line says which sweep it is. Then come, as they happen: an arm that was proposed, a trial that began, a trial
that ended. What is not there is not done, so a sweep may be killed between any two lines, and within one.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from dlcourse.errors import ConfigError, RunError
from dlcourse.files import parse_object, write_text

NAME = "journal.jsonl"
VERSION = 1


class JournalError(RunError):
    """A journal cannot be read, or is another sweep's."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems, exit_code=2)


@dataclass(frozen=True)
class Head:
    """What makes a sweep the one that it is; how many trials and seeds it has may grow.

    Args:
        words: the words of the trainings, in alphabetical order and without a seed.
        search: grid, random or tpe.
        search_seed: decides what is drawn.
    """

    words: tuple[str, ...]
    search: str
    search_seed: int

    def to_plain(self) -> dict[str, object]:
        """The first line of the journal."""
        return {
            "kind": "sweep", "version": VERSION, "search": self.search, "search_seed": self.search_seed,
            "words": list(self.words),
        }  # fmt: skip

    def differences(self, other: Head) -> list[str]:
        """What `other` says differently, one phrase each."""
        here, there = set(self.words), set(other.words)
        said = [
            *(f"it was begun with {word}" for word in sorted(here - there)),
            *(f"now there is {word}" for word in sorted(there - here)),
        ]
        for name in ("search", "search_seed"):
            before, now = getattr(self, name), getattr(other, name)
            said += [f"it was begun with {name}={before}, not {now}"] if before != now else []
        return said


@dataclass(frozen=True)
class Arm:
    """One point of the space: its number from 0, the words that make it, and the <model>-<data> that it trains."""

    number: int
    words: tuple[str, ...]
    group: str


@dataclass(frozen=True)
class Ended:
    """How a trial ended.

    Args:
        exit_code: of its process; minus the signal if one killed it.
        seconds: from its start to its end, of the last process alone.
        val: numbers of its best validation; empty if it failed.
        decisive: the number that picks the best checkpoint, and its better direction; None if it failed.
        problem: the last line of its stderr if it failed.
        rung: the number of the length that it was trained to, where there are several.
    """

    exit_code: int
    seconds: float = 0.0
    val: Mapping[str, float] = field(default_factory=dict[str, float])
    decisive: tuple[str, str] | None = None
    problem: str = ""
    rung: int = 0

    @property
    def failed(self) -> bool:
        """Whether it gave no result."""
        return self.exit_code != 0


@dataclass
class Journal:
    """What a journal says, and the open file that takes more; what is added is written before it is remembered."""

    path: Path
    head: Head
    arms: list[Arm] = field(default_factory=list[Arm])
    began: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    """(arm, seed) -> process id of the last attempt."""
    ended: dict[tuple[int, int, int], Ended] = field(default_factory=dict[tuple[int, int, int], Ended])
    """(arm, seed, rung) -> how the last attempt ended."""
    file: IO[bytes] | None = None
    """Open without a buffer; None if nothing can be added."""

    def add_arm(self, arm: Arm) -> None:
        """Note an arm that is to be tried."""
        self._append({"kind": "arm", "arm": arm.number, "words": list(arm.words), "group": arm.group})
        self.arms.append(arm)

    def add_beginning(self, key: tuple[int, int], *, pid: int) -> None:
        """Note the process that trains (arm, seed)."""
        self._append({"kind": "began", "arm": key[0], "seed": key[1], "pid": pid})
        self.began[key] = pid

    def add_end(self, key: tuple[int, int], ended: Ended) -> None:
        """Note how (arm, seed) ended."""
        self._append({
            "kind": "ended", "arm": key[0], "seed": key[1], "rung": ended.rung, "exit_code": ended.exit_code,
            "seconds": round(ended.seconds, 1), "val": dict(ended.val),
            "decisive": list(ended.decisive) if ended.decisive else None, "problem": ended.problem,
        })  # fmt: skip
        self.ended[(*key, ended.rung)] = ended

    def _append(self, line: Mapping[str, object]) -> None:
        if self.file is None:
            raise RunError(f"{self.path}: nothing more can be written; give the same command again")
        text = json.dumps(line, ensure_ascii=False).encode() + b"\n"
        try:
            _write(self.file, text)
        except OSError as error:
            self.file = None  # behind half a line nothing may stand
            raise RunError(
                f"{self.path}: {error.strerror or error}; mend that, then give the same command again"
            ) from error

    def remember(self, line: Mapping[str, Any]) -> None:
        """Take in a line that was written before.

        Raises:
            KeyError, TypeError, ValueError: it is none of this journal's.
        """
        kind, number = line["kind"], int(line["arm"])
        if kind == "arm":
            if number != len(self.arms):
                raise ValueError(f"arm {number} comes where arm {len(self.arms)} should")
            self.arms.append(Arm(number, tuple(map(str, line["words"])), str(line["group"])))
            return
        if number not in range(len(self.arms)):
            raise ValueError(f"there is no arm {number}")
        key = number, int(line["seed"])
        if kind == "began":
            self.began[key] = int(line["pid"])
        elif kind == "ended":
            decisive = line["decisive"]
            ended = Ended(
                int(line["exit_code"]), float(line["seconds"]),
                {str(name): float(value) for name, value in line["val"].items()},
                None if decisive is None else (str(decisive[0]), str(decisive[1])), str(line["problem"]),
                int(line.get("rung", 0)),
            )  # fmt: skip
            self.ended[(*key, ended.rung)] = ended
        else:
            raise ValueError(f"{kind!r} is no kind of line")


def _write(file: IO[bytes], text: bytes) -> None:
    """Write and flush to the disk; half of it is an error."""
    if file.write(text) < len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(file.fileno())


def read(path: Path) -> tuple[Journal, int]:
    """A journal, and how many of its bytes are whole lines; a last line that was cut off is left out.

    Raises:
        JournalError: there is damage that no kill explains.
        OSError: the file cannot be read.
    """
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    journal: Journal | None = None
    size = 0
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            break  # cut off
        try:
            plain = parse_object(line)
            if journal is None:
                journal = Journal(path, _head(plain, path=path))
            else:
                journal.remember(plain)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            if number == len(lines) and journal is not None:
                break  # a disk that lost its power may have kept the length of what it did not write
            raise JournalError(_damaged(path, number)) from error
        size += len(line)
    if journal is None:
        raise JournalError(_damaged(path, 1))
    return journal, size


def _head(plain: Mapping[str, Any], *, path: Path) -> Head:
    if plain["kind"] != "sweep":
        raise ValueError("no head")
    if plain["version"] != VERSION:
        raise JournalError(f"{path}: another version of dlcourse wrote this journal; give the sweep another name=")
    return Head(tuple(map(str, plain["words"])), str(plain["search"]), int(plain["search_seed"]))


def _damaged(path: Path, number: int) -> str:
    remedy = (
        "give the sweep another name=" if number == 1 else
        "delete that line: what became of its trial is read from the run folder; or give the sweep another name="
    )  # fmt: skip
    return f"{path}: line {number} is damaged; {remedy}"


def look(path: Path, *, head: Head) -> Journal:
    """The journal as it stands, to be read only; a new one if there is none.

    Raises:
        JournalError: it is damaged, or another sweep's.
    """
    try:
        journal, _ = read(path)
    except (FileNotFoundError, NotADirectoryError):
        return Journal(path, head)
    except OSError as error:
        raise JournalError(f"{path}: it cannot be read ({error.strerror or error})") from error
    _demand_same(journal, head)
    return journal


@contextmanager
def opened(path: Path, *, head: Head) -> Generator[Journal]:
    """The journal to be gone on with, which no other process may do at the same time.

    Raises:
        ConfigError: it cannot be made where the runs go.
        JournalError: it is damaged, another sweep's, or another process writes it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_text(path, json.dumps(head.to_plain(), ensure_ascii=False) + "\n")
        file = path.open("rb+", buffering=0)
    except OSError as error:
        raise ConfigError(
            f"{path}: a sweep's journal cannot be written there ({error.strerror or error}); "
            "name another folder with runs="
        ) from error
    with file:
        if not locked(file):
            raise JournalError(f"{path}: another process runs this sweep; wait until it has ended, or stop it")
        journal, size = read(path)
        _demand_same(journal, head)
        file.truncate(size)
        file.seek(size)
        journal.file = file
        yield journal


def _demand_same(journal: Journal, head: Head) -> None:
    if found := journal.head.differences(head):
        name = journal.path.parent.name
        raise JournalError(
            *(f"name={name} is another sweep: {difference}" for difference in found),
            f"give the same words to go on with it, or another name= to begin a new one ({journal.path})",
        )


def locked(file: IO[bytes]) -> bool:
    """Whether this open file could be locked; whoever inherits it holds the lock until it ends, however it does."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # some network file systems lock nothing
    return True
