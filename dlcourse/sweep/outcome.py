"""What came of a sweep: the arms side by side over their seeds, what can be concluded, and what failed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress

from dlcourse.errors import RunError
from dlcourse.results.comparison import Stratum, compare_groups
from dlcourse.results.groups import Group
from dlcourse.results.letters import letters
from dlcourse.results.record import RunRecord, read_record
from dlcourse.results.render import render
from dlcourse.sweep.drive import Plan, merit, told
from dlcourse.sweep.journal import Arm, Journal

SPLIT = "val"


COLUMNS = ("", "runs", "mean", "sd", "low", "high", "arm")


def lines(plan: Plan, journal: Journal) -> Iterator[str]:
    """What is printed at the end: the arms, the best first, and what can be concluded."""
    groups, gone = groups_of(plan, journal)
    if groups:
        comparison = compare_groups(groups, metric=plan.metric, split=SPLIT)
        own = letters(comparison.groups)
        for stratum in comparison.strata:
            title = f"best {stratum.question}, {stratum.question.better} is better (low, high: 95 % over seeds)"
            yield render(COLUMNS, list(rows(stratum, own)), format="table", title=title)
            yield ""
        yield from comparison.sentences
    if gone:
        yield f"{gone} runs that were trained are not in {plan.runs} any more and are left out"
    if groups and len(journal.arms) > 1:
        words = [*plan.space.flags, *plan.space.fixed, *journal.arms[ranking(plan, journal)[0]].words]
        yield f"chosen on validation: dlcourse train {shlex.join(words)}"


def rows(stratum: Stratum, own: Mapping[str, str]) -> Iterator[tuple[str | float | int | None, ...]]:
    """A row of `COLUMNS` for each arm; `own` is the letter of each."""
    for group, one in zip(stratum.groups, stratum.summaries, strict=True):
        numbers = (None,) * 5 if one is None else (one.n, one.mean, one.sd, one.low, one.high)
        yield own[group.name], *numbers, group.name


def groups_of(plan: Plan, journal: Journal) -> tuple[list[Group], int]:
    """A group of runs for each arm that has any, the best first; and how many runs are gone."""
    found: list[Group] = []
    gone = 0
    for number in ranking(plan, journal):
        arm = journal.arms[number]
        records: list[RunRecord] = []
        for seed in plan.seeds:
            ended = journal.ended.get((number, seed))
            if ended is None or ended.failed:
                continue
            with suppress(RunError, OSError):
                records.append(read_record(plan.trial(arm, seed).folder, runs=plan.runs))
                continue
            gone += 1
        if records:
            found.append(Group(called(arm), tuple(records), differs(arm)))
    return found, gone


def ranking(plan: Plan, journal: Journal) -> list[int]:
    """The numbers of the arms that count, the best first; those without a score last."""

    def mean(arm: Arm) -> float:
        ends = [journal.ended[key] for seed in plan.seeds if (key := (arm.number, seed)) in journal.ended]
        found = [value for ended in ends if (value := merit(ended, plan.metric)) is not None]
        return sum(found) / len(found) if found else float("-inf")

    return [arm.number for arm in sorted(plan.counted(journal), key=mean, reverse=True)]


def called(arm: Arm) -> str:
    """What the arm is called."""
    return " ".join(arm.words) or arm.group


def differs(arm: Arm) -> dict[str, object]:
    """Setting -> the value that makes this arm."""
    pairs = (word.partition("=") for word in arm.words)
    return {key.lstrip("+"): value for key, _, value in pairs}


def failures(plan: Plan, journal: Journal) -> Iterator[str]:
    """A line for each trial that failed: its words, how it ended, and where its output is."""
    for arm in plan.counted(journal):
        for seed in plan.seeds:
            ended = journal.ended.get((arm.number, seed))
            if ended is not None and ended.failed:
                words = " ".join([*arm.words, f"seed={seed}"])
                yield f"{words}: {told(ended)}; {plan.trial(arm, seed).err}"
