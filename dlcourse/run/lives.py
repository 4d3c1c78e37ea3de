"""A training in a process of its own, which can be killed at a chosen moment: SIGKILL, which nothing can catch."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

import torch

from dlcourse.errors import NotAvailable, UserError
from dlcourse.training.events import Event, Record, Save, Tick
from dlcourse.training.observers import Observer

Begin = Callable[[Sequence[Observer]], int]
"""Trains with these observers watching; gives the exit code."""

PARTIAL = ".fresh.pt.partial"  # where `files.replace_file` writes a checkpoint before it is whole
PATIENCE = 5.0  # seconds in which a checkpoint must begin to be written


@dataclass(frozen=True)
class Moment:
    """When to kill.

    Args:
        kind: after a step, while a checkpoint is written, or so many seconds after the process began.
        step: not before so many steps are done.
        delay: after a step, share of a step's time to wait; by the clock, the seconds.
    """

    kind: Literal["step", "save", "clock"]
    step: int = 0
    delay: float = 0.0


@dataclass(frozen=True)
class Ending:
    """How a process ended.

    Args:
        how: "killed" by us, "done", "refused" by a UserError, "not available" on this device, or "died" by itself.
        step: the last step that it reported.
        code: the exit code of what was done or refused.
        problems: the lines of the UserError.
        in_write: whether it was killed with a checkpoint half written.
    """

    how: Literal["killed", "done", "refused", "not available", "died"]
    step: int = 0
    code: int = 0
    problems: tuple[str, ...] = ()
    in_write: bool = False


def moments(kills: int, *, steps: int, seed: int) -> list[Moment]:
    """So many moments of a run of `steps` steps, in order: every second one while a checkpoint is written."""
    generator = torch.Generator().manual_seed(seed)
    chosen = sorted((torch.randperm(steps - 1, generator=generator)[:kills] + 1).tolist())
    delays = torch.rand(len(chosen), generator=generator).tolist()
    return [
        Moment("save" if number % 2 else "step", step, delay=delay)
        for number, (step, delay) in enumerate(zip(chosen, delays, strict=True))
    ]


@dataclass(frozen=True)
class Nursery:
    """Starts processes; where the system can, as copies of one that has imported everything already.

    Args:
        modules: what to import once.
        log: the file that takes everything the processes print.
    """

    modules: Sequence[str]
    log: Path

    def live(self, begin: Begin, *, checkpoints: Path, until: Moment | None = None) -> Ending:
        """Train until the end or the moment `until`.

        Args:
            begin: what the process does; it is sent there by name, as pickle does it.
            checkpoints: the folder in which it will write its checkpoints.
            until: when to kill it.
        """
        context = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
        context.set_forkserver_preload(list(self.modules))
        ours, theirs = context.Pipe()
        process = context.Process(target=_live, args=(begin, theirs, self.log), daemon=True)
        process.start()
        theirs.close()  # so that its death is the end of the pipe
        began = seen = time.monotonic()
        step, lasted = 0, 0.0
        kill_at = began + until.delay if until and until.kind == "clock" else None
        try:
            while kill_at is None or ours.poll(max(0.0, kill_at - time.monotonic())):
                try:
                    message: tuple[str, int] | Ending = ours.recv()
                except (EOFError, ConnectionError):
                    return Ending("died", step)
                if isinstance(message, Ending):
                    return replace(message, step=step)
                kind, step = message
                ours.send(None)
                if kind == "step":
                    seen, lasted = time.monotonic(), time.monotonic() - seen
                if kill_at is None and until is not None and until.kind == kind and step >= until.step:
                    kill_at = seen + until.delay * lasted if kind == "step" else 0.0
                    if kind == "save":
                        wait_for(checkpoints / PARTIAL)
            process.kill()
            process.join()
            return Ending("killed", step, in_write=(checkpoints / PARTIAL).exists())
        finally:
            process.kill()
            process.join()
            ours.close()


def wait_for(path: Path) -> None:
    """Return as soon as `path` exists, which no notification would tell fast enough."""
    end = time.monotonic() + PATIENCE
    while not path.exists() and time.monotonic() < end:
        pass


@dataclass(frozen=True)
class Reporter:
    """Tells the parent of every step and every checkpoint before it is made, and goes on when it may."""

    connection: Connection

    def __call__(self, event: Event) -> None:
        match event:
            case Tick() | Record(split="train"):
                self._tell("step", event.step)
            case Save():
                self._tell("save", event.step)
            case _:
                pass

    def close(self) -> None:
        """Nothing is held open."""

    def _tell(self, kind: str, step: int) -> None:
        self.connection.send((kind, step))
        self.connection.recv()  # raises EOFError if the parent is gone: then nobody wants this training


def _live(begin: Begin, connection: Connection, log: Path) -> None:
    """What the process does: train with its output in `log`, then send its ending."""
    with log.open("a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        ending = Ending("done", code=begin([Reporter(connection)]))
    except NotAvailable as error:
        ending = Ending("not available", code=error.exit_code, problems=error.problems)
    except UserError as error:
        ending = Ending("refused", code=error.exit_code, problems=error.problems)
    connection.send(ending)
