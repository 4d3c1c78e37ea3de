"""Drives a sweep: so many trials at once, each noted as it begins and ends, until none is missing."""

from __future__ import annotations

import math
import signal
import statistics
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dlcourse.errors import RunError, suggestion
from dlcourse.sweep.journal import Arm, Ended, Journal
from dlcourse.sweep.search import Search, Tried
from dlcourse.sweep.share import Share
from dlcourse.sweep.space import Space
from dlcourse.sweep.stop import Stop
from dlcourse.sweep.trial import Process, Trial, start

PAUSE = 0.1  # seconds between two looks at the processes; a training takes seconds at least
LOGS = "output"


@dataclass(frozen=True)
class Plan:
    """What a sweep is to do.

    Args:
        name: its own, which the names of its run folders begin with.
        space: what it searches.
        search: proposes the arms.
        seeds: of every arm.
        limit: how many arms count at most; None for as many as the search proposes.
        metric: the validation number that arms are judged by; None for the one that picks checkpoints.
        runs: the folder of runs.
        shares: of the machine, one for each trial at a time.
        retry: whether trials that failed are tried again.
    """

    name: str
    space: Space
    search: Search
    seeds: tuple[int, ...]
    limit: int | None
    metric: str | None
    runs: Path
    shares: tuple[Share, ...]
    retry: bool = False

    def trial(self, arm: Arm, seed: int) -> Trial:
        """The trial of an arm with a seed."""
        label = f"{arm.number:03}-seed{seed}"
        words = (*self.space.flags, *self.space.fixed, *arm.words, f"seed={seed}")
        out = home(self.runs, self.name) / LOGS / f"{label}.out"
        return Trial(arm.number, seed, words, self.runs, self.runs / arm.group / f"{self.name}-{label}", out)

    def counted(self, journal: Journal) -> list[Arm]:
        """The arms that count."""
        return journal.arms[: self.limit]

    def foreseen(self, journal: Journal) -> list[tuple[str, ...]]:
        """The words of the arms that count, and of those that will be proposed whatever the scores."""
        arms = [Tried(arm.words) for arm in self.counted(journal)]
        while not self.search.by_scores and (words := self.search.propose(arms)) is not None:
            arms.append(Tried(words))
        return [arm.words for arm in arms]


def home(runs: Path, name: str) -> Path:
    """The folder that a sweep keeps its journal in."""
    return runs / "sweeps" / name


