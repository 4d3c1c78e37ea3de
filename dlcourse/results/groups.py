"""Runs that are one experiment: the same settings with other seeds or folds, or the same values of chosen settings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from dlcourse.errors import ConfigError, suggestion
from dlcourse.results import fields
from dlcourse.results.record import MECHANICS, RunRecord

SEED = "seed"
FOLD = "data.fold"
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
    def folds(self) -> tuple[str, ...]:
        """The folds of cross-validation that its runs are, such as 2/5, each once; empty if they are none."""
        found = (fold_of(record) for record in self.records)
        return tuple(dict.fromkeys(fold for fold in found if fold is not None))

    @property
    def varies(self) -> tuple[str, ...]:
        """Settings other than seed and fold that are not the same in all its runs."""
        return tuple(settings_apart(self.records))

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
            runs of equal settings and data are, apart from the seed, from the fold among as many folds, and from what
            changes no result.

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
    every = [tuple(group.values()) for group in found.values()]
    members = every if by else [part for group in every for part in of_one_pool(group)]
    names = differing([record for group in members for record in group])
    shared = [{name: value for name in names if (value := common(group, name)) is not None} for group in members]
    between = [name for name in names if len({own.get(name) for own in shared}) > 1]
    chosen = list(by) or telling(shared, [name for name in between if name != SEED])
    titles = unlike([title(group, chosen, named=bool(by)) for group in members], members)
    return [
        Group(name, group, {one: value_in(group, one) for one in between if one in own})
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


def settings_apart(records: Sequence[RunRecord]) -> list[str]:
    """`differing` without what a group's runs may differ in: the seed, and which of the same number of folds it is."""
    folded = len({folds_of(record) for record in records}) == 1
    return [name for name in differing(records) if name != SEED and not (name == FOLD and folded)]


def experiment(record: RunRecord) -> Hashable:
    """What runs of one group have in common: all that decides their numbers but the seed and the fold."""
    aside = MECHANICS | LABELS | {SEED, FOLD}
    values = sorted((name, text(record.settings, name)) for name in record.settings if name not in aside)
    # Each fold trains on other items, and texts are encoded by what is trained on: every fingerprint may differ.
    data = sorted(record.fingerprints.items()) if fold_of(record) is None else [(FOLD, folds_of(record))]
    return (*values, *data)


def replicate(record: RunRecord) -> Hashable:
    """What two runs share that must come out alike."""
    return (experiment(record), text(record.settings, SEED), training_data(record))


def training_data(record: RunRecord) -> Hashable:
    """What tells the data of runs of one experiment apart."""
    return (fold_of(record), *sorted(record.fingerprints.items()))


def fold_of(record: RunRecord) -> str | None:
    """The fold of cross-validation that a run is, such as 2/5; None if it is none."""
    fold = record.settings.get(FOLD)
    return fold if isinstance(fold, str) else None


def folds_of(record: RunRecord) -> str | None:
    """Of how many folds a run is one, such as 5; None if it is none."""
    fold = fold_of(record)
    return None if fold is None else fold.rpartition("/")[2]


def of_one_pool(records: tuple[RunRecord, ...]) -> list[tuple[RunRecord, ...]]:
    """Runs of one experiment as they are; by their test splits if one fold of it was trained on several data."""
    data: dict[str | None, set[Hashable]] = {}
    for record in records:
        data.setdefault(fold_of(record), set()).add(training_data(record))
    if all(len(found) == 1 for found in data.values()):
        return [records]
    parts: dict[object, list[RunRecord]] = {}
    for record in records:
        parts.setdefault(record.fingerprints.get("test"), []).append(record)
    return [tuple(part) for part in parts.values()]


def text(settings: Mapping[str, object], name: str) -> str:
    """A value that can be compared and hashed; true is not 1, 1 is 1.0, and a missing setting not null."""
    return json.dumps(whole(settings[name]), ensure_ascii=False, default=str) if name in settings else ""


def whole(value: object) -> object:
    """The value with every 1.0 as 1: `ema=0` is written down as it was typed."""
    if isinstance(value, list):
        return [whole(one) for one in cast("list[object]", value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def shown(value: object) -> str:
    """A value as a command line would have it, cut where it is long."""
    plain = fields.shown(value)
    return plain if len(plain) <= LONGEST_VALUE else f"…{plain[1 - LONGEST_VALUE :]}"


def common(records: Sequence[RunRecord], name: str) -> str | None:
    """The value of a setting that runs share, as `text` has it; of folds how many there are; None if there is none."""
    folds = {folds_of(record) for record in records} if name == FOLD else set[str | None]()
    if folds == {None}:  # runs of before there were folds lack the setting
        return "null"
    if is_one(records, name):
        return text(records[0].settings, name)
    return f"any/{folds.pop()}" if len(folds) == 1 else None


def value_in(records: Sequence[RunRecord], name: str) -> object:
    """The value of a setting in a group, to be shown: `any` if it varies."""
    if is_one(records, name):
        return records[0].settings.get(name, ABSENT)
    return common(records, name) or "any"


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
    # A name says what a group has: `=-` of what it lacks, and `=any`, would be longer and tell nothing more.
    told = [name for name in names if named or (name in first.settings and common(records, name) is not None)]
    if not told:
        return "-".join(first.choices[group] for group in ("model", "data") if group in first.choices) or first.name
    return ", ".join(f"{name}={shown(value_in(records, name))}" for name in told)


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
