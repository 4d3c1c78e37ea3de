"""What came of a sweep: the arms side by side over their seeds, what can be concluded, and what failed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from dlcourse.errors import RunError
from dlcourse.results.command_line import command_line
from dlcourse.results.comparison import Stratum, compare_groups
from dlcourse.results.contrast import summarize
from dlcourse.results.groups import Group
from dlcourse.results.letters import letters
from dlcourse.results.record import RunRecord, read_record
from dlcourse.results.render import render
from dlcourse.sweep.drive import Plan
from dlcourse.sweep.folded import whole
from dlcourse.sweep.journal import Arm, Journal
from dlcourse.sweep.scores import merit, score, told

SPLIT = "val"
UNTESTED = "test=false"

COLUMNS = ("", "runs", "mean", "sd", "low", "high", "arm")
Row = tuple[str | float | int | None, ...]


def lines(plan: Plan, journal: Journal) -> Iterator[str]:
    """What is printed at the end: the arms, the best first, and what can be concluded.

    Of arms that halving dropped there are numbers and no conclusions: they were dropped because they were low.
    """
    groups, gone = groups_of(plan, journal)
    below = list(dropped(plan, journal))
    if groups:
        comparison = compare_groups(groups, metric=plan.metric, split=SPLIT)
        own = letters(comparison.groups)
        for stratum in comparison.strata:
            over = "folds" if any(len(group.folds) > 1 for group in stratum.groups) else "seeds"
            title = f"best {stratum.question}, {stratum.question.better} is better (low, high: 95 % over {over})"
            yield render(COLUMNS, [*rows(stratum, own), *below], format="table", title=title)
            yield ""
        yield from comparison.sentences
        if below:
            yield (
                f"{len(below)} of the arms were dropped on the way, and stand in the table as they were then; "
                "what is said of chance is of the others alone."
            )
    elif below:
        yield render(COLUMNS, below, format="table", title="no arm came to its end")
    if not plan.climbed(journal)[-1]:
        yield "no arm went on: each one failed, or had no validation yet"
    if gone:
        yield f"{gone} runs that were trained are not in {plan.runs} any more and are left out"
    if groups and len({whole(arm.words) for arm in journal.arms}) > 1:
        yield from to_train(plan, whole(journal.arms[ranking(plan, journal)[0]].words))


def to_train(plan: Plan, chosen: Sequence[str]) -> Iterator[str]:
    """The command that trains what was chosen; a sweep that tested nothing kept the test for it."""
    fixed = [word for word in plan.space.fixed if word.lower() != UNTESTED]
    yield f"chosen on validation: {command_line([*plan.space.flags, *fixed, *chosen])}"
    if len(fixed) < len(plan.space.fixed):
        yield f"(without the {UNTESTED} of the sweep, so that the test is made now, once)"


def rows(stratum: Stratum, own: Mapping[str, str]) -> Iterator[Row]:
    """A row of `COLUMNS` for each arm; `own` is the letter of each."""
    for group, one in zip(stratum.groups, stratum.summaries, strict=True):
        numbers = (None,) * 5 if one is None else (one.n, one.mean, one.sd, one.low, one.high)
        yield own[group.name], *numbers, group.name


def dropped(plan: Plan, journal: Journal) -> Iterator[Row]:
    """A row of `COLUMNS` for each arm that has numbers and did not come to the last rung, the farthest first."""
    for number in ranking(plan, journal):
        arm = journal.arms[number]
        rung, _ = standing(plan, journal, arm)
        if not 0 <= rung < plan.halving.last:
            continue
        ends = [journal.ended[key] for seed in plan.seeds if (key := (number, seed, rung)) in journal.ended]
        found = summarize([value for ended in ends if (value := score(ended, plan.metric)) is not None])
        place = f"{called(arm)}, dropped at {plan.halving.called(rung)}"
        yield "", found.n, found.mean, found.sd, None, None, place


def groups_of(plan: Plan, journal: Journal) -> tuple[list[Group], int]:
    """A group of runs for each arm that has any that came to their end, the best first; and how many runs are gone."""
    found: dict[tuple[str, ...], Group] = {}
    gone = 0
    for number in ranking(plan, journal):
        arm = journal.arms[number]
        records: list[RunRecord] = []
        for seed in plan.seeds:
            ended = journal.ended.get((number, seed, plan.halving.last))
            if ended is None or ended.failed:
                continue
            with suppress(RunError, OSError):
                records.append(read_record(plan.trial(arm, seed).folder, runs=plan.runs))
                continue
            gone += 1
        if records:
            folds = found.get(whole(arm.words), Group(called(arm), (), differs(arm)))
            found[whole(arm.words)] = replace(folds, records=(*folds.records, *records))
    return list(found.values()), gone


def ranking(plan: Plan, journal: Journal) -> list[int]:
    """The numbers of the arms that count, the farthest and of those the best first; those without a score last.

    The folds of an arm stand together, by their mean.
    """
    teams: dict[tuple[str, ...], list[Arm]] = {}
    for arm in plan.counted(journal):
        teams.setdefault(whole(arm.words), []).append(arm)

    def merits(folds: list[Arm]) -> tuple[int, float]:
        found = [one for fold in folds if (one := standing(plan, journal, fold))[0] >= 0]
        rung = max((rung for rung, _ in found), default=-1)
        return rung, statistics.fmean(value for _, value in found) if found else -math.inf

    return [fold.number for folds in sorted(teams.values(), key=merits, reverse=True) for fold in folds]


def standing(plan: Plan, journal: Journal, arm: Arm) -> tuple[int, float]:
    """The last rung at which an arm has a score, and the mean over its seeds, more is better; (-1, -inf) if at none."""
    for rung in range(plan.halving.last, -1, -1):
        ends = [journal.ended[key] for seed in plan.seeds if (key := (arm.number, seed, rung)) in journal.ended]
        found = [value for ended in ends if (value := merit(ended, plan.metric)) is not None]
        if found:
            return rung, sum(found) / len(found)
    return -1, -math.inf


def called(arm: Arm) -> str:
    """What the arm is called, whichever fold it is."""
    return " ".join(whole(arm.words)) or arm.group


def differs(arm: Arm) -> dict[str, object]:
    """Setting -> the value that makes this arm, whichever fold it is."""
    pairs = (word.partition("=") for word in whole(arm.words))
    return {key.lstrip("+"): value for key, _, value in pairs}


def failures(plan: Plan, journal: Journal) -> Iterator[str]:
    """A line for each trial that failed: its words, how it ended, and where its output is."""
    for arm in plan.counted(journal):
        for seed in plan.seeds:
            for rung in range(plan.halving.last + 1):
                ended = journal.ended.get((arm.number, seed, rung))
                if ended is not None and ended.failed:
                    words = " ".join([*arm.words, f"seed={seed}"])
                    yield f"{words}: {told(ended)}; {plan.trial(arm, seed).err}"