@dataclass
class Drive:
    """A sweep that is under way.

    Args:
        plan: what it is to do.
        journal: open for writing.
        stop: what signals ask for.
        say: prints a line.
    """

    plan: Plan
    journal: Journal
    stop: Stop
    say: Callable[[str], None]
    _running: dict[int, Process] = field(default_factory=dict[int, Process])
    """Slot -> its process."""
    _waiting: deque[Trial] = field(default_factory=deque[Trial])
    _again: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    """Trials that failed and were not tried again yet."""

    def run(self) -> None:
        """Do what is missing, until nothing is or a signal asks to stop; then no process of a trial is left.

        Raises:
            RunError: the journal cannot be written, or no run has the metric.
        """
        if not self.plan.search.by_scores:
            while self._propose():
                pass
        # All arms with one seed before the next one, so that half a sweep compares already.
        by_seed = not self.plan.search.by_scores
        arms = [(arm, seed) for arm in self.plan.counted(self.journal) for seed in self.plan.seeds]
        arms.sort(key=lambda pair: self.plan.seeds.index(pair[1]) if by_seed else 0)
        self._again = {key for key, ended in self.journal.ended.items() if ended.failed} if self.plan.retry else set()
        self._waiting.extend(self.plan.trial(arm, seed) for arm, seed in arms if self._missing((arm.number, seed)))
        for ended in self.journal.ended.values():
            self._demand_metric(ended)
        try:
            while self.stop.number is None:
                self._fill()
                if not self._running:
                    break
                time.sleep(PAUSE)
                self._reap()
        finally:
            self._end()

    def _missing(self, key: tuple[int, int]) -> bool:
        return key not in self.journal.ended or key in self._again

    def _fill(self) -> None:
        """Give every free share of the machine a trial, as long as there are any."""
        for slot in range(len(self.plan.shares)):
            while slot not in self._running and self.stop.number is None and (trial := self._next()):
                again = trial.key in self._again
                self._again.discard(trial.key)
                known = self.journal.began.get(trial.key)
                begun = start(trial, slot=slot, share=self.plan.shares[slot], known=known, again=again)
                if isinstance(begun, Ended):
                    self._note(trial, begun)
                    continue
                self._running[slot] = begun
                if begun.child is None:
                    self.say(f"{self._title(trial)}: still runs, since before this command; waiting for it")
                else:
                    self.journal.add_beginning(trial.key, pid=begun.child.pid)

    def _next(self) -> Trial | None:
        if not self._waiting and self.plan.search.by_scores and (arm := self._propose()):
            self._waiting.extend(self.plan.trial(arm, seed) for seed in self.plan.seeds)
        return self._waiting.popleft() if self._waiting else None

    def _propose(self) -> Arm | None:
        """The next arm, noted in the journal; None if the search has no more."""
        tried = [self._tried(arm) for arm in self.journal.arms]
        words = self.plan.search.propose(tried)
        if words is None:
            return None
        arm = Arm(len(self.journal.arms), words, self.plan.space.group(words))
        self.journal.add_arm(arm)
        return arm

    def _tried(self, arm: Arm) -> Tried:
        keys = [(arm.number, seed) for seed in self.plan.seeds]
        found = [merit(self.journal.ended[key], self.plan.metric) for key in keys if key in self.journal.ended]
        values = [value for value in found if value is not None]
        ended = all(key in self.journal.ended for key in keys)
        return Tried(arm.words, statistics.fmean(values) if values and ended else None, ended)

    def _reap(self) -> None:
        """Note every process that ended."""
        for slot, process in list(self._running.items()):
            ended = process.poll()
            if ended is False:
                continue
            del self._running[slot]
            if isinstance(ended, Ended):
                self._note(process.trial, ended)
            else:
                self._waiting.appendleft(process.trial)  # it was not ours and was killed: go on with it

    def _note(self, trial: Trial, ended: Ended) -> None:
        self.journal.add_end(trial.key, ended)
        self._demand_metric(ended)
        number = score(ended, self.plan.metric)
        name = self.plan.metric or (ended.decisive[0] if ended.decisive else "")
        result = (
            f"failed ({told(ended)})" if ended.failed else
            f"{name} {number:.4g}, {ended.seconds:.0f} s" if number is not None else "no validation"
        )  # fmt: skip
        arms = self.plan.counted(self.journal)
        done = sum((arm.number, seed) in self.journal.ended for arm in arms for seed in self.plan.seeds)
        count = self.plan.limit if self.plan.search.by_scores and self.plan.limit else len(arms)
        self.say(f"[{done}/{count * len(self.plan.seeds)}] {self._title(trial)}: {result}")

    def _demand_metric(self, ended: Ended) -> None:
        metric = self.plan.metric
        if metric is not None and ended.val and metric not in ended.val:
            raise RunError(
                f"metric={metric}: no validation has such a number{suggestion(metric, ended.val)}",
                "nothing is lost: give the same command with another metric=",
                exit_code=2,
            )

    def _title(self, trial: Trial) -> str:
        words = self.journal.arms[trial.arm].words
        return " ".join([*words, f"seed={trial.seed}"])

    def _end(self) -> None:
        """Let every process save and end; kill it where a second Ctrl-C asks for that."""
        if not self._running:
            return
        with suppress(OSError):  # nobody may read any more, which must not keep them running
            self.say(f"stopping {len(self._running)} trials, which save first (Ctrl-C again kills them)")
        for process in self._running.values():
            process.tell(signal.SIGTERM)
        killed = False
        while self._running:
            if self.stop.urgent and not killed:
                killed = True
                for process in self._running.values():
                    process.tell(signal.SIGKILL)
            time.sleep(PAUSE)
            for slot, process in list(self._running.items()):
                ended = process.poll()
                if ended is False:
                    continue
                del self._running[slot]
                # Only what came to its own end is noted: the others are still missing.
                if isinstance(ended, Ended) and ended.exit_code == 0:
                    with suppress(RunError):  # if the journal is what is broken, the run folder tells it next time
                        self.journal.add_end(process.trial.key, ended)


def told(ended: Ended) -> str:
    """How a trial failed, in a few words."""
    return ended.problem if ended.exit_code < 0 else f"exit code {ended.exit_code}: {ended.problem}"


def score(ended: Ended, metric: str | None) -> float | None:
    """The number that a trial is judged by; None if it has none, or none
    that is finite."""
    name = metric or (ended.decisive[0] if ended.decisive else None)
    number = None if name is None or ended.failed else ended.val.get(name)
    return number if number is not None and math.isfinite(number) else None


def merit(ended: Ended, metric: str | None) -> float | None:
    """The same number, turned so that more is better."""
    from dlcourse.results.comparison import direction  # scipy, which it needs, takes half a second

    number, decisive = score(ended, metric), ended.decisive
    if number is None or decisive is None:
        return None
    return -number if direction(metric or decisive[0], decisive) == "min" else number
