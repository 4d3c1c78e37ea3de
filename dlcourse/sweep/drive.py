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
from dlcourse.sweep.halving import Halving
from dlcourse.sweep.journal import Arm, Ended, Journal
from dlcourse.sweep.scores import merit, score, told
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
        halving: where arms are stopped.
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
    halving: Halving = Halving()

    def trial(self, arm: Arm, seed: int, *, rung: int = 0) -> Trial:
        """The trial of an arm with a seed, as far as a rung."""
        label = f"{arm.number:03}-seed{seed}"
        words = (*self.space.flags, *self.space.fixed, *arm.words, f"seed={seed}")
        out = home(self.runs, self.name) / LOGS / f"{label}.out"
        path = self.runs / arm.group / f"{self.name}-{label}"
        return Trial(arm.number, seed, words, self.runs, path, out, rung, self.halving.stop(rung))

    def counted(self, journal: Journal) -> list[Arm]:
        """The arms that count."""
        return journal.arms[: self.limit]

    def climbed(self, journal: Journal) -> list[list[Arm]]:
        """The arms that count of each rung, as far as it is decided."""

        def standing(arm: int, rung: int) -> float | None:
            ends = [journal.ended.get((arm, seed, rung)) for seed in self.seeds]
            merits = [merit(ended, self.metric) for ended in ends if ended is not None]
            if len(merits) < len(self.seeds):
                return None
            # A mean over the seeds that went well would favour the arm whose others failed.
            values = [value for value in merits if value is not None]
            return statistics.fmean(values) if len(values) == len(merits) else -math.inf

        arms = self.counted(journal)
        return [
            [journal.arms[number] for number in rung]
            for rung in self.halving.climbed([arm.number for arm in arms], score=standing)
        ]

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
    _again: set[tuple[int, int, int]] = field(default_factory=set[tuple[int, int, int]])
    """Arm, seed and rung of trials that failed and were not tried again yet."""

    def run(self) -> None:
        """Do what is missing, until nothing is or a signal asks to stop; then no process of a trial is left.

        Raises:
            RunError: the journal cannot be written, or no run has the metric.
        """
        if not self.plan.search.by_scores:
            while self._propose():
                pass
        self._again = {key for key, ended in self.journal.ended.items() if ended.failed} if self.plan.retry else set()
        self._line_up()
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

    def _line_up(self) -> None:
        """Let the missing trials wait of the lowest rung that lacks any."""
        for rung, arms in enumerate(self.plan.climbed(self.journal)):
            # All arms with one seed before the next one, so that half a sweep compares already.
            by_seed = not self.plan.search.by_scores
            pairs = [(arm, seed) for arm in arms for seed in self.plan.seeds]
            pairs.sort(key=lambda pair: self.plan.seeds.index(pair[1]) if by_seed else 0)
            trials = (self.plan.trial(arm, seed, rung=rung) for arm, seed in pairs)
            self._waiting.extend(trial for trial in trials if self._missing(trial.place))
            if self._waiting:
                if rung:
                    many = "1 arm goes" if len(arms) == 1 else f"{len(arms)} arms go"
                    self.say(f"{many} on to {self.plan.halving.called(rung)}")
                return

    def _missing(self, place: tuple[int, int, int]) -> bool:
        return place not in self.journal.ended or place in self._again

    def _fill(self) -> None:
        """Give every free share of the machine a trial, as long as there are any."""
        for slot in range(len(self.plan.shares)):
            while slot not in self._running and self.stop.number is None and (trial := self._next()):
                again = trial.place in self._again
                self._again.discard(trial.place)
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
        if not self._waiting and not self._running:  # only a whole rung decides who goes on
            self._line_up()
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
        keys = [(arm.number, seed, 0) for seed in self.plan.seeds]
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
        done, count = self._progress()
        self.say(f"[{done}/{count}] {self._title(trial)}: {result}")

    def _progress(self) -> tuple[int, int]:
        """How many trials ended, and how many there will be if no more of them fail."""
        climbed, seeds = self.plan.climbed(self.journal), self.plan.seeds
        done = sum(
            (arm.number, seed, rung) in self.journal.ended
            for rung, arms in enumerate(climbed)
            for arm in arms
            for seed in seeds
        )
        known = [len(arms) for arms in climbed]
        if self.plan.search.by_scores and self.plan.limit:
            known = [self.plan.limit]
        return done, sum(self.plan.halving.sizes(known)) * len(seeds)

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
        to = [f"to {self.plan.halving.called(trial.rung)}"] if self.plan.halving.stops else []
        return " ".join([*words, f"seed={trial.seed}", *to])

    def _end(self) -> None:
        """Let every process save and end; kill it where a second Ctrl-C asks for that."""
        if not self._running:
            return
        with suppress(OSError):  # nobody may read any more, which must not keep them running
            many = "1 trial, which saves" if len(self._running) == 1 else f"{len(self._running)} trials, which save"
            self.say(f"stopping {many} first (Ctrl-C again kills {'it' if len(self._running) == 1 else 'them'})")
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
