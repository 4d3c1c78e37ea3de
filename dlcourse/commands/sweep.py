"""`dlcourse sweep`: train many settings with the same seeds, go on after any kill, and say which settings did best."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dlcourse.commands.arguments import argument, read, slots_of
from dlcourse.errors import ConfigError

if TYPE_CHECKING:
    from dlcourse.sweep.drive import Plan
    from dlcourse.sweep.journal import Head, Journal
    from dlcourse.sweep.search import Search
    from dlcourse.sweep.space import Space

PLAIN = re.compile(r"\w[\w.-]*")
MOST_CHECKED = 32  # arms that are each checked as a whole, at an eighth of a second
PURPOSE = """\
Trains every combination of the values that stand behind commas, each in a process and a run folder of its own.
Every override of `dlcourse train` is taken. What is settled stands in RUNS/sweeps/NAME/journal.jsonl: after Ctrl-C,
kill -9 or a power cut the same command does only what is missing; seeds= and trials= may grow. A trial that fails is
noted and skipped. Exit code 0 if none failed, else 1.

values:
  optimizer.lr=0.01,0.1                        these two; choice(...), range(1,10,2) and glob(*) as in Hydra
  optimizer.lr=tag(log,interval(1e-4,1e-1))    for random and tpe: any number between, even on a logarithmic scale
  model.width=int(interval(8,64))              whole numbers, both ends among them

examples:
  dlcourse sweep model=resnet18 data=digits optimizer.lr=0.01,0.1 seeds=3 jobs=2 name=lr
  dlcourse sweep 'optimizer.lr=tag(log,interval(1e-4,1))' optimizer=sgd,adamw search=tpe trials=20 name=tuned"""


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse sweep` takes beside what `dlcourse train` does."""

    name: str | None = argument(
        "The sweep's name, to go on with it; null makes one of what is varied and of all the words.", default=None
    )
    seeds: int | None = argument(
        "Every arm is trained with the seeds 1 to this; seed=4,5,6 names them instead, and null is one.", default=None
    )
    search: Literal["grid", "random", "tpe"] = argument(
        "Every combination, arms drawn at random, or arms proposed by what did well so far (Optuna).", default="grid"
    )
    trials: int | None = argument("How many arms random and tpe try.", default=None)
    search_seed: int = argument("Decides what random and tpe draw.", default=1)
    jobs: int = argument("Trainings at once; cores and GPUs are shared out among them.", default=1)
    metric: str | None = argument(
        "The number that arms are judged by; null is the one that picks the best checkpoint.", default=None
    )
    split: Literal["val"] = argument(
        "Arms are judged on validation; the test split is for the one chosen.", default="val"
    )
    retry: bool = argument("Try the trials again that failed.", default=False)
    dry: bool = argument("Only say what would be trained.", default=False)
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))


def main(argv: list[str]) -> int:
    """Train what is missing; 0, 1 if a trial failed, or what a shell expects of a program that a signal ended."""
    own, words = divide(argv)
    given, space = settle(own, words)
    from dlcourse.sweep.drive import home
    from dlcourse.sweep.journal import NAME, Head, look, opened

    head = Head(space.lines, given.search, given.search_seed)
    name = given.name or default_name(space, head)
    path = home(given.runs, name) / NAME
    plan = plan_of(given, space, name=name)
    if given.dry:
        preview(plan, look(path, head=head))
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


def faults(given: Arguments) -> list[str]:
    """What is wrong with our own arguments by themselves."""
    counts = {"jobs": given.jobs, "seeds": given.seeds, "trials": given.trials}
    problems = [
        f"{key} must be 1 or more, not {value}" for key, value in counts.items() if value is not None and value < 1
    ]
    if given.name is not None and not PLAIN.fullmatch(given.name):
        problems.append(
            f"name must be letters, digits, '_', '-' and '.', and begin with none of the last two, not {given.name!r}"
        )
    if given.metric is not None and given.metric.startswith("test"):
        problems.append(f"metric={given.metric}: arms are judged on validation; the test split is for the one chosen")
    return problems


