"""`dlcourse reproduce RUN`: train a run again from its own config, and say whether it came out the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.commands.arguments import argument, read
from dlcourse.config.compose import Where
from dlcourse.errors import ConfigError

if TYPE_CHECKING:
    from dlcourse.folders import RunFolder
    from dlcourse.results.record import RunRecord
    from dlcourse.results.repeat import Repetition
    from dlcourse.run.parts import Parts


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse reproduce` takes."""

    run: str = argument("The run: a path, <model>-<data>/<time>, a unique end of it, or latest.", bare=True)
    tolerance: float | None = argument(
        "How far the decisive metric may be off, in its own unit; null takes what chance explains.", default=None
    )
    dry: bool = argument("Only say what of environment, code and data differs.", default=False)
    against: str | None = argument(
        "Compare with this run in place of a new one, such as a repetition that was stopped and resumed.", default=None
    )
    device: str | None = argument("Another device than the run's, such as cpu.", default=None, key="runtime.device")
    root: str | None = argument("Where the data lies now.", default=None, key="data.root")
    runs: Path = argument("Folder that holds the runs, and takes the new one.", default=Path("runs"))
    allow_code: bool = argument("Run Python files of this folder that the run's config names.", default=False)


PURPOSE = """\
Trains a run again from the config in its folder, into a new folder, and compares every number that both recorded.
Before, it says what of environment, code and data is not as it was. Exit code 0: identical, or the decisive metric is
within the tolerance; 1: it is not, or the training failed; 2: it cannot be trained. tolerance=0 asks for identity."""


def main(argv: list[str]) -> int:
    """Say what differs, train again, compare; the exit code is that of the purpose."""
    given = read(Arguments, argv, command="reproduce", purpose=PURPOSE)
    if given.tolerance is not None and not given.tolerance >= 0:
        raise ConfigError(f"tolerance must be 0 or more, not {given.tolerance}")
    from dlcourse.folders import STAMP, RunFolder, find_run
    from dlcourse.results.record import read_record

    folder = find_run(given.run, runs=given.runs)
    record = read_record(folder, runs=given.runs)
    if given.against is not None:
        return compare(given, record, find_run(given.against, runs=given.runs))
    from dlcourse.commands.train import shown, train
    from dlcourse.run.parts import assemble  # torch, imported here, takes two seconds
    from dlcourse.run.prepare import read_head

    config, choices = read_head(folder)
    config = relocated(config, given)
    parts = assemble(config, choices=choices, allow_code=given.allow_code)
    for line in changes(folder, parts):
        print(line)
    for line in doubts(record, parts):
        print(line)
    if given.dry:
        return 0
    print(flush=True)
    new = RunFolder(given.runs.expanduser() / parts.name / datetime.now().strftime(STAMP))
    words = (folder.path / "overrides.txt").read_text(encoding="utf-8").splitlines()
    if code := train(config, Where(new.path, None, words, choices)):
        print(f"and then:\n  dlcourse reproduce {shown(folder)} against={shown(new)}")
        return code
    print()
    return compare(given, record, new)


def relocated(config: Mapping[str, Any], given: Arguments) -> dict[str, Any]:
    """The run's config for a folder of its own, on the device and with the data that are here."""
    runtime = {**config["runtime"], **({} if given.device is None else {"device": given.device})}
    data = {**config["data"], **({} if given.root is None else {"root": given.root})}
    aside = {"run": None, "resume": None, "resume_anyway": False, "runs": str(given.runs)}
    return {**config, **aside, "runtime": runtime, "data": data}


def changes(folder: RunFolder, parts: Parts) -> Iterator[str]:
    """What of environment, code and data is not as the run had it; reads the data.

    Raises:
        DataError: the data cannot be read.
    """
    from dlcourse.files import read_json
    from dlcourse.results.repeat import beside
    from dlcourse.run.environment import differences, environment
    from dlcourse.run.prepare import read_splits
    from dlcourse.run.resume import data_changes

    before, now = read_json(folder.path / "environment.json"), environment(parts.runtime)
    decisive, others = differences(before, now), beside(before, now)
    parts.runtime.apply()
    splits = read_splits(parts)
    known = {name: str(entry["sha256"]) for name, entry in read_json(folder.data).items() if "sha256" in entry}
    other_data = data_changes(known, {name: getattr(splits, name).fingerprint for name in ("train", "val", "test")})
    if not before:
        yield "environment: environment.json is missing or damaged, so nothing can be said of it"
    yield from (f"environment: {phrase}; the numbers may differ for it" for phrase in decisive)
    yield from (f"environment: {phrase}" for phrase in others)
    yield from other_data
    if not known:
        yield "data: data.json is missing or damaged, so nothing can be said of it"
    if before and known and not (decisive or others or other_data):
        yield "environment, code and data are those that the run was trained with"


def doubts(record: RunRecord, parts: Parts) -> Iterator[str]:
    """What in the run itself stands against the same numbers."""
    if record.state != "done":
        yield f"the run: it is {record.state} at step {record.step}; only what it recorded is compared"
    if len(list(record.path.glob("events.out.tfevents.*"))) > 1:
        yield "the run: it was resumed; if its length or device was changed then, it had other settings before"
    if parts.settings.max_minutes is not None:
        yield f"the run: max_minutes={parts.settings.max_minutes:g} stops it by the clock, not at the same step"
    if parts.runtime.device != "cpu" and not parts.runtime.deterministic:
        yield f"the run: {parts.runtime.device} adds up in any order unless runtime.deterministic=true"


def compare(given: Arguments, record: RunRecord, new: RunFolder) -> int:
    """Print how the second training came out; 1 if not as the first."""
    from dlcourse.folders import RunFolder
    from dlcourse.results.index import read_all
    from dlcourse.results.repeat import Tolerance, repetition, tolerance_of

    if given.tolerance is not None:
        tolerance = Tolerance(given.tolerance, "as you said")
    else:
        others = [one for one in read_all(given.runs).records if one.path.resolve() != new.path.resolve()]
        tolerance = tolerance_of(record, others, items=items(record))
    found = repetition(
        RunFolder(record.path).records(), new.records(), decisive=record.decisive[0], tolerance=tolerance
    )
    show(found)
    return int(found.verdict == "not reproduced" or (found.verdict != "identical" and tolerance.value == 0))


def items(record: RunRecord) -> int | None:
    """How many items the decisive metric was measured on; None if data.json does not say."""
    from dlcourse.files import read_json
    from dlcourse.folders import RunFolder

    entry = read_json(RunFolder(record.path).data).get("test" if record.test else "val")
    count = entry.get("items") if isinstance(entry, dict) else None
    return count if isinstance(count, int) else None


def show(found: Repetition) -> None:
    """Print the numbers that differ, and the verdict."""
    from dlcourse.commands.eval import show as show_table
    from dlcourse.media import Table

    if found.rows:
        rows = tuple((name, f"{then:.6g}", f"{now:.6g}", f"{now - then:+.2g}") for name, then, now in found.rows)
        show_table(Table("what is not the same", ("", "before", "now", "difference"), rows))
        print()
    print(found.sentence)
