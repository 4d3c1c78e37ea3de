"""`dlcourse find lr|batch_size`: try rates or sizes on some steps of the real training, and print what to type."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dlcourse.commands.arguments import argument, read, slots_of
from dlcourse.config.compose import Job, run_hydra
from dlcourse.errors import ConfigError

LOW, HIGH, STEPS, SEEDS = 1e-5, 10.0, 200, 3
LARGEST, SHARE, GAIN = 4096, 0.8, 0.1
PURPOSE = """\
Finds a learning rate or a batch size for `dlcourse train` with the same overrides, prints it as the word to type, and
writes nothing unless out= names a folder. Every override of `dlcourse train` is taken.

  lr           trains while the rate rises, and suggests a tenth of the largest rate at which the loss is lowest
  batch_size   measures speed and memory of ever larger batches; memory that runs out is borne

examples:
  dlcourse find lr model=resnet18 data=cifar10 optimizer=adamw
  dlcourse find lr model=lenet5 data=mnist min=0.001 max=1 steps=300 out=lr
  dlcourse find batch_size model=resnet18 data=cifar10 runtime.precision=bf16"""


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse find` takes beside what `dlcourse train` does."""

    what: Literal["lr", "batch_size"] = argument("What to find.", bare=True)
    min: float | None = argument(f"Lowest learning rate; null is {LOW:g}.", default=None)
    max: float | None = argument(
        f"Highest learning rate, or largest batch size; null is {HIGH:g}, or {LARGEST}.", default=None
    )
    steps: int | None = argument(f"Optimizer steps from the lowest to the highest rate; null is {STEPS}.", default=None)
    seeds: int | None = argument(
        f"Trainings with rising rates whose losses are averaged, from seed= on; null is {SEEDS}.", default=None
    )
    memory: float | None = argument(
        f"Share of the free memory that a batch size may use; null is {SHARE:g}.", default=None
    )
    gain: float | None = argument(
        f"Share by which larger batches must train faster to be worth it; null is {GAIN:g}.", default=None
    )
    minutes: float = argument("Begin no further seed or batch size that would take longer in all.", default=2.0)
    out: Path | None = argument("Folder for the plot (PNG) and its numbers (CSV); null writes none.", default=None)


OF_ONE = {"min": "lr", "steps": "lr", "seeds": "lr", "memory": "batch_size", "gain": "batch_size"}
"""Arguments that only one of the two takes."""


def main(argv: list[str]) -> int:
    """Find what is asked for; 0, or 1 if nothing can be suggested."""
    own, words = divide(argv)
    given = settle(own, words)
    from dlcourse.files import make_output

    if given.out is not None:
        make_output(given.out)
    return run_hydra(words, JOBS[given.what](given))


def rate_job(given: Arguments) -> Job:
    """What is done with a composed config to find a learning rate."""
    from dlcourse.commands.find_lr import Wish, find

    wish = Wish(
        given.min or LOW, given.max or HIGH, given.steps or STEPS, given.seeds or SEEDS, given.minutes, given.out
    )
    return lambda config, where: find(wish, config, where)


def size_job(given: Arguments) -> Job:
    """What is done with a composed config to find a batch size."""
    from dlcourse.commands.find_batch_size import Wish, find

    wish = Wish(int(given.max or LARGEST), given.memory or SHARE, given.gain or GAIN, given.minutes, given.out)
    return lambda config, where: find(wish, config, where)


JOBS: Mapping[str, Callable[[Arguments], Job]] = {"lr": rate_job, "batch_size": size_job}


def divide(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words that are our own, of which only the first may be bare, and those that Hydra composes."""
    slots = {*slots_of(Arguments), "help"}
    bare = [word for word in argv[:1] if "=" not in word and not word.startswith(("-", "~"))]
    words = list(argv[len(bare) :])
    own = [word for word in words if word == "-h" or word.removeprefix("--").partition("=")[0] in slots]
    return [*bare, *own], [word for word in words if word not in own]


def settle(own: Sequence[str], words: Sequence[str]) -> Arguments:
    """Our own arguments, checked together with what the other words may not say.

    Raises:
        ConfigError: every fault, one line each.
    """
    from dlcourse.sweep.space import misspelt

    given: Arguments | None = None
    problems: list[str] = []
    try:
        given = read(Arguments, own, command="find lr|batch_size [OVERRIDES]", purpose=PURPOSE)
        problems += faults(given)
    except ConfigError as error:
        problems += error.problems
    said = {word.partition("=")[0].lstrip("+") for word in words}
    problems += [f"{key}: find keeps no run; leave it out" for key in sorted(said & {"resume", "run"})]
    if said & {"-m", "--multirun"}:
        problems.append("-m: find looks at one setting at a time; leave it out")
    if given is not None and given.what == "batch_size" and "batch_size" in said:
        problems.append("batch_size= is what is looked for; max= is the largest that is tried")
    problems += misspelt(words, own=tuple(slots_of(Arguments)))
    if problems or given is None:
        raise ConfigError(*problems)
    return given


def faults(given: Arguments) -> list[str]:
    """What is wrong with our own arguments by themselves."""
    problems = [
        f"{key} is an argument of dlcourse find {what}; leave it out"
        for key, what in OF_ONE.items()
        if getattr(given, key) is not None and what != given.what
    ]
    positive = {"min": given.min, "max": given.max, "gain": given.gain, "minutes": given.minutes}
    problems += [
        f"{key} must be above 0, not {value:g}"
        for key, value in positive.items()
        if value is not None and not value > 0
    ]
    if given.memory is not None and not 0 < given.memory <= 1:
        problems.append(f"memory must be a share above 0 and up to 1, not {given.memory:g}")
    if given.what == "batch_size":
        if given.max is not None and given.max != round(given.max):
            problems.append(f"max must be a whole number of samples, not {given.max:g}")
        return problems
    low, high = given.min or LOW, given.max or HIGH
    if not problems and not low < high < math.inf:
        problems.append(f"max ({high:g}) must be above min ({low:g})")
    least = {"steps": (given.steps, 20), "seeds": (given.seeds, 1)}
    problems += [
        f"{key} must be {few} or more, not {value}"
        for key, (value, few) in least.items()
        if value is not None and value < few
    ]
    return problems