def misfits(given: Arguments, space: Space) -> list[str]:
    """What does not fit together."""
    from dlcourse.sweep.search import intervals

    problems: list[str] = []
    if given.seeds is not None and space.seeds:
        problems.append("seeds counts the seeds from 1 and seed= names them; leave one of them out")
    if given.search == "grid":
        problems += [
            f"{axis.key}: a grid cannot walk an interval; write search=random trials=20, or name values"
            for axis in intervals(space.axes)
        ]
        if given.trials is not None:
            problems.append("trials: a grid tries every combination; leave it out, or write search=random")
        return problems
    if given.trials is None:
        problems.append(f"trials is missing; write how many arms to try, such as search={given.search} trials=20")
    if not space.axes:
        problems.append(
            f"search={given.search}: nothing is varied; write several values or an interval, such as "
            "'optimizer.lr=tag(log,interval(1e-4,1e-1))'"
        )
    return problems


def default_name(space: Space, head: Head) -> str:
    """A name that the same words give again: what is varied, and a hash of all."""
    varied = "-".join(axis.key.rpartition(".")[2].lstrip("+") for axis in space.axes) or "seeds"
    digest = hashlib.sha256(repr(head).encode()).hexdigest()[:6]
    return f"{re.sub(r'[^a-zA-Z0-9_.-]', '-', varied)[:40]}-{digest}"


def plan_of(given: Arguments, space: Space, *, name: str) -> Plan:
    """What is to be done."""
    from dlcourse.sweep.drive import Plan
    from dlcourse.sweep.share import cores, devices, shares

    said = {key: text for key, _, text in (word.partition("=") for word in space.fixed)}
    said |= {axis.key: "" for axis in space.axes}
    return Plan(
        name=name, space=space, search=search_of(given, space),
        seeds=space.seeds or tuple(range(1, (given.seeds or 1) + 1)),
        limit=given.trials,
        metric=given.metric.removeprefix("val.") if given.metric else None,
        runs=given.runs,
        shares=tuple(shares(given.jobs, said=said, cores=cores(), devices=devices() if given.jobs > 1 else ())),
        retry=given.retry,
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
    """
    from dlcourse.sweep.space import check_arms

    if len(plan.space.axes) > 1:
        check_arms(plan.space, plan.foreseen(journal)[len(journal.arms) :][:MOST_CHECKED])


def preview(plan: Plan, journal: Journal) -> None:
    """Print the trials and how each stands, and do nothing."""
    arms = plan.foreseen(journal)
    for number, words in enumerate(arms):
        for seed in plan.seeds:
            ended = journal.ended.get((number, seed))
            state = "missing" if ended is None else "failed" if ended.failed else "done"
            print(f"{state:8}{' '.join([*words, f'seed={seed}'])}")
    more = (plan.limit or 0) - len(arms)
    if plan.search.by_scores and more > 0:
        print(f"then up to {more} arms of {counted(len(plan.seeds), 'seed')} each that tpe proposes from the scores")


def run(plan: Plan, journal: Journal, *, argv: Sequence[str]) -> int:
    """Do what is missing and say what came of it; gives the exit code."""
    from dlcourse.sweep.drive import Drive
    from dlcourse.sweep.outcome import failures, lines
    from dlcourse.sweep.stop import listening

    arms, seeds, jobs = len(plan.foreseen(journal)), len(plan.seeds), len(plan.shares)
    many = f"up to {plan.limit} arms" if plan.search.by_scores else counted(arms, "arm")
    print(f"sweep {plan.name}: {many} with {counted(seeds, 'seed')} each, {jobs} at once; {journal.path}", flush=True)
    with listening() as stop:
        Drive(plan, journal, stop, say=lambda line: print(line, flush=True)).run()
    if stop.number is not None:
        print(f"stopped by {stop.number.name}; go on with:\n  dlcourse sweep {shlex.join(argv)}")
        return stop.exit_code
    print()
    for line in lines(plan, journal):
        print(line)
    failed = list(failures(plan, journal))
    if failed:
        print(f"{counted(len(failed), 'trial')} failed (retry=true tries again):")
        for line in failed:
            print(f"  {line}")
    return int(bool(failed))


def counted(count: int, noun: str) -> str:
    """A number with its noun: 1 arm, 2 arms."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
