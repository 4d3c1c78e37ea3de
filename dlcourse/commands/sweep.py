"""`dlcourse sweep`: train many settings with the same seeds, go on after any kill, and say which settings did best."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlcourse.commands.arguments import read, slots_of
from dlcourse.commands.nouns import counted
from dlcourse.commands.sweep_arguments import PURPOSE, Arguments, faults, misfits
from dlcourse.errors import ConfigError

if TYPE_CHECKING:
    from dlcourse.sweep.drive import Plan
    from dlcourse.sweep.halving import Halving
    from dlcourse.sweep.journal import Head, Journal
    from dlcourse.sweep.search import Search
    from dlcourse.sweep.space import Space

MOST_CHECKED = 32  # arms that are each checked as a whole, at an eighth of a second


def main(argv: list[str]) -> int:
    """Train what is missing; 0, 1 if a trial failed, or what a shell expects of a program that a signal ended."""
    own, words = divide(argv)
    given, space = settle(own, words)
    from dlcourse.sweep.drive import home
    from dlcourse.sweep.journal import NAME, look, opened

    halving = halving_of(given, space)
    head = head_of(given, space, rungs=",".join(halving.stops))
    # A name does not hang on derived rungs: where more trials would move them, the sweep is found, and it is told.
    name = given.name or default_name(space, head_of(given, space, rungs=given.rungs or ""))
    path = home(given.runs, name) / NAME
    plan = plan_of(given, space, name=name, halving=halving)
    if given.dry:
        from dlcourse.sweep.preview import preview

        for line in preview(plan, look(path, head=head)):
            print(line)
        return 0
    check_new_arms(plan, look(path, head=head))
    with opened(path, head=head) as journal:
        return run(plan, journal, argv=argv)


def divide(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words that are our own, and those that the trainings are given."""
    slots = {*slots_of(Arguments), "help"}
    own = [word for word in argv if word == "-h" or word.removeprefix("--").partition("=")[0] in slots]
    return own, [word for word in argv if word not in own]


def settle(own: Sequence[str], words: Sequence[str]) -> tuple[Arguments, Space]:
    """Our own arguments and the space that the other words span, all of them checked.

    Raises:
        ConfigError: every fault, one line each.
    """
    from dlcourse.sweep.space import read_space

    problems: list[str] = []
    given: Arguments | None = None
    space: Space | None = None
    try:
        given = read(Arguments, own, command="sweep [OVERRIDES]", purpose=PURPOSE)
        problems += faults(given)
    except ConfigError as error:
        problems += error.problems
    try:
        space = read_space(words, own=tuple(slots_of(Arguments)))
    except ConfigError as error:
        problems += error.problems
    if given and space:
        problems += misfits(given, space)
    if problems or given is None or space is None:
        raise ConfigError(*problems)
    return given, space


def default_name(space: Space, head: Head) -> str:
    """A name that the same words give again: what is varied, and a hash of all."""
    varied = "-".join(axis.key.rpartition(".")[2].lstrip("+") for axis in space.axes) or "seeds"
    digest = hashlib.sha256(repr(head).encode()).hexdigest()[:6]
    return f"{re.sub(r'[^a-zA-Z0-9_.-]', '-', varied)[:40]}-{digest}"


def head_of(given: Arguments, space: Space, *, rungs: str) -> Head:
    """What makes the sweep the one that it is."""
    from dlcourse.sweep.journal import Head

    words = () if given.halving is None else (f"halving={given.halving}", f"rungs={rungs}")
    words += () if given.kfold is None else (f"kfold={given.kfold}",)
    return Head(tuple(sorted((*space.lines, *words))), given.search, given.search_seed)


def halving_of(given: Arguments, space: Space) -> Halving:
    """Where arms are stopped.

    Raises:
        ConfigError: the rungs do not fit the trainings.
    """
    from dlcourse.sweep.halving import Halving
    from dlcourse.sweep.rungs import derived, said, training_of

    if given.halving is None:
        return Halving()
    training = training_of(space, search_of(given, space).propose([]) or ())
    if given.rungs is not None:
        return Halving(given.halving, said(given.rungs, training))
    arms = int(min(space.size, given.trials or space.size))
    return Halving(given.halving, derived(training, eta=given.halving, arms=arms))


