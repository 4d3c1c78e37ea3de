"""What `dlcourse sweep` takes of its own, and what of it cannot be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dlcourse.commands.arguments import argument

if TYPE_CHECKING:
    from dlcourse.sweep.space import Space

PLAIN = re.compile(r"\w[\w.-]*")
PURPOSE = """\
Trains every combination of the values that stand behind commas, each in a process and a run folder of its own.
Every override of `dlcourse train` is taken. What is settled stands in RUNS/sweeps/NAME/journal.jsonl: after Ctrl-C,
kill -9 or a power cut the same command does only what is missing; seeds= and trials= may grow. A trial that fails is
noted and skipped. Exit code 0 if none failed, else 1.

values:
  optimizer.lr=0.01,0.1                        these two; choice(...), range(1,10,2) and glob(*) as in Hydra
  optimizer.lr=tag(log,interval(1e-4,1e-1))    for random and tpe: any number between, even on a logarithmic scale
  model.width=int(interval(8,64))              whole numbers, both ends among them

halving=3 trains all arms to the first of the rungs, the best third of them on to the second, and so on to the end, with
the schedule of the whole length: who comes to the end is bit for bit what it would have been alone.

examples:
  dlcourse sweep model=resnet18 data=digits optimizer.lr=0.01,0.1 seeds=3 jobs=2 name=lr
  dlcourse sweep 'optimizer.lr=tag(log,interval(1e-4,1))' optimizer=sgd,adamw search=tpe trials=20 name=tuned
  dlcourse sweep 'optimizer.lr=tag(log,interval(1e-4,1))' search=random trials=27 halving=3 epochs=9 name=fast"""


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
    kfold: int | None = argument("Every arm is trained on each of so many folds; null is one cut.", default=None)
    trials: int | None = argument("How many arms random and tpe try.", default=None)
    search_seed: int = argument("Decides what random and tpe draw.", default=1)
    jobs: int = argument("Trainings at once; cores and GPUs are shared out among them.", default=1)
    halving: int | None = argument(
        "Stop early what falls behind: from each of the rungs the best arm of this many goes on; null stops none.",
        default=None,
    )
    rungs: str | None = argument(
        "Where halving stops arms, such as 1ep,3ep,9ep; null divides the length by halving= again and again.",
        default=None,
    )
    metric: str | None = argument(
        "The number that arms are judged by; null is the one that picks the best checkpoint.", default=None
    )
    split: Literal["val"] = argument(
        "Arms are judged on validation; the test split is for the one chosen.", default="val"
    )
    retry: bool = argument("Try the trials again that failed.", default=False)
    dry: bool = argument("Only say what would be trained.", default=False)
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))


def faults(given: Arguments) -> list[str]:
    """What is wrong with our own arguments by themselves."""
    counts = {"jobs": given.jobs, "seeds": given.seeds, "trials": given.trials}
    problems = [
        f"{key} must be 1 or more, not {value}" for key, value in counts.items() if value is not None and value < 1
    ]
    if given.halving is not None and given.halving < 2:
        problems.append(f"halving must be 2 or more, not {given.halving}")
    if given.rungs is not None and given.halving is None:
        problems.append("rungs say where arms are stopped; write halving=3 for how many go on, one in 3")
    if given.name is not None and not PLAIN.fullmatch(given.name):
        problems.append(
            f"name must be letters, digits, '_', '-' and '.', and begin with none of the last two, not {given.name!r}"
        )
    if given.metric is not None and given.metric.startswith("test"):
        problems.append(f"metric={given.metric}: arms are judged on validation; the test split is for the one chosen")
    return problems


def misfits(given: Arguments, space: Space) -> list[str]:
    """What does not fit together."""
    from dlcourse.sweep import folded, rungs  # not the argument of that name
    from dlcourse.sweep.search import intervals

    problems: list[str] = []
    if given.kfold is not None:
        problems += folded.misfits(given.kfold, space, halving=given.halving)
    if given.halving is not None:
        problems += rungs.misfits([axis.key for axis in space.axes])
        if given.search == "tpe":
            problems.append("halving: tpe proposes arm after arm, and halving needs them side by side; search=random")
        if not space.axes:
            problems.append("halving: nothing is varied, so there is no arm to drop; write several values")
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
