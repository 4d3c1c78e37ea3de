"""What a reader must know before believing a comparison: other tasks, other data, runs that do not count."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from dlcourse.results.groups import Group
from dlcourse.results.record import RunRecord

MOST_NAMED = 3  # runs or settings in one sentence


def caveats(groups: Sequence[Group], strata: Sequence[Sequence[Group]], *, names: Mapping[str, str]) -> list[str]:
    """A sentence for each thing that all these groups' numbers do not share.

    Args:
        groups: all of them.
        strata: those that share task and data.
        names: what each group is called.
    """
    found: list[str] = []
    if len(groups) == 1 and len(groups[0].records) > 1 and not groups[0].varies:
        found.append("These runs differ in nothing but their seeds, so there is nothing to compare them with.")
    if len(strata) > 1:
        found.append(other_measures(groups))
    for members in strata:
        found += other_items(members)
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


def other_measures(groups: Sequence[Group]) -> str:
    """That tasks or data differ, and what can be compared all the same."""
    tasks, data = options(groups, "task"), options(groups, "data")
    shared = set.intersection(*({*record.test, *record.val} for group in groups for record in group.records))
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
    prints = {record.fingerprints.get("test") for group in groups for record in group.records}
    if len(prints) == 1 and None not in prints:
        return []
    if None in prints:
        return ["Not every run says what its test split holds, so their test items may be others."]
    settings = {name for group in groups for name in (*group.differs, *group.varies) if name.startswith("data.")}
    why = f" ({listed(sorted(settings))} differ)" if settings else ""
    return [
        f"The test splits have {len(prints)} fingerprints{why}: other items, or the same ones cut or encoded otherwise."
    ]


def left_out(groups: Sequence[Group], *, split: str, metric: str) -> list[str]:
    """A sentence for each reason why runs do not count."""
    reasons: list[tuple[str, Callable[[RunRecord], bool]]] = [
        ("did not finish", lambda record: record.state != "done"),
        (f"without a {split} {metric}", lambda record: metric not in numbers_of(record, split=split)),
        (f"whose {split} {metric} is not finite", lambda record: usable(record, split=split, metric=metric) is None),
    ]
    runs = [record for group in groups for record in group.records]
    found: list[str] = []
    for reason, holds in reasons:
        names = [f"{record.title or record.name} ({record.state})" for record in runs if holds(record)]
        runs = [record for record in runs if not holds(record)]
        if names:
            kind = "runs that" if reason.startswith("did") else "runs"
            found.append(f"Not counted are {kind} {reason}: {listed(names)}.")
    return found


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