def plan_of(given: Arguments, space: Space, *, name: str, halving: Halving) -> Plan:
    """What is to be done."""
    from dlcourse.sweep.drive import Plan
    from dlcourse.sweep.folded import folded
    from dlcourse.sweep.share import cores, devices, shares

    said = {key: text for key, _, text in (word.partition("=") for word in space.fixed)}
    said |= {axis.key: "" for axis in space.axes}
    return Plan(
        name=name, space=space, search=folded(search_of(given, space), given.kfold),
        seeds=space.seeds or tuple(range(1, (given.seeds or 1) + 1)),
        limit=given.trials and given.trials * (given.kfold or 1),
        metric=given.metric.removeprefix("val.") if given.metric else None,
        runs=given.runs,
        shares=tuple(shares(given.jobs, said=said, cores=cores(), devices=devices() if given.jobs > 1 else ())),
        retry=given.retry,
        halving=halving,
    )  # fmt: skip


def search_of(given: Arguments, space: Space) -> Search:
    """What proposes the arms.

    Raises:
        ConfigError: it needs a package that is not installed.
    """
    from dlcourse.sweep.search import Grid, Random
    from dlcourse.sweep.tpe import Tpe, optuna

    if given.search == "grid":
        return Grid(space.axes)
    if given.search == "random":
        return Random(space, given.trials or 1, given.search_seed)
    optuna()
    return Tpe(space, given.trials or 1, given.search_seed)


def check_new_arms(plan: Plan, journal: Journal) -> None:
    """Check the first arms that were not tried yet as a whole, as far as they are known.

    Raises:
        ConfigError: the faults that show only where the values of several axes meet.
        DataError: the data has no such folds.
    """
    from dlcourse.sweep.folded import check_data
    from dlcourse.sweep.space import check_arms

    if len(plan.space.axes) > 1:
        check_arms(plan.space, plan.foreseen(journal)[len(journal.arms) :][:MOST_CHECKED])
    if not journal.ended:
        check_data(plan.space, plan.search)


def run(plan: Plan, journal: Journal, *, argv: Sequence[str]) -> int:
    """Do what is missing and say what came of it; gives the exit code."""
    from dlcourse.sweep.outcome import failures, lines

    arms, seeds, jobs = len(plan.foreseen(journal)), len(plan.seeds), len(plan.shares)
    many = f"up to {plan.limit} arms" if plan.search.by_scores else counted(arms, "arm")
    print(f"sweep {plan.name}: {many} with {counted(seeds, 'seed')} each, {jobs} at once; {journal.path}", flush=True)
    if plan.halving.stops:
        sizes = plan.halving.sizes([arms])
        steps = [f"{size} to {plan.halving.called(rung)}" for rung, size in enumerate(sizes)]
        print(f"halving: {', '.join(steps)}", flush=True)
    if stopped := carry_out(plan, journal, again=f"dlcourse sweep {shlex.join(argv)}"):
        return stopped
    for line in lines(plan, journal):
        print(line)
    failed = list(failures(plan, journal))
    if failed:
        print(f"{counted(len(failed), 'trial')} failed (retry=true tries again):")
        for line in failed:
            print(f"  {line}")
    return int(bool(failed))


def carry_out(plan: Plan, journal: Journal, *, again: str) -> int:
    """Do what is missing; 0, or the exit code of the signal that stopped it, once `again` was told to go on with."""
    from dlcourse.sweep.drive import Drive
    from dlcourse.sweep.stop import listening

    with listening() as stop:
        Drive(plan, journal, stop, say=lambda line: print(line, flush=True)).run()
    if stop.number is None:
        print()
        return 0
    print(f"stopped by {stop.number.name}; go on with:\n  {again}")
    return stop.exit_code
