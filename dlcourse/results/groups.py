"""Runs that are one experiment: the same settings with other seeds, or the same values of chosen settings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dlcourse.errors import ConfigError, suggestion
from dlcourse.results import fields
from dlcourse.results.record import MECHANICS, RunRecord

SEED = "seed"
LABELS = frozenset({"experiment"})
"""Names for a bundle of settings, which decide nothing beside those settings."""
FIRST = ("model", "data", "task", "experiment")
"""What tells groups apart best, if it does."""
LONGEST_VALUE = 40  # characters of a value in a name
ABSENT = "-"
"""How the value of a setting that a run does not have is shown."""


@dataclass(frozen=True)
class Group:
    """Runs that are measurements of the same thing.

    Args:
        name: what tells it from the groups beside it, such as `optimizer.lr=0.1, model=lenet5`.
        records: its runs, in the order that they were given.
        differs: settings in which the groups differ -> this group's value; one that varies within it is left out.
    """

    name: str
    records: tuple[RunRecord, ...]
    differs: Mapping[str, object]

    @property
    def seeds(self) -> tuple[object, ...]:
        """The seed of every run."""
        return tuple(record.settings.get(SEED) for record in self.records)

    @property
    def varies(self) -> tuple[str, ...]:
        """Settings other than the seed that are not the same in all its runs."""
        return tuple(name for name in differing(self.records) if name != SEED)

    @property
    def repeated(self) -> tuple[object, ...]:
        """Seeds of finished runs that repeat another one in everything, so that they tell nothing new."""
        done = [record for record in self.records if record.state == "done"]
        counts = Counter((replicate(record), record.settings.get(SEED)) for record in done)
        return tuple(dict.fromkeys(seed for (_, seed), count in counts.items() if count > 1))


def grouped(records: Sequence[RunRecord], *, by: Sequence[str] = ()) -> list[Group]:
    """The groups of some runs, in the order of their first runs; a run that is given twice counts once.

    Args:
        records: the runs.
        by: dotted settings, or groups of options such as `model`: runs that agree in these are one group. Without any,
            runs of equal settings and data are, apart from the seed and from what changes no result.

    Raises:
        ConfigError: no run has a setting of such a name.
    """
    known = {name: None for record in records for name in record.settings}
    problems = [
        f"group_by={name}: no run has such a setting{suggestion(name, known)}" for name in by if name not in known
    ]
    if problems and records:
        raise ConfigError(*problems)
    found: dict[Hashable, dict[object, RunRecord]] = {}
    for record in records:
        key = tuple(text(record.settings, name) for name in by) if by else experiment(record)
        found.setdefault(key, {})[record.path] = record
    members = [tuple(group.values()) for group in found.values()]
    names = differing([record for group in members for record in group])
    shared = [{name: text(group[0].settings, name) for name in names if is_one(group, name)} for group in members]
    between = [name for name in names if len({own.get(name) for own in shared}) > 1]
    chosen = list(by) or telling(shared, [name for name in between if name != SEED])
    titles = unlike([title(group, chosen, named=bool(by)) for group in members], members)
    return [
        Group(name, group, {one: group[0].settings.get(one, ABSENT) for one in between if one in own})
        for name, group, own in zip(titles, members, shared, strict=True)
    ]


def differing(records: Sequence[RunRecord]) -> list[str]:
    """Settings whose value is not the same in all the runs: options first; those that change no result are left out.

    A setting that some runs lack differs.
    """
    names = dict.fromkeys(name for record in records for name in record.settings if name not in MECHANICS)
    options = {name for record in records for name in record.choices}
    found = [name for name in names if not is_one(records, name)]
    order = {name: place for place, name in enumerate(FIRST)}
    return sorted(found, key=lambda name: (order.get(name, len(order) + (name not in options)), "." in name))


def experiment(record: RunRecord) -> Hashable:
    """What runs of one group have in common: all that decides their numbers but the seed."""
    aside = MECHANICS | LABELS | {SEED}
    values = sorted((name, text(record.settings, name)) for name in record.settings if name not in aside)
    return (*values, *sorted(record.fingerprints.items()))


def replicate(record: RunRecord) -> Hashable:
    """What two runs share that must come out alike."""
    return (experiment(record), text(record.settings, SEED))


def text(settings: Mapping[str, object], name: str) -> str:
    """A value that can be compared and hashed; true is not 1, and a missing setting not null."""
    return json.dumps(settings[name], ensure_ascii=False, default=str) if name in settings else ""


def shown(value: object) -> str:
    """A value as a command line would have it, cut where it is long."""
    plain = fields.shown(value)
    return plain if len(plain) <= LONGEST_VALUE else f"…{plain[1 - LONGEST_VALUE :]}"


def is_one(records: Iterable[RunRecord], name: str) -> bool:
    """Whether the setting has one value in all these runs."""
    return len({text(record.settings, name) for record in records}) == 1


def telling(shared: Sequence[Mapping[str, str]], names: Sequence[str]) -> list[str]:
    """A few of the settings that tell as many groups apart as all of them do, each adding the most.

    Args:
        shared: for each group, setting -> the value that its runs share.
        names: those in which groups differ, the better ones first.
    """

    def apart(chosen: Sequence[str]) -> int:
        return len({tuple(own.get(name) for name in chosen) for own in shared})

    chosen: list[str] = []
    while apart(chosen) < apart(names):
        chosen.append(max(names, key=lambda name: apart([*chosen, name])))  # the first of equals
    return chosen


def title(records: Sequence[RunRecord], names: Sequence[str], *, named: bool) -> str:
    """The name of a group by these settings; without any, and for a single run that has one, its own name."""
    first = records[0]
    if len(records) == 1 and first.title and not named:
        return first.title
    if not names:
        return "-".join(first.choices[group] for group in ("model", "data") if group in first.choices) or first.name
    return ", ".join(
        f"{name}={shown(first.settings.get(name, ABSENT)) if is_one(records, name) else 'any'}" for name in names
    )


def unlike(titles: Sequence[str], members: Sequence[Sequence[RunRecord]]) -> list[str]:
    """The titles; groups of one title differ in the data alone, so its fingerprint stands behind them."""
    counts = Counter(titles)
    marks = [next(iter(sorted(group[0].fingerprints.items(), reverse=True)), ("", "none")) for group in members]
    found = [one if counts[one] == 1 else f"{one}, data {sha[:8]}" for one, (_, sha) in zip(titles, marks, strict=True)]
    again, seen = Counter(found), Counter[str]()
    for place, one in enumerate(found):
        seen[one] += 1
        found[place] = one if again[one] == 1 else f"{one} ({seen[one]})"
    return found
