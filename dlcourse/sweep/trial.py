"""One trial: an arm with a seed, trained by a process of its own in a run folder of its own.

The file that takes what the process prints is locked, and the process inherits the lock: as long as it lives, whoever
finds the sweep again knows it, even if the sweep itself was killed.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import IO

import dlcourse
from dlcourse.errors import RunError
from dlcourse.folders import RunFolder, release
from dlcourse.status import worked
from dlcourse.sweep.journal import Ended, locked
from dlcourse.sweep.share import Share

PROGRAM = ("-P", "-m", "dlcourse", "train")
"""What the interpreter is told; -P keeps files of the user's folder from hiding installed modules."""
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SAYS = "dlcourse: "
"""What each line of the program's own errors begins with."""
LONGEST = 300  # characters of a problem


@dataclass(frozen=True)
class Trial:
    """What is trained, and where.

    Args:
        arm: the number of its arm.
        seed: its seed.
        words: all that `dlcourse train` is told but the folder.
        runs: the folder of runs.
        path: its run folder, below `runs`.
        out: the file that takes what the process prints; the one for stderr stands beside it.
        rung: the number of the length that it is trained to.
        stop: that length; None for the whole training.
    """

    arm: int
    seed: int
    words: tuple[str, ...]
    runs: Path
    path: Path
    out: Path
    rung: int = 0
    stop: str | None = None

    @property
    def key(self) -> tuple[int, int]:
        """Its arm and seed, by which the journal knows it."""
        return self.arm, self.seed

    @property
    def place(self) -> tuple[int, int, int]:
        """Its arm, seed and rung, by which the journal knows how it ended."""
        return self.arm, self.seed, self.rung

    @property
    def folder(self) -> RunFolder:
        """Its run folder."""
        return RunFolder(self.path)

    @property
    def err(self) -> Path:
        """The file that takes the process's stderr."""
        return self.out.with_suffix(".err")

    def settled(self) -> Ended | None:
        """How it ended if its folder says so, as after a sweep that was killed; None if it is to be trained.

        A folder does not say at which rung it was stopped: that one is taken up again, and stops at once.
        """
        status = self.folder.read_status()
        code = status.get("exit_code")
        if status.get("state") not in ("done", "failed") or not isinstance(code, int):
            return None
        return self.ending(code)

    def ending(self, code: int, *, seconds: float = 0.0) -> Ended:
        """What there is to say of a process that ended with this exit code."""
        from dlcourse.results.record import read_record

        if code:
            known = worked(self.folder.read_status(), until=self.folder.last_sign())
            return Ended(code, seconds or known, problem=self.problem(code), rung=self.rung)
        try:
            record = read_record(self.folder, runs=self.runs)
        except RunError as error:
            return Ended(1, seconds, problem=error.problems[0], rung=self.rung)
        # Finer numbers (`recall/cat`) choose nothing, and a language of classes would fill the journal.
        val = {name: value for name, value in record.val.items() if "/" not in name}
        return Ended(0, seconds or record.seconds, val, record.decisive, rung=self.rung)

    def problem(self, code: int) -> str:
        """What the program's error block begins with, else the last line of stderr; of a signal, which one."""
        if code < 0:
            with suppress(ValueError):
                return f"killed by {signal.Signals(-code).name}"
        try:
            lines = self.err.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        said = [text for line in lines if (text := ESCAPES.sub("", line).strip())]
        if not said:
            return "it said nothing"
        blocks = [list(block) for told, block in groupby(said, key=lambda line: line.startswith(SAYS)) if told]
        # What follows the first line of a block says where and what to do; a journal has room for one.
        return (blocks[-1][0] if blocks else said[-1]).removeprefix(SAYS)[:LONGEST]

    def argv(self, share: Share) -> list[str]:
        """The command line of its process: go on with what the folder holds, or begin.

        Raises:
            RunError: things stand in its folder that no training left there.
        """
        place = _quoted(str(self.path))
        stop = [] if self.stop is None else [f"stop_at={self.stop}"]
        if any(self.folder.checkpoints.glob("*.pt")):
            # The user named these settings a moment ago, so a model of his own may run.
            return [f"resume={place}", "allow_code=true", *stop]
        self._clear()
        return [*self.words, *share.words, *stop, f"run={place}"]

    def _clear(self) -> None:
        """Make room where a training was killed before its first checkpoint: there is nothing to go on with."""
        if not self.path.exists():
            return
        if not self.folder.status.exists():
            if any(self.path.iterdir()):
                raise RunError(f"{self.path}: this folder is not empty, and no run; move it away", exit_code=2)
            return
        try:
            release(self.folder)
        except OSError as error:
            raise RunError(f"{self.path}: it cannot be begun anew ({error.strerror or error})") from error


@dataclass
class Process:
    """The process of a trial: a child, or one that an earlier sweep started and that outlived it.

    Args:
        trial: what it trains.
        slot: the number of its share of the machine.
        began: when, by the monotonic clock.
        child: None if it is not ours.
        pid: None if nobody noted it.
    """

    trial: Trial
    slot: int
    began: float
    child: subprocess.Popen[bytes] | None
    pid: int | None

    def poll(self) -> Ended | bool | None:
        """False while it runs; then how it ended, or None if it is to be taken up again."""
        if self.child is not None:
            code = self.child.poll()
            if code is None:
                return False
            return self.trial.ending(code, seconds=time.monotonic() - self.began)
        with self.trial.out.open("ab") as file:
            return self.trial.settled() if locked(file) else False

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal, if it is known where it is."""
        with suppress(ProcessLookupError, PermissionError):
            if self.child is not None:
                self.child.send_signal(number)
            elif pid := self._other():
                os.kill(pid, number)

    def _other(self) -> int | None:
        """The id of a process that is not ours; it lives, since it holds its lock."""
        status = self.trial.folder.read_status()
        if status.get("state") == "running" and status.get("host") == socket.gethostname():
            return status.get("pid")
        return self.pid


def start(trial: Trial, *, slot: int, share: Share, known: int | None, again: bool) -> Process | Ended:
    """Begin a trial or go on with it, unless it is done already or still runs.

    Args:
        trial: what to train.
        slot: the number of its share of the machine.
        share: that share.
        known: the process that the journal has for it.
        again: whether it failed before and is to be tried again all the same.

    Raises:
        RunError: its files cannot be written.
    """
    try:
        trial.out.parent.mkdir(parents=True, exist_ok=True)
        with trial.out.open("ab") as out:
            if not locked(out):
                return Process(trial, slot, time.monotonic(), None, known)
            if not again and (ended := trial.settled()):
                return ended
            words = trial.argv(share)
            with trial.err.open("wb") as err:
                child = _begin(words, out=out, err=err, share=share)
    except OSError as error:
        raise RunError(f"{error.filename or trial.out}: {error.strerror or error}; no trial can be started") from error
    return Process(trial, slot, time.monotonic(), child, child.pid)


def _begin(words: Sequence[str], *, out: IO[bytes], err: IO[bytes], share: Share) -> subprocess.Popen[bytes]:
    # Since -P leaves out the folder where the command runs, this package is found by its own place.
    path = os.pathsep.join([str(Path(dlcourse.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, *PROGRAM, *words],
        stdin=subprocess.DEVNULL, stdout=out, stderr=err,
        env={**os.environ, "PYTHONPATH": path, **(share.environment or {})},
        start_new_session=True,  # Ctrl-C on the terminal is for the sweep, which tells its trials itself
    )  # fmt: skip


def _quoted(path: str) -> str:
    """A path as Hydra's grammar takes it, whatever it holds."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text=path, quote=Quote.single).with_quotes()
