"""Which columns a table of runs has, what stands in them, and in which order the runs come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from dlcourse.errors import ConfigError, suggestion
from dlcourse.results.fields import MISSING, known_names, shown, value_of
from dlcourse.results.record import MECHANICS, RunRecord

if TYPE_CHECKING:
    from dlcourse.media import Cell

FIRST = ("name", "model", "data")
LAST = ("state", "began", "time")
BESIDES = frozenset({"model", "data", "experiment"})
"""Settings with a column of their own, and one that says nothing but what others do."""
SHORTEST = 6  # letters of a run's name: the microseconds of its folder


def usual_columns(records: Sequence[RunRecord]) -> tuple[str, ...]:
    """Name, model, data, what differs, the deciding numbers of validation and test, state, began and time."""
    counts = Counter(record.decisive[0] for record in records if record.val or record.test)
    names = [name for name, _ in counts.most_common()]
    numbers = [f"{split}.{name}" for name in names for split in ("val", "test")]
    told = [name for name in numbers if any(value_of(record, name) is not MISSING for record in records)]
    return (*FIRST, *differing_settings(records), *told, *LAST)


def differing_settings(records: Sequence[RunRecord]) -> list[str]:
    """Settings whose value is not the same in all runs, `MECHANICS` apart; those that most runs have come first.

    Settings of an option that not all chose (`model.width` beside another model) differ only where they differ among
    the runs that have them.
    """
    values: dict[str, set[str]] = {}
    counts: Counter[str] = Counter()
    for record in records:
        for name, value in record.settings.items():
            if name not in MECHANICS and name not in BESIDES:
                values.setdefault(name, set()).add(shown(value))
                counts[name] += 1
    names = [name for name, found in values.items() if len(found) > 1]
    return sorted(names, key=lambda name: (name == "seed", -counts[name]))  # seeds tell a run apart, and nothing of it


def split_columns(text: str, *, records: Sequence[RunRecord]) -> tuple[str, ...]:
    """What `columns=name,optimizer.lr` asks for.

    Raises:
        ConfigError: no run has it; one line each.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise ConfigError("columns must be names with commas between, such as name,optimizer.lr,test.accuracy")
    check_names(names, records=records, argument="columns")
    return names


def check_names(names: Sequence[str], *, records: Sequence[RunRecord], argument: str) -> None:
    """Raise ConfigError if no run has one of the names; one line each."""
    known = known_names(records)
    problems = [
        f"{argument}: no run has {name}{suggestion(name, known)}" for name in names if records and name not in known
    ]
    if problems:
        raise ConfigError(*problems)


def sorted_by(records: Sequence[RunRecord], *, sort: str) -> list[RunRecord]:
    """The runs by a name, upwards, or downwards behind a minus; those without a value come last.

    Raises:
        ConfigError: no run has it.
    """
    name, down = sort.removeprefix("-"), sort.startswith("-")
    check_names([name], records=records, argument="sort")

    def key(record: RunRecord) -> tuple[int, float, str]:
        value = value_of(record, name)
        if isinstance(value, int | float):
            return (0, value, "")
        return (1, 0.0, shown(value))

    lacking = [record for record in records if value_of(record, name) in (MISSING, None)]
    having = [record for record in records if value_of(record, name) not in (MISSING, None)]
    return sorted(having, key=key, reverse=down) + lacking


def full_cell(record: RunRecord, name: str) -> Cell:
    """What stands in a column for programs: the folder's whole name, seconds, numbers in full."""
    if name == "name":
        return record.name
    value = value_of(record, name)
    if value is MISSING:
        return None
    if isinstance(value, tuple):
        return " ".join(cast("tuple[str, ...]", value))
    return value if isinstance(value, bool | int | float | str | None) else shown(value)


def short_cell(record: RunRecord, name: str, *, names: Sequence[str]) -> Cell:
    """The same for people: a name as short as commands take it, hours and minutes, a date without its year.

    Args:
        record: the run.
        name: of the column.
        names: of all runs in the folder, among which a short name must be the only one.
    """
    if name == "name":
        return record.title or short_name(record.name, names=names)
    if name == "time":
        return duration(record.seconds)
    if name == "began":
        return f"{record.began.astimezone():%m-%d %H:%M}"
    value = full_cell(record, name)
    return "null" if value is None and value_of(record, name) is None else value


def short_name(name: str, *, names: Sequence[str]) -> str:
    """The shortest end of a run's name, six letters or more or a whole folder name, that names no other run."""
    last = name.rpartition("/")[2]
    ends = [last[-length:] for length in range(SHORTEST, len(last))] if last[:4].isdecimal() else []
    for end in (*ends, last):
        if sum(one.endswith(end) for one in names) == 1:
            return end
    return name


def duration(seconds: float) -> str:
    """Seconds as people say them: 45s, 13m16s, 2h05m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"
