"""The console: a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from datetime import timedelta

from rich.console import Console as Terminal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from dlcourse.training.events import Event, Record, Tick
from dlcourse.training.plan import Plan

REFRESH = 0.1  # seconds between two updates of the bar
QUIET = 10.0  # seconds between two plain lines of training numbers


class Console:
    """Shows how training goes.

    Args:
        plan: how long the run is.
        step: optimizer steps done already, on resume.
        decisive: the validation number that picks the best epoch.
        terminal: where to write; the bar appears only if it is one.
    """

    def __init__(
        self, plan: Plan, *, step: int = 0, decisive: str = "accuracy", terminal: Terminal | None = None
    ) -> None:
        self._plan, self._decisive = plan, decisive
        self._terminal = terminal or Terminal(highlight=False, soft_wrap=True)
        self._train: Record | None = None
        self._validated = 0  # a training loss older than the last validation is no news
        self._began, self._first_step, self._drawn = time.monotonic(), step, 0.0
        self._bar: Progress | None = None
        self._task = TaskID(0)
        if self._terminal.is_terminal:
            self._bar = Progress(
                TextColumn("training"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[numbers]}"),
                TimeRemainingColumn(),
                console=self._terminal,
                transient=True,
            )
            self._task = self._bar.add_task("training", total=plan.steps, completed=step, numbers="")
            self._bar.start()

    def __call__(self, event: Event) -> None:
        match event:
            case Tick() | Record(split="train"):
                if isinstance(event, Record):
                    self._train = event
                self._advance(event.step)
            case Record(split="val"):
                self._terminal.print(self._validation(event))
            case _:
                pass

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _advance(self, step: int) -> None:
        now = time.monotonic()
        if self._bar is not None:
            if now - self._drawn >= REFRESH or step == self._plan.steps:
                self._drawn = now
                self._bar.update(self._task, completed=step, numbers=self._numbers())
        elif self._train is not None and self._train.step == step and now - self._drawn >= QUIET:
            self._drawn = now
            left = (now - self._began) / max(1, step - self._first_step) * (self._plan.steps - step)
            self._terminal.print(
                f"step {step}/{self._plan.steps}  {self._numbers()}  {timedelta(seconds=round(left))} left"
            )

    def _numbers(self) -> str:
        if self._train is None:
            return ""
        scalars, timing = self._train.scalars, self._train.timing
        loss = f"loss {scalars['loss']:.4f}  " if "loss" in scalars else ""
        return f"{loss}lr {scalars['lr']:.3g}  {timing['samples_per_second']:,.0f} samples/s"

    def _validation(self, record: Record) -> str:
        fresh = self._train is not None and self._train.step > self._validated
        train = self._train.scalars.get("loss") if self._train is not None and fresh else None
        self._validated = record.step
        numbers = [f"epoch {record.epoch:g}/{self._plan.epoch(self._plan.steps):g}", f"step {record.step}"]
        numbers += [f"train loss {train:.4f}"] if train is not None else []
        numbers += [f"val loss {record.scalars['loss']:.4f}"] if "loss" in record.scalars else []
        decisive = record.scalars.get(self._decisive) if self._decisive != "loss" else None
        numbers += [f"val {self._decisive} {decisive:.4f}"] if decisive is not None else []
        numbers += ["(best so far)"] if record.improved else []
        return "  ".join(numbers)
