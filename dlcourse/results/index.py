"""All runs of a folder at once, from an index that is kept beside them and believed only where nothing has changed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from dlcourse import __version__
from dlcourse.files import read_json, write_text
from dlcourse.folders import MARK, RunFolder, all_runs
from dlcourse.results.record import DamagedRun, RunRecord, completed, now, read_files, reason_of

INDEX = ".index.json"
FORM = f"3 {__version__}"  # of the index; another version may read run folders otherwise
SOURCES = (MARK, "status.json", "metrics.jsonl", "timing.jsonl", "data.json", "task.json", "notes.json")
"""The files that a record is read from."""
KINDS: Mapping[str, type] = {
    "name": str, "title": str, "tags": list, "choices": dict, "settings": dict, "targets": dict,
    "state": str, "began": str, "seconds": float, "step": int, "epoch": float, "decisive": list, "val": dict,
    "test": dict, "fingerprints": dict,
}  # fmt: skip

Stamp = list[list[int] | None]
"""Size in bytes, time in nanoseconds and number of each of the `SOURCES`; None where there is none."""


@dataclass(frozen=True)
class Damaged:
    """A run folder that cannot be read, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Listing:
    """What stands in a folder of runs, the newest first."""

    records: tuple[RunRecord, ...]
    damaged: tuple[Damaged, ...]


def read_all(runs: Path) -> Listing:
    """Every run in `runs`; those that changed since they were last looked at are read, the others come from the index.

    The index is one file, RUNS/.index.json. One that is missing, damaged or of another version is made anew, and a
    folder that takes no files is read without.
    """
    before = _entries(runs / INDEX)
    entries: dict[str, dict[str, Any]] = {}
    records: list[RunRecord] = []
    damaged: list[Damaged] = []
    for folder in all_runs(runs):
        name, stamp = folder.path.relative_to(runs).as_posix(), _stamp(folder)
        entry, record = _known(before.get(name), stamp, folder=folder)
        if entry is None:
            entry, record = _looked_at(folder, stamp, runs=runs)
        entries[name] = entry
        if record is not None:
            records.append(now(completed(record)))  # the index holds what files say, whatever options come later
        else:
            damaged.append(Damaged(Path(entry["path"]), entry["damaged"]))
    if entries != before:
        _keep(runs / INDEX, entries)
    damaged += [
        Damaged(path, f"it has no {MARK}: its training is being set up, or was killed") for path in _begun(runs)
    ]
    # Two that began in one microsecond stand in the order of their names.
    records.sort(key=lambda record: (-record.began.timestamp(), record.name))
    return Listing(tuple(records), tuple(damaged))


def _looked_at(folder: RunFolder, stamp: Stamp, *, runs: Path) -> tuple[dict[str, Any], RunRecord | None]:
    """The index's entry of a run, and its record, None if it is damaged."""
    try:
        record = read_files(folder, runs=runs)
    except DamagedRun as error:
        return {"stamp": stamp, "damaged": error.reason, "path": str(error.path)}, None
    except OSError as error:  # it was removed while we looked
        return {"stamp": stamp, "damaged": reason_of(error), "path": str(folder.path)}, None
    return {"stamp": stamp, "record": to_plain(record)}, record


def _known(
    entry: dict[str, Any] | None, stamp: Stamp, *, folder: RunFolder
) -> tuple[dict[str, Any] | None, RunRecord | None]:
    """An entry and its record as far as they hold still; None where the folder must be looked at."""
    if entry is None or entry.get("stamp") != stamp:
        return None, None
    if isinstance(entry.get("damaged"), str) and isinstance(entry.get("path"), str):
        return (entry, None) if Path(entry["path"]).parent == folder.path else (None, None)
    try:
        return entry, from_plain(entry["record"], path=folder.path)
    except (KeyError, TypeError, ValueError):
        return None, None


def _stamp(folder: RunFolder) -> Stamp:
    found: Stamp = []
    for name in SOURCES:
        try:
            told = os.stat(f"{folder.path}/{name}")  # noqa: PTH116  a Path for each takes twice as long
        except OSError:
            found.append(None)
        else:
            # The number tells a file that replaced another of its size within a tick of the clock.
            found.append([told.st_size, told.st_mtime_ns, told.st_ino])
    return found


def _begun(runs: Path) -> Iterator[Path]:
    """Folders that a training claimed and wrote no config into."""
    for depth in ("*", "*/*"):
        for status in sorted(runs.glob(f"{depth}/status.json")):
            hidden = any(part.startswith(".") for part in status.relative_to(runs).parts)
            if not hidden and not status.with_name(MARK).exists():
                yield status.parent


def _entries(path: Path) -> dict[str, dict[str, Any]]:
    told = read_json(path)
    runs = told.get("runs")
    if told.get("form") != FORM or not isinstance(runs, dict):
        return {}
    return {name: entry for name, entry in cast("dict[str, Any]", runs).items() if isinstance(entry, dict)}


def _keep(path: Path, entries: Mapping[str, object]) -> None:
    """Write the index if the folder takes it; two that write at once each write a whole one."""
    own = path.with_name(f".index.{os.getpid()}.json")
    with suppress(OSError):
        try:
            write_text(own, json.dumps({"form": FORM, "runs": entries}, ensure_ascii=False, separators=(",", ":")))
            own.replace(path)
        finally:
            own.unlink(missing_ok=True)


def to_plain(record: RunRecord) -> dict[str, object]:
    """The record as JSON holds it, without its path: the folder of runs may be moved."""
    told = {item.name: getattr(record, item.name) for item in fields(record) if item.name in KINDS}
    told |= {"settings": record.own, "exit_code": record.exit_code}
    return {**told, "tags": list(record.tags), "decisive": list(record.decisive), "began": record.began.isoformat()}


def from_plain(told: Mapping[str, Any], *, path: Path) -> RunRecord:
    """The record that `to_plain` wrote.

    Raises:
        KeyError, TypeError, ValueError: it did not write this.
    """
    for name, kind in KINDS.items():
        if not isinstance(told[name], kind):
            raise TypeError(f"{name} is no {kind.__name__}")
    numbers = [*told["val"].values(), *told["test"].values()]
    words = [*told["tags"], *told["decisive"]]
    words += [word for name in ("choices", "targets", "fingerprints") for word in told[name].values()]
    if not all(isinstance(one, int | float) for one in numbers) or not all(isinstance(one, str) for one in words):
        raise TypeError("a value is not of its kind")
    name, direction = told["decisive"]
    code = told["exit_code"]
    return RunRecord(
        path=path,
        **{key: told[key] for key in KINDS if key not in ("tags", "decisive", "began")},
        exit_code=code if isinstance(code, int) else None,
        tags=tuple(told["tags"]),
        decisive=(name, direction),
        began=datetime.fromisoformat(told["began"]),
    )
