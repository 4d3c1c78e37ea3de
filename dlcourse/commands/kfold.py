"""`dlcourse train kfold=5`: k-fold cross-validation, every fold an ordinary run, and mean and spread over them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.commands import sweep, sweep_arguments
from dlcourse.commands.arguments import argument, read, slots_of
from dlcourse.errors import ConfigError

if TYPE_CHECKING:
    from dlcourse.results.groups import Group
    from dlcourse.sweep.drive import Plan
    from dlcourse.sweep.journal import Journal
    from dlcourse.sweep.space import Space

REFUSED = {
    "resume": "kfold= goes on by itself: give the same words again",
    "run": "each fold has a run folder of its own; runs= says where they go",
    "-m": "kfold= trains one setting; dlcourse sweep takes several values and kfold= too",
    "--multirun": "kfold= trains one setting; dlcourse sweep takes several values and kfold= too",
}


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse train kfold=5` takes beside what `dlcourse train` does."""

    kfold: int = argument("Cross-validation: train so many folds, each validated on another part.")
    jobs: int = argument("With kfold: trainings at once; cores and GPUs are shared out among them.", default=1)
    name: str | None = argument("With kfold: its name, to go on with it; null makes one of the words.", default=None)
    retry: bool = argument("With kfold: try the folds again that failed.", default=False)
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))


def asked(argv: Sequence[str]) -> bool:
    """Whether a command line of `dlcourse train` asks for folds."""
    return any(word.lstrip("-+").partition("=")[0] == "kfold" for word in argv)


def main(argv: list[str]) -> int:
    """Train the folds that are missing; 0, 1 if one failed, or what a shell expects where a signal ended it."""
    given, space = settle(argv)
    from dlcourse.sweep.drive import home
    from dlcourse.sweep.halving import Halving
    from dlcourse.sweep.journal import NAME, look, opened

    head = sweep.head_of(given, space, rungs="")
    name = given.name or f"kfold{given.kfold}-{sweep.default_name(space, head).rpartition('-')[2]}"
    path = home(given.runs, name) / NAME
    plan = sweep.plan_of(given, space, name=name, halving=Halving())
    sweep.check_new_arms(plan, look(path, head=head))
    with opened(path, head=head) as journal:
        return run(plan, journal, argv=argv)


def settle(argv: Sequence[str]) -> tuple[sweep_arguments.Arguments, Space]:
    """The arguments as a sweep takes them, and the words of the trainings, all of them checked.

    Raises:
        ConfigError: every fault, one line each.
    """
    from dlcourse.sweep.space import read_space

    problems = [f"{key}: {REFUSED[key]}" for word in argv if (key := word.partition("=")[0]) in REFUSED]
    taken = [word for word in argv if word.partition("=")[0] not in REFUSED]
    own = [word for word in taken if word.removeprefix("--").partition("=")[0] in slots_of(Arguments)]
    given: sweep_arguments.Arguments | None = None
    space: Space | None = None
    try:
        found = read(Arguments, own, command="train")
        given = sweep_arguments.Arguments(
            name=found.name, jobs=found.jobs, retry=found.retry, runs=found.runs, kfold=found.kfold
        )
        problems += sweep_arguments.faults(given)
    except ConfigError as error:
        problems += error.problems
    try:
        space = read_space([word for word in taken if word not in own], own=tuple(slots_of(Arguments)))
        several = [*(axis.key for axis in space.axes), *(["seed"] if len(space.seeds) > 1 else [])]
        problems += [f"{key}: several values make a sweep; dlcourse sweep takes kfold= too" for key in several]
    except ConfigError as error:
        problems += error.problems
    if given and space:
        problems += sweep_arguments.misfits(given, space)
    if problems or given is None or space is None:
        raise ConfigError(*dict.fromkeys(problems))
    return given, space


def run(plan: Plan, journal: Journal, *, argv: Sequence[str]) -> int:
    """Do what is missing and say what came of it; gives the exit code."""
    from dlcourse.sweep.outcome import failures

    count = len(plan.foreseen(journal))
    print(f"{plan.name}: {count} folds, {len(plan.shares)} at once; {journal.path}", flush=True)
    if stopped := sweep.carry_out(plan, journal, again=f"dlcourse train {shlex.join(argv)}"):
        return stopped
    failed = list(failures(plan, journal))
    for line in told(plan, journal, missing=len(failed)):
        print(line)
    for line in failed:
        print(f"  {line}")
    return int(bool(failed))


def told(plan: Plan, journal: Journal, *, missing: int) -> Iterator[str]:
    """A line for each fold, mean and spread over them, and what a reader must know of these.

    Args:
        plan: what was done.
        journal: what came of it.
        missing: how many folds failed.
    """
    from dlcourse.results.caveats import shared_training
    from dlcourse.sweep.outcome import groups_of

    groups, gone = groups_of(plan, journal)
    for group in groups:
        yield from tables(group)
        yield ""
        yield shared_training([group.name])
        yield "The best of a run's validations flatters it, since it was picked; claims want test numbers."
        runs = "" if plan.runs == Path("runs") else f" {shlex.quote(f'runs={plan.runs}')}"
        yield f'all numbers: dlcourse compare where="name~{plan.name}-"{runs}'
    if gone:
        yield f"{gone} runs that were trained are not in {plan.runs} any more and are left out"
    if missing:
        yield f"{missing} of the folds failed, so their parts are not validated on (retry=true tries again):"


def tables(group: Group) -> Iterator[str]:
    """The decisive number of each fold, and its mean and spread, for validation and test."""
    from dlcourse.results.contrast import summarize
    from dlcourse.results.groups import fold_of
    from dlcourse.results.render import render

    metric = group.records[0].decisive[0]
    splits = {"best validation": [one.val for one in group.records], "test": [one.test for one in group.records]}
    kept = {split: numbers for split, numbers in splits.items() if any(metric in one for one in numbers)}
    rows = [
        (fold_of(record), *(numbers[place].get(metric) for numbers in kept.values()), record.name)
        for place, record in enumerate(group.records)
    ]
    yield render(("fold", *(f"{split} {metric}" for split in kept), "run"), rows, format="table")
    yield ""
    over: list[tuple[str | float | None, ...]] = []
    for split, numbers in kept.items():
        values = [one[metric] for one in numbers if metric in one]
        found = summarize(values)
        over.append((f"{split} {metric}", found.n, found.mean, found.sd, min(values), max(values)))
    yield render(("over folds", "n", "mean", "sd", "min", "max"), over, format="table")
