"""What a validation leaves behind its statistics: a record, the state's history, and what the task shows."""

from __future__ import annotations

import math
from typing import Any

import torch

from dlcourse.data.base import Split
from dlcourse.media import Sketch
from dlcourse.metrics import Stats
from dlcourse.tasks.base import Task
from dlcourse.training.events import Record, Shown
from dlcourse.training.plan import Plan
from dlcourse.training.runtime import Runtime
from dlcourse.training.state import State
from dlcourse.training.stopwatch import Stopwatch


def judge(
    task: Task[Any, Any],
    state: State,
    stats: Stats,
    val: Split[Any],
    *,
    plan: Plan,
    runtime: Runtime,
    since: Stopwatch,
) -> tuple[Record, list[Shown]]:
    """The record of a validation, which also enters the state's history and the schedule, and what is shown beside it.

    Args:
        task: what is trained.
        state: of which `stats` are.
        stats: over all of `val`.
        val: the validation split.
        plan: how long the run is.
        runtime: where it computes.
        since: made when the validation began.
    """
    timing = {"seconds": since.seconds, "cpu_seconds": since.cpu_seconds}
    sketch = sketch_of(task, state, val, runtime=runtime)
    scalars = {**stats.summary(), **sketch.scalars}
    name, direction = task.best
    value = math.inf  # summaries leave out what is not finite
    if name in scalars:
        value = scalars[name] if direction == "min" else -scalars[name]
    improved = math.isfinite(value) and value <= state.best[1]  # of two equals the one that trained for longer
    state.validations.append((state.step, value))
    state.schedule.observe(value)
    record = Record(state.step, plan.epoch(state.step), "val", scalars, timing, stats=stats, improved=improved)
    return record, _shown(state.step, sketch)


def show_again(task: Task[Any, Any], state: State, val: Split[Any], *, runtime: Runtime) -> list[Shown]:
    """What was shown at the step where a run goes on, if it was validated there: only TensorBoard kept it, and a
    resumed TensorBoard forgets what it has from that step on."""
    if not state.step or state.validated != state.step:
        return []
    return _shown(state.step, sketch_of(task, state, val, runtime=runtime))


@torch.inference_mode()
def sketch_of(task: Task[Any, Any], state: State, val: Split[Any], *, runtime: Runtime) -> Sketch:
    """What the task shows of the model that validation judges."""
    model = state.judged
    training = model.training
    model.eval()
    with runtime.autocast():
        sketch = task.sketch(model, val)
    model.train(training)
    return sketch


def _shown(step: int, sketch: Sketch) -> list[Shown]:
    return [Shown(step, sketch.media)] if sketch.media else []
