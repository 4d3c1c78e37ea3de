"""One run as tables and comparisons know it, read from its folder without its weights."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from dlcourse.errors import RunError
from dlcourse.folders import STAMP, RunFolder, is_held
from dlcourse.results.history import read_metrics
from dlcourse.results.later import missing
from dlcourse.results.stored import plain_settings, read_config, targets_of
from dlcourse.status import parse_moment, worked

MECHANICS = frozenset({
    "allow_code", "checkpoint.every_minutes", "checkpoint.every_steps", "checkpoint.keep", "data.download", "data.root",
    "data.workers", "log_every", "resume", "resume_anyway", "run", "runs", "runtime.allocator", "stop_at",
    "task.judged", "task.samples", "test",
})  # fmt: skip
"""Settings that change no result, or say where things lie."""


@dataclass(frozen=True)
class RunRecord:
    """What a run folder says of its run.

    Args:
        path: the folder.
        name: how commands name it: its path below the folder of runs, such as
            resnet18-cifar10/2026-11-21_22-10-00-000000.
        title: the name that its user gave it; empty if none.
        tags: words that its user put on it, in alphabetical order.
        choices: group -> option chosen, such as model -> resnet18; groups without one are left out.
        settings: dotted name -> value of every plain setting and list in config.yaml, `_target_`s apart, and the
            choices of groups under the group's name; what came after the run has today's default.
        targets: group -> the `_target_` that its option calls; groups that call nothing are left out.
        state: running, done, interrupted, failed, or killed (it says running, and no process is).
        exit_code: of the process that ended; None while there is none.
        began: when it was started first.
        seconds: how long its processes have worked on it, as far as is known.
        step: of its last record; 0 if there is none.
        epoch: likewise.
        decisive: the validation number that picks the best checkpoint, and its better direction, "max" or "min".
        val: numbers of the best validation; empty before the first.
        test: numbers of the test; empty if it was not tested.
        fingerprints: split -> SHA-256 of its data.
        later: names of the settings that came after the run, of which its own file says nothing.
    """

    path: Path
    name: str
    title: str
    tags: tuple[str, ...]
    choices: Mapping[str, str]
    settings: Mapping[str, object]
    targets: Mapping[str, str]
    state: str
    exit_code: int | None
    began: datetime
    seconds: float
    step: int
    epoch: float
    decisive: tuple[str, str]
    val: Mapping[str, float]
    test: Mapping[str, float]
    fingerprints: Mapping[str, str]
    later: frozenset[str] = frozenset()

    @property
    def own(self) -> dict[str, object]:
        """The settings that its config.yaml says."""
        return {name: value for name, value in self.settings.items() if name not in self.later}


class DamagedRun(RunError):
    """A run folder whose files do not say what they should; the line names the file."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: damaged ({reason})", exit_code=2)
        self.path = path
        self.reason = reason


STATES = ("running", "done", "interrupted", "failed", "killed")


def read_record(folder: RunFolder, *, runs: Path) -> RunRecord:
    """What a run folder says of its run.

    Args:
        folder: the run's.
        runs: the folder of runs that its name is told from; a run outside bears its path.

    Raises:
        DamagedRun: a file of it cannot be read or is not what it should be.
    """
    return now(completed(read_files(folder, runs=runs)))


def read_files(folder: RunFolder, *, runs: Path) -> RunRecord:
    """`read_record` as far as the files tell it; see `completed` and `now` for what they do not.

    Raises:
        DamagedRun: a file of it cannot be read or is not what it should be.
    """
    try:
        config, choices = read_config(folder.config)
        settings = plain_settings(config, choices=choices)
    except (OSError, ValueError) as error:
        raise DamagedRun(folder.config, reason_of(error)) from error
    status, data, notes = (_object(path) for path in (folder.status, folder.data, folder.notes))
    done = status.get("state") == "done"
    try:
        last, val, test = read_metrics(folder.metrics, done=done, tested=done and settings.get("test") is True)
    except (OSError, ValueError) as error:
        raise DamagedRun(folder.metrics, reason_of(error)) from error
    decisive = _decisive(folder.task, val)
    tags = cast("list[object]", notes["tags"]) if isinstance(notes.get("tags"), list) else []
    code = status.get("exit_code")
    return RunRecord(
        path=folder.path,
        name=name_in(folder.path, runs=runs),
        title=notes["name"] if isinstance(notes.get("name"), str) else "",
        tags=tuple(sorted({tag for tag in tags if isinstance(tag, str)})),
        choices=choices,
        settings=settings,
        targets=targets_of(config, choices=choices),
        state=_state(folder.status, status),
        exit_code=code if isinstance(code, int) else None,
        began=_began(folder, status),
        seconds=worked(status, until=folder.last_sign()),
        step=last["step"] if last else 0,
        epoch=float(last["epoch"]) if last else 0.0,
        decisive=decisive,
        val=_best(val, decisive=decisive),
        test=test,
        fingerprints={
            split: entry["sha256"]
            for split, entry in data.items()
            if isinstance(entry, dict) and isinstance(entry.get("sha256"), str)
        },
    )


