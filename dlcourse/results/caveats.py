"""What a reader must know before believing a comparison: other tasks, other data, runs that do not count."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from dlcourse.results.groups import ABSENT, Group, fold_of
from dlcourse.results.record import RunRecord

APART = frozenset({"seed", "experiment"})  # an experiment's name stands for settings, which are compared themselves
MOST_NAMED = 3  # runs or settings in one sentence
SOURCE = "Bengio and Grandvalet 2004, JMLR 5:1089"
"""No estimate of the variance of a mean over folds is unbiased."""


def caveats(groups: Sequence[Group], strata: Sequence[Sequence[Group]], *, names: Mapping[str, str]) -> list[str]:
    """A sentence for each thing that all these groups' numbers do not share.

    Args:
        groups: all of them.
        strata: those that share task and data.
        names: what each group is called.
    """
    found: list[str] = []
    if len(groups) == 1 and len(groups[0].records) > 1 and not groups[0].varies:
        what = "folds" if len(groups[0].folds) > 1 else "seeds"
        found.append(f"These runs differ in nothing but their {what}, so there is nothing to compare them with.")
    if folded := [names[group.name] for group in groups if len(group.folds) > 1]:
        found.append(shared_training(folded))
    if len(strata) > 1:
        found.append(other_measures(groups))
    for members in strata:
        found += other_items(members) + confounded(members, names=names)
    for group in groups:
        if group.varies:
            found.append(
                f"{names[group.name]} is a mean over {listed(group.varies)} too, each run a measurement like a seed."
            )
        if group.repeated:
            seeds = listed([str(seed) for seed in group.repeated])
            found.append(
                f"{names[group.name]} holds more than one run of seed {seeds} with the same settings: they repeat each "
                "other and count as one."
            )
    return found


def confounded(groups: Sequence[Group], *, names: Mapping[str, str]) -> list[str]:
    """Of two groups that differ in more than one setting, that no number says which of these it is."""
    if len(groups) != 2:
        return []  # with more, one setting at a time may change between two of them
    one, other = (group.differs for group in groups)
    # What only one of two models has comes with the model.
    both = [name for name in one if name in other and ABSENT not in (one[name], other[name])]
    differ = [name for name in both if name not in APART and one[name] != other[name]]
    if len(differ) < 2:
        return []
    first, second = (names[group.name] for group in groups)
    return [
        f"{first} and {second} differ in {len(differ)} settings ({listed(differ)}): what of them makes a difference "
        "between the two, this comparison cannot tell."
    ]


def shared_training(names: Sequence[str]) -> str:
    """What is to be said wherever an interval or a test over folds is shown; `names` are the groups' of folds."""
    return (
        f"The folds of {listed(names)} share training data, so their numbers are not independent: intervals over folds "
        f"are as a rule too narrow and p-values too small, and no estimate from the folds alone mends that ({SOURCE})."
    )


def same_items(sides: Iterable[Sequence[RunRecord]], *, split: str) -> bool:
    """Whether the fingerprints show that all sides have the same items in a split; of folds, each the other's."""
    found: list[dict[str | None, set[str | None]]] = []
    for records in sides:
        found.append({})
        for record in records:
            found[-1].setdefault(fold_of(record), set()).add(record.fingerprints.get(split))
    every = {one for side in found for prints in side.values() for one in prints}
    if None in every:
        return False
    by_fold = all(side == found[0] and all(len(prints) == 1 for prints in side.values()) for side in found)
    return len(every) == 1 or by_fold


def other_measures(groups: Sequence[Group]) -> str:
    """That tasks or data differ, and what can be compared all the same."""
    tasks, data = options(groups, "task"), options(groups, "data")
    known = [{*record.test, *record.val} for group in groups for record in group.records if recorded(record)]
    shared = set[str].intersection(*known) if known else set[str]()
    names = sorted(name for name in shared if "/" not in name)
    differ = " and ".join(
        f"{what} ({', '.join(found)})" for what, found in (("tasks", tasks), ("data", data)) if len(found) > 1
    )
    # Equal names on other data measure other things: 90 % of ten classes is not 90 % of two.
    same = f"; numbers called {listed(names)} stand in all of them and measure something else in each" if names else ""
    return (
        f"These runs are of different {differ}, so their numbers are tested among themselves only: comparable are "
        f"settings, time and the shape of the curves{same}."
    )


def other_items(groups: Sequence[Group]) -> list[str]:
    """That the test splits of one data set have several fingerprints."""
    sides = [found for group in groups if (found := [record for record in group.records if recorded(record)])]
    prints = {record.fingerprints.get("test") for side in sides for record in side}
    if not sides or same_items(sides, split="test"):
        return []
    if None in prints:
        return ["Not every run says what its test split holds, so their test items may be others."]
    settings = {name for group in groups for name in (*group.differs, *group.varies) if name.startswith("data.")}
    why = f" ({listed(sorted(settings))} differ)" if settings else ""
    return [
        f"The test splits have {len(prints)} fingerprints{why}: other items, or the same ones cut or encoded otherwise."
    ]


def left_out(asked: Iterable[tuple[Sequence[Group], str, str]]) -> list[str]:
    """A sentence for each reason why runs do not count; `asked` are groups with the split and metric asked of them."""
    found: dict[str, list[str]] = {}
    for groups, split, metric in asked:
        for record in (record for group in groups for record in group.records):
            if reason := uncounted(record, split=split, metric=metric):
                found.setdefault(reason, []).append(f"{record.title or record.name} ({record.state})")
    return [f"Not counted are runs {reason}: {listed(names)}." for reason, names in found.items()]


def uncounted(record: RunRecord, *, split: str, metric: str) -> str:
    """Why a run does not count, behind the word runs; empty of one that does."""
    if not recorded(record):
        return "that recorded nothing"
    if record.state != "done":
        return "that did not finish"
    if metric not in numbers_of(record, split=split):
        return f"without a {split} {metric}"
    return "" if usable(record, split=split, metric=metric) is not None else f"whose {split} {metric} is not finite"


def recorded(record: RunRecord) -> bool:
    """Whether the run has any record: a folder may hold the config alone."""
    return bool(record.step or record.val or record.test)


def usable(record: RunRecord, *, split: str, metric: str) -> float | None:
    """A run's number; None if it did not finish or has no finite one."""
    value = numbers_of(record, split=split).get(metric)
    return value if record.state == "done" and value is not None and math.isfinite(value) else None


def numbers_of(record: RunRecord, *, split: str) -> dict[str, float]:
    """The numbers of one split."""
    return dict(record.test if split == "test" else record.val)


def options(groups: Sequence[Group], name: str) -> list[str]:
    """The options of a group of the config that the runs chose."""
    return sorted({record.choices.get(name, "none") for group in groups for record in group.records})


def listed(names: Sequence[str]) -> str:
    """Some names with commas and an and; of many the first."""
    shown = [*names[:MOST_NAMED], *([f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else [])]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
