"""`dlcourse verify resume`: prove that a training which is killed and resumed ends on the bits of one that is not."""

from __future__ import annotations

import functools
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlcourse.commands.arguments import argument, read, slots_of
from dlcourse.config import tree
from dlcourse.config.compose import Where, run_hydra
from dlcourse.config.overrides import Resume
from dlcourse.config.pairs import covering
from dlcourse.errors import ConfigError, RunError, UserError

if TYPE_CHECKING:
    from dlcourse.folders import RunFolder
    from dlcourse.run.compare import Part
    from dlcourse.run.lives import Ending, Nursery
    from dlcourse.training.observers import Observer

SHORT = {
    "max_steps": "24", "validate_every": "5st", "checkpoint.every_steps": "3", "checkpoint.every_minutes": "null",
    "log_every": "2",
}  # fmt: skip
"""What makes the training short and busy with checkpoints, unless the command line says otherwise."""


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse verify` takes beside what `dlcourse train` does."""

    what: Literal["resume"] = argument("What to prove.", default="resume", bare=True)
    kills: int = argument(
        "How often the training is killed; every second time while a checkpoint is written.", default=3
    )
    kill_seed: int = argument("Decides the moments of the kills.", default=1)
    all: bool = argument(
        "Try every pair of optimizer, scheduler, precision, accumulation, averaging and early stopping.", default=False
    )


PURPOSE = """\
Trains straight through and again with kills (SIGKILL) and resumes, then compares the SHA-256 of everything.
Every override of `dlcourse train` is taken; -m verifies every combination. Exit code 0 if all is bit-exact, else 1.

examples:
  dlcourse verify resume                                       the defaults, shortened to 24 steps
  dlcourse verify resume model=lenet5 data=mnist kills=5
  dlcourse verify resume -m optimizer=sgd,adamw ema=0,0.99     every combination
  dlcourse verify resume all=true model.width=2                a table, some minutes"""


def main(argv: list[str]) -> int:
    """Verify what the overrides say; 0 if it is bit-exact or the device cannot compute it, 1 if something differs."""
    own, words = divide(argv)
    given = read(Arguments, own, command="verify", purpose=PURPOSE)
    if given.kills < 1:
        raise ConfigError(f"kills must be 1 or more, not {given.kills}")
    said = {word.partition("=")[0].lstrip("+") for word in words}
    if taken := sorted(said & {"resume", "run", "runs"}):
        raise ConfigError(*(f"{key}: verify makes and removes runs of its own; leave it out" for key in taken))
    short = {key: value for key, value in SHORT.items() if key not in said}
    if "epochs" in said:
        short.pop("max_steps", None)
    words = [*(f"{key}={value}" for key, value in short.items()), *words]
    cells = list(covering(axes(said))) if given.all else [()]
    with tempfile.TemporaryDirectory(prefix="dlcourse-verify-", ignore_cleanup_errors=True) as scratch:
        table = given.all or "-m" in words or "--multirun" in words
        trials = Trials(given, Path(scratch), constant=words, table=table)
        code = max(run_hydra([*words, *cell], trials.verify) for cell in cells)
        return max(code, trials.close())


def divide(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words that are our own, of which only the first may be bare, and those that Hydra composes."""
    slots = slots_of(Arguments)
    bare = [word for word in argv[:1] if "=" not in word and not word.startswith(("-", "~"))]
    words = list(argv[len(bare) :])
    own = [word for word in words if word.removeprefix("--").partition("=")[0] in slots]
    return [*bare, *own], [word for word in words if word not in own]


def axes(said: set[str]) -> dict[str, Sequence[str]]:
    """What `all=true` varies, without what the command line says itself."""
    options = tree.options()
    every: dict[str, Sequence[str]] = {
        "optimizer": sorted(options["optimizer"]),
        "scheduler": sorted(options["scheduler"]),
        "runtime.precision": ("fp32", "bf16", "fp16"),
        "accumulate": ("1", "3"),
        "ema": ("0", "0.95"),
        "early_stop.patience": ("null", "2"),
    }
    return {key: values for key, values in every.items() if key not in said}


class Trials:
    """One verification after another, and what they came to.

    Args:
        given: the command's own arguments.
        scratch: the folder that the runs go to.
        constant: the overrides that all trials share.
        table: whether to print one line a trial in place of all parts.
    """

    def __init__(self, given: Arguments, scratch: Path, *, constant: Sequence[str], table: bool) -> None:
        self._given, self._scratch, self._constant, self._table = given, scratch, frozenset(constant), table
        self._exact = self._differing = self._failed = self._unavailable = self._kills = 0
        self._began = time.monotonic()

    def verify(self, config: dict[str, Any], where: Where) -> int:
        """Verify one composed config; 1 if the two runs differ or, in a table, if the training failed by itself.

        Raises:
            RunError: the only training failed by itself.
        """
        name = " ".join(word for word in where.overrides if word not in self._constant) or "the defaults"
        try:
            return self._verify(config, where, name=name)
        except UserError as error:
            if not self._table:
                raise
            self._failed += 1
            print(f"{name}: failed ({error.problems[0]})", flush=True)
            return 1

    def _verify(self, config: dict[str, Any], where: Where, *, name: str) -> int:
        from dlcourse.run.compare import first_difference, parts_of
        from dlcourse.run.lives import Nursery

        place = Path(tempfile.mkdtemp(dir=self._scratch))
        nursery = Nursery(modules(config), place / "output.txt")
        straight, broken = begin(config, where, place / "straight"), begin(config, where, place / "killed")
        ending = straight.live(nursery)
        if ending.how == "not available":
            self._unavailable += 1
            print(f"{name}: not available ({ending.problems[0]})", flush=True)
            return 0
        demand(ending, nursery)
        self._say(f"straight  {ending.step} steps")
        kills = self._kill(broken, nursery, steps=ending.step)
        demand(broken.live(nursery), nursery)
        expected, found = parts_of(straight.folder), parts_of(broken.folder)
        difference = first_difference(expected, found)
        self._show(expected, found)
        verdict = "yes" if difference is None else f"no, the first difference is in {difference}"
        print(f"{name}: {kills} kills, bit-exact: {verdict}" if self._table else f"bit-exact: {verdict}", flush=True)
        if difference is None:
            self._exact += 1
            shutil.rmtree(place)
            return 0
        self._differing += 1
        kept = Path(tempfile.mkdtemp(prefix="dlcourse-differing-")) / "runs"
        shutil.move(place, kept)
        print(f"both runs and their output: {kept}")
        return 1

    def close(self) -> int:
        """The closing line of a table; 1 if anything differed."""
        if self._table:
            verdict = "no" if self._differing + self._failed else "yes"
            all_made = self._exact + self._differing + self._failed
            seconds = time.monotonic() - self._began
            print(
                f"bit-exact: {verdict} ({self._exact} of {all_made} combinations, "
                f"{self._unavailable} not available here, {self._kills} kills, {seconds:.0f} s)"
            )
        return int(self._differing + self._failed > 0)

    def _kill(self, broken: Life, nursery: Nursery, *, steps: int) -> int:
        """Kill and resume as often as asked for; gives how often it was."""
        from dlcourse.run.lives import moments

        done = 0
        for moment in moments(self._given.kills, steps=steps, seed=self._given.kill_seed):
            ending = broken.live(nursery, until=moment)
            if ending.how == "done":
                break
            if ending.how != "killed":
                demand(ending, nursery)
            done += 1
            place = (
                f"while the checkpoint of step {ending.step} was written"
                if ending.in_write
                else f"after step {ending.step}"
            )
            self._say(f"killed    {place}")
        self._kills += done
        return done

    def _show(self, expected: list[Part], found: list[Part]) -> None:
        for one, other in zip(expected, found, strict=True):
            if one.leaves or other.leaves:
                sign = "=" if one.sha256 == other.sha256 else "DIFFERS FROM"
                self._say(f"{one.name:14} {one.sha256[:16]} {sign} {other.sha256[:16]}")

    def _say(self, line: str) -> None:
        if not self._table:
            print(line, flush=True)


@dataclass(frozen=True)
class Life:
    """A run that is begun once and gone on with after every kill."""

    config: Mapping[str, Any]
    where: Where
    folder: RunFolder

    def live(self, nursery: Nursery, *, until: Any = None) -> Ending:
        """Train, or go on training if there is something to go on with, until the end or a kill."""
        fresh = not self.folder.config.exists()
        target = (
            functools.partial(_start, dict(self.config), self.where)
            if fresh
            else functools.partial(_go_on, self.folder)
        )
        return nursery.live(target, checkpoints=self.folder.checkpoints, until=until)


def begin(config: Mapping[str, Any], where: Where, path: Path) -> Life:
    """A run of `config` in the folder `path`."""
    from dlcourse.folders import RunFolder

    return Life({**config, "run": str(path)}, replace(where, folder=None, job=None), RunFolder(path))


def _start(config: dict[str, Any], where: Where, watching: Sequence[Observer]) -> int:
    from dlcourse.commands.train import train

    return train(config, where, watching=watching)


def _go_on(folder: RunFolder, watching: Sequence[Observer]) -> int:
    from dlcourse.commands.train import resume

    # The user named this config himself a moment ago, so his own model may run.
    return resume(Resume(str(folder.path), {"allow_code": True}, ()), watching=watching)


def demand(ending: Ending, nursery: Nursery) -> None:
    """Raise RunError unless the training came to its end."""
    if ending.how == "done" and ending.code == 0:
        return
    if ending.problems:
        raise RunError(*ending.problems, exit_code=ending.code)
    lines = nursery.log.read_text(encoding="utf-8", errors="replace").splitlines()
    raise RunError(f"the training {ending.how} at step {ending.step} by itself; it printed last:", *lines[-12:])


def modules(config: Mapping[str, Any]) -> list[str]:
    """What the processes import before they are copied: the command's way to the loop, and what the config calls."""
    targets = [str(node["_target_"]) for node in config.values() if isinstance(node, Mapping) and "_target_" in node]
    shipped = [target.rpartition(".")[0] for target in targets if target.startswith("dlcourse.")]
    return [*USED, *shipped]


USED = (
    "dlcourse.commands.verify", "dlcourse.run.drive", "matplotlib.backends.backend_agg", "rich.table",
    "sklearn.datasets",
    "torch._dynamo",  # which torch imports when the first optimizer is made, in more than a second
)  # fmt: skip