def completed(record: RunRecord) -> RunRecord:
    """The record with the settings that came after it, so that runs from before and after one can be compared."""
    found = missing(record.settings, choices=record.choices, targets=record.targets)
    later = {name: value for name, value in found.items() if name not in MECHANICS}
    return replace(record, settings={**record.settings, **later}, later=frozenset(later)) if later else record


def now(record: RunRecord) -> RunRecord:
    """The record as the run stands at this moment: one that says running, and that no process holds, was killed."""
    if record.state != "running":
        return record
    folder = RunFolder(record.path)
    if is_held(folder) is False:
        return replace(record, state="killed")
    since = (datetime.now().astimezone() - folder.last_sign()).total_seconds()
    return replace(record, seconds=record.seconds + max(0.0, since))


def name_in(path: Path, *, runs: Path) -> str:
    """MODEL-DATA/TIME of a folder in `runs`; the path itself of one elsewhere."""
    inner, outer = Path(os.path.abspath(path)), Path(os.path.abspath(runs))  # noqa: PTH100  without `..`, links kept
    return inner.relative_to(outer).as_posix() if outer in inner.parents else path.as_posix()


def reason_of(error: Exception) -> str:
    """What an exception says, in one line."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


def _object(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; empty if there is no file, or nothing in it yet.

    Raises:
        DamagedRun: something else stands there.
    """
    try:
        text = path.read_bytes()
        found: object = json.loads(text) if text.strip() else {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise DamagedRun(path, reason_of(error)) from error
    if not isinstance(found, dict):
        raise DamagedRun(path, "it holds no JSON object")
    return cast("dict[str, Any]", found)


def _decisive(path: Path, val: Iterable[Mapping[str, float]]) -> tuple[str, str]:
    """The number that picks the best checkpoint and its better direction; version 0.1 did not write it down."""
    told = _object(path).get("best")
    if isinstance(told, list) and len(told) == 2 and isinstance(told[0], str) and told[1] in ("max", "min"):
        return told[0], told[1]
    if told is not None:
        raise DamagedRun(path, "best is no name with max or min")
    known = {name for numbers in val for name in numbers}
    usual = (("accuracy", "max"), ("perplexity", "min"))
    return next((pair for pair in usual if pair[0] in known), ("loss", "min"))


def _best(val: Iterable[Mapping[str, float]], *, decisive: tuple[str, str]) -> Mapping[str, float]:
    """The validation that the best checkpoint comes from: of two equals the later one, as training has it."""
    name, direction = decisive
    sign = 1.0 if direction == "max" else -1.0
    best: tuple[float, Mapping[str, float]] = (-math.inf, {})
    for numbers in val:
        value = sign * numbers.get(name, math.nan)
        if math.isfinite(value) and value >= best[0]:
            best = (value, numbers)
    return best[1]


def _state(path: Path, status: Mapping[str, Any]) -> str:
    """What status.json says; a run that was ended before it said anything is like one that runs no more.

    Raises:
        DamagedRun: it says something else.
    """
    state = status.get("state", "running")
    if state not in STATES:
        raise DamagedRun(path, f"{state!r} is no state of a run")
    return cast("str", state)


def _began(folder: RunFolder, status: Mapping[str, Any]) -> datetime:
    """When the run was started first: status.json says it, in version 0.1 the folder's name."""
    if began := parse_moment(status.get("began")):
        return began
    try:
        return datetime.strptime(folder.path.name[:26], STAMP).astimezone()
    except ValueError:
        stamp = folder.config.stat().st_mtime
        return parse_moment(status.get("started")) or datetime.fromtimestamp(stamp).astimezone()
