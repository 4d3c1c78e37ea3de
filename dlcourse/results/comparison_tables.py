"""The tables of a comparison: its groups, the settings that differ, the numbers, the differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlcourse.media import Cell, Table
from dlcourse.results.caveats import numbers_of
from dlcourse.results.contrast import Summary, summarize
from dlcourse.results.counted import counted
from dlcourse.results.groups import Group, settings_apart, shown, value_in
from dlcourse.results.letters import called, letters
from dlcourse.results.verdict import Question, Verdict, of_families

if TYPE_CHECKING:
    from dlcourse.results.comparison import Comparison, Stratum

MOST_BESIDE = 5  # groups that have room beside each other
MOST_SETTINGS = 30
MOST_SEEDS = 6


def tables(comparison: Comparison) -> list[Table]:
    """All tables, the letters of the first naming the groups in the others."""
    own = letters(comparison.groups)
    in_sentences = {name: own[group] for group, name in called(comparison.groups).items()}
    found = [overview(comparison.groups, own)]
    if 1 < len(comparison.groups) <= MOST_BESIDE:
        found.append(settings(comparison.groups, own))
    for stratum in comparison.strata:
        found.append(summaries(stratum, own))
        if stratum.verdicts:
            found.append(differences(stratum, in_sentences))
        if len(stratum.groups) <= MOST_BESIDE:
            found.append(numbers(stratum, own))
    return [table for table in found if table.rows]


def overview(groups: Sequence[Group], own: dict[str, str]) -> Table:
    """Each group: its runs, seeds and time."""
    rows: list[tuple[Cell, ...]] = []
    for group in groups:
        seeds = [shown(seed) for seed in dict.fromkeys(group.seeds)]
        more = [f"... ({len(seeds)})"] if len(seeds) > MOST_SEEDS else []
        minutes = sum(record.seconds for record in group.records) / len(group.records) / 60
        folds = [f"of {len(group.folds)} folds"] if group.folds else []
        told = " ".join([", ".join([*seeds[:MOST_SEEDS], *more]), *folds])
        # The name comes last: it is the longest, and may run over the edge of a terminal.
        rows.append((own[group.name], len(group.records), told, round(minutes, 1), group.name))
    return Table("groups", ("", "runs", "seeds", "minutes a run", "group"), tuple(rows))


def settings(groups: Sequence[Group], own: dict[str, str]) -> Table:
    """The settings that differ, in each group; those that only one option has are left out."""
    records = [record for group in groups for record in group.records]
    names = settings_apart(records)
    # What one model has and another lacks follows from the models, which stand in the table. A group of the config may
    # be laid somewhere else: group@place.
    options = {name for name in names if any(name in record.choices for record in records)}
    heads = tuple(f"{name.rpartition('@')[2]}." for name in options)
    common = [name for name in names if not name.startswith(heads) or all(name in one.settings for one in records)]
    rows = [(name, *(group_value(group, name) for group in groups)) for name in common[:MOST_SETTINGS]]
    notes = [
        *(["settings that only one of several options has are left out"] if len(common) < len(names) else []),
        *([f"{len(common) - MOST_SETTINGS} more differ"] if len(common) > MOST_SETTINGS else []),
    ]
    return Table("settings that differ", ("", *(own[group.name] for group in groups)), tuple(rows), tuple(notes))


def group_value(group: Group, name: str) -> str:
    """The value of a setting in a group."""
    return shown(value_in(group.records, name))


def summaries(stratum: Stratum, own: dict[str, str]) -> Table:
    """Mean, spread and interval of what the groups are compared by."""
    rows: list[tuple[Cell, ...]] = []
    for group, one in zip(stratum.groups, stratum.summaries, strict=True):
        cells = (0, None, None, None, None) if one is None else (one.n, one.mean, one.sd, one.low, one.high)
        rows.append((own[group.name], *cells))
    notes = ("low and high: 95 % t interval of the mean over runs",) if any(row[4] is not None for row in rows) else ()
    return Table(title(stratum.question, best=True), ("", "n", "mean", "sd", "low", "high"), tuple(rows), notes)


def title(question: Question, *, best: bool = False) -> str:
    """What a table is about."""
    text = f"best {question}" if question.split == "val" else str(question)
    return f"{text} ({question.better} is better)" if best else text


def differences(stratum: Stratum, own: dict[str, str]) -> Table:
    """Every difference that was judged, with its interval and p-values; columns without any number are left out."""
    heads = ("", "difference", "low", "high", "p", "p (Holm)", "p (permutation)", "p (paired)")
    rows = [difference(one, own) for one in stratum.verdicts]
    kept = [place for place in range(len(heads)) if place < 2 or any(row[place] is not None for row in rows)]
    corrected = any(one.family > 1 for one in stratum.verdicts)
    notes = [
        *(
            ["low and high: 95 % interval of each difference by itself"]
            if any(row[2] is not None for row in rows)
            else []
        ),
        *([f"Holm's correction is for the {of_families(stratum.verdicts)} of all groups"] if corrected else []),
    ]
    return Table(
        f"differences in {title(stratum.question)}",
        tuple(heads[place] for place in kept),
        tuple(tuple(row[place] for place in kept) for row in rows),
        tuple(notes),
    )


def difference(verdict: Verdict, own: dict[str, str]) -> tuple[Cell, ...]:
    """One row of `differences`."""
    one = verdict.contrast
    low, high = (None, None) if one.tested is None else (one.tested.interval.low, one.tested.interval.high)
    paired = None if one.paired is None else one.paired.p_value
    adjusted = verdict.adjusted if verdict.family > 1 else None
    name = f"{own[one.first]} - {own[one.second]}"
    return (name, one.difference, low, high, one.p_value, adjusted, one.exact, paired)


def numbers(stratum: Stratum, own: dict[str, str]) -> Table:
    """All numbers of the split, as mean and standard deviation; of two groups also the difference."""
    split = stratum.question.split
    runs = [record for group in stratum.groups for record in group.records]
    names = dict.fromkeys(name for one in runs for name in numbers_of(one, split=split) if "/" not in name)
    rows: list[tuple[Cell, ...]] = []
    for name in names:
        found = [measured(group, split=split, metric=name) for group in stratum.groups]
        if any(found):
            rows.append((name, *map(spread, found), *gap(found)))
    columns = [own[group.name] for group in stratum.groups]
    delta = [f"{columns[0]} - {columns[1]}"] if len(columns) == 2 else []
    notes = (
        ("mean ± standard deviation over runs",)
        if any(isinstance(cell, str) for row in rows for cell in row[1:])
        else ()
    )
    name = "best validation" if split == "val" else split
    return Table(f"all numbers of the {name}", ("", *columns, *delta), tuple(rows), notes)


def every_number(comparison: Comparison) -> Table:
    """One row for each number of each group, for programs that read tables."""
    rows: list[tuple[Cell, ...]] = []
    for stratum in comparison.strata:
        split = stratum.question.split
        for group in stratum.groups:
            names = dict.fromkeys(name for record in group.records for name in numbers_of(record, split=split))
            for name in names:
                if one := measured(group, split=split, metric=name):
                    rows.append((group.name, split, name, one.n, one.mean, one.sd, one.low, one.high))
    return Table("numbers", ("group", "split", "metric", "n", "mean", "sd", "low", "high"), tuple(rows))


def measured(group: Group, *, split: str, metric: str) -> Summary | None:
    """A number over the runs of a group, those that repeat each other as one; None if no run has it."""
    runs = counted(group, split=split, metric=metric).values()
    found = [[numbers_of(record, split=split)[metric] for record in repeats] for repeats in runs]
    return summarize([math.fsum(values) / len(values) for values in found]) if found else None


def spread(one: Summary | None) -> Cell:
    """Mean and standard deviation in a cell, the mean as far as the deviation leaves it meaning."""
    if one is None or one.sd is None:
        return None if one is None else one.mean
    if not one.sd or not math.isfinite(one.sd):
        return f"{one.mean:.4g} ± {one.sd:.2g}"
    places = min(9, max(0, 1 - math.floor(math.log10(one.sd))))
    return f"{one.mean:.{places}f} ± {one.sd:.{places}f}"


def gap(found: Sequence[Summary | None]) -> tuple[Cell, ...]:
    """The difference of two means; nothing of more or fewer groups."""
    if len(found) != 2:
        return ()
    first, second = found
    return (None if first is None or second is None else first.mean - second.mean,)
