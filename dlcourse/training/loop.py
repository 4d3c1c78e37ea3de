"""The training loop: one for every task, a generator of events between which the state is whole."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.config.settings import Settings
from dlcourse.data.base import Draw, Split, Splits
from dlcourse.errors import RunError
from dlcourse.metrics import Stats
from dlcourse.tasks.base import Task
from dlcourse.training.events import Event, Record, Save, Stopped, Tick
from dlcourse.training.plan import Plan
from dlcourse.training.runtime import Runtime
from dlcourse.training.state import State
from dlcourse.training.stopwatch import Stopwatch
from dlcourse.training.validation import judge, show_again

MOST_SKIPPED = 20  # non-finite steps in a row; past that the run is lost, not unlucky


@dataclass
class Requests:
    """What was asked of a run from outside, read between two steps.

    Args:
        stop: the name of the signal that asks to save and stop.
        save: whether a checkpoint is asked for.
    """

    stop: str | None = None
    save: bool = False


def fit(
    task: Task[Any, Any], splits: Splits, state: State, *, plan: Plan, runtime: Runtime, requests: Requests
) -> Iterator[Event]:
    """Train from `state.step` to the plan's end; whoever iterates may save the state at every `Save`.

    Raises:
        RunError: the loss or a weight is not finite any more.
    """
    settings = plan.settings
    forward = runtime.compiled(state.model)

    @functools.lru_cache(maxsize=1)
    def batches_of(epoch: int) -> Sequence[Tensor]:
        return splits.train.epoch_batches(settings.batch_size, seed=settings.seed, epoch=epoch)

    state.model.train()
    began = last_saved = time.monotonic()
    watch = Stopwatch()  # since the last record, validations apart
    fresh = False  # whether a step was made since the state was built or loaded
    skipped_in_a_row = 0

    yield from show_again(task, state, splits.val, runtime=runtime)
    while True:
        reason = requests.stop or why_stop(state, plan, minutes=(time.monotonic() - began) / 60)
        # A kill may have come between this checkpoint and its copy as the best.
        improved = not fresh and state.best[0] == state.step
        due = plan.is_validation_due(state.step) or (reason == "max_minutes" and not state.validations)
        if state.step and due and state.validated < state.step:
            pause = Stopwatch()
            stats = evaluate(task, state.judged, splits.val, settings.batch_size, runtime=runtime, requests=requests)
            if stats is not None:
                record, shown = judge(task, state, stats, splits.val, plan=plan, runtime=runtime, since=pause)
                improved = record.improved
                yield record
                yield from shown
            watch.leave_out(pause)
            reason = requests.stop or why_stop(state, plan, minutes=(time.monotonic() - began) / 60)

        due = fresh and (plan.is_checkpoint_due(state.step) or is_older(last_saved, settings.checkpoint.every_minutes))
        if state.step and (reason or improved or due or requests.save):
            check_losses(state, plan, batches_of)
            if not state.is_finite():
                raise RunError(f"a weight is not finite after step {state.step}; {ADVICE}")
            yield Save(state.step, best=improved)
            last_saved, requests.save = time.monotonic(), False
        if reason:
            yield Stopped(state.step, reason)
            return

        epoch, number = plan.place(state.step)
        indices = batches_of(epoch)[number]
        made = train_step(task, forward, splits.train, indices, state=state, plan=plan, runtime=runtime)
        fresh = True
        skipped_in_a_row = 0 if made.taken else skipped_in_a_row + 1
        if skipped_in_a_row > MOST_SKIPPED:
            raise RunError(f"{MOST_SKIPPED} steps in a row had a non-finite loss or gradient; {ADVICE}")
        if not plan.is_record_due(state.step):
            yield Tick(state.step)
            continue

        check_losses(state, plan, batches_of)
        scalars = training_numbers(state, made, skipping=settings.on_nonfinite == "skip")
        state.losses.clear()
        steps = (state.step - 1) % settings.log_every + 1
        timing = {**watch.lap(steps * len(indices)), "peak_memory_bytes": float(runtime.peak_memory())}
        yield Record(state.step, plan.epoch(state.step), "train", scalars, timing)


@dataclass(frozen=True)
class Made:
    """What one step tells: the learning rate, the gradient norm if it was due (on the device), whether it was taken.

    A step is left out for what is not finite, by us or, where fp16 overflowed, by the scaler.
    """

    rate: float
    norm: Tensor | None
    taken: bool


def train_step(
    task: Task[Any, Any],
    forward: nn.Module,
    train: Split[Any],
    indices: Tensor,
    *,
    state: State,
    plan: Plan,
    runtime: Runtime,
) -> Made:
    """One optimizer step on the samples at `indices`: seed, micro-batches, unscale, norm, clip, optimizer, average."""
    settings = plan.settings
    epoch, _ = plan.place(state.step)
    careful = settings.on_nonfinite == "skip"
    buffers = [buffer.clone() for buffer in state.model.buffers()] if careful else []
    rate = state.set_rates()
    state.freeze(plan.frozen(state.step))

    parts = indices.tensor_split(min(settings.accumulate, len(indices))) if settings.accumulate > 1 else (indices,)
    batches = [train.fetch(part, draw=Draw(settings.seed, epoch)) for part in parts]
    weight = sum(batch.weight for batch in batches)
    losses: list[Tensor] = []
    for micro, batch in enumerate(batches):
        runtime.seed(settings.seed, state.step, micro)
        with runtime.autocast():
            loss = task.loss(forward, batch)
        if len(batches) > 1:
            loss = loss * (batch.weight / weight)
        state.scaler.scale(loss).backward()
        losses.append(loss.detach())
    loss = losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    norm = clip(state, settings, due=careful or plan.is_record_due(state.step + 1))
    taken = True
    if careful and norm is not None:  # a scaler leaves out by itself what overflowed in the gradient
        taken = bool(torch.isfinite(loss)) and (state.scaler.is_enabled() or bool(torch.isfinite(norm)))
    if taken:
        scale = state.scaler.get_scale()  # 1 without a scaler; with one, the step itself waits for the device as well
        state.scaler.step(state.optimizer)
        state.scaler.update()
        state.losses.append(loss)
        taken = state.scaler.get_scale() >= scale
        state.skipped += not taken
        if state.average is not None:
            state.average.update(state.step)
    else:
        state.skipped += 1
        for buffer, before in zip(state.model.buffers(), buffers, strict=True):
            buffer.copy_(before)  # a non-finite batch would live on in the running statistics
        if state.scaler.is_enabled():
            state.scaler.update()  # it was unscaled, which the scaler allows once between two updates
    state.optimizer.zero_grad(set_to_none=True)
    state.step += 1
    return Made(rate, norm, taken)


def clip(state: State, settings: Settings, *, due: bool) -> Tensor | None:
    """Unscale the gradient and clip it as the settings say; gives its norm before, if that is `due` or needed."""
    if not due and settings.clip_norm is None and settings.clip_value is None:
        return None
    state.scaler.unscale_(state.optimizer)
    parameters = [parameter for parameter in state.model.parameters() if parameter.grad is not None]
    norm = None
    if due or settings.clip_norm is not None:
        norm = torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if settings.clip_norm is not None and norm is not None:
        torch.nn.utils.clip_grads_with_norm_(parameters, settings.clip_norm, norm)
    if settings.clip_value is not None:
        torch.nn.utils.clip_grad_value_(parameters, settings.clip_value)
    return norm


def training_numbers(state: State, made: Made, *, skipping: bool) -> dict[str, float]:
    """What a training record says: the mean loss since the last one, and this step's rate and gradient norm."""
    scalars = {"loss": float(torch.stack(state.losses).mean())} if state.losses else {}
    scalars["lr"] = made.rate
    if made.norm is not None and bool(torch.isfinite(made.norm)):  # JSON has no infinity: fp16 may overflow
        scalars["grad_norm"] = float(made.norm)
    if state.scaler.is_enabled():
        scalars["loss_scale"] = state.scaler.get_scale()
    if skipping or state.scaler.is_enabled():
        scalars["skipped"] = float(state.skipped)
    return scalars


@torch.inference_mode()
def evaluate(
    task: Task[Any, Any],
    model: nn.Module,
    split: Split[Any],
    batch_size: int,
    *,
    runtime: Runtime,
    requests: Requests | None = None,
    final: bool = False,
) -> Stats | None:
    """The statistics of `model` over a whole split, or None if a stop was asked for half-way.

    `final` takes those that the task has for the test split.
    """
    measure = task.evaluate_test if final else task.evaluate
    training = model.training
    model.eval()
    total: Stats | None = None
    for indices in split.batches_in_order(batch_size):
        if requests is not None and requests.stop:
            total = None
            break
        with runtime.autocast():
            stats = measure(model, split.fetch(indices))
        total = stats if total is None else total + stats
    model.train(training)
    return total


def why_stop(state: State, plan: Plan, *, minutes: float) -> str | None:
    """Why the run ends at this step, or None if it goes on."""
    settings = plan.settings
    if state.step >= plan.steps:
        return "done"
    patience = settings.early_stop.patience
    if patience is not None and state.waited(settings.early_stop.min_delta) >= patience:
        return "early_stop"
    if plan.is_stop_due(state.step):
        return "stop_at"
    if settings.max_minutes is not None and minutes >= settings.max_minutes:
        return "max_minutes"
    return None


def is_older(moment: float, minutes: float | None) -> bool:
    """Whether `moment` lies at least so many minutes back."""
    return minutes is not None and time.monotonic() - moment >= 60 * minutes


def check_losses(state: State, plan: Plan, batches_of: Callable[[int], Sequence[Tensor]]) -> None:
    """Raise RunError at the first non-finite loss since the last record (reads from the device)."""
    if not state.losses:
        return
    finite = torch.isfinite(torch.stack(state.losses)).tolist()
    if all(finite):
        return
    step = state.step - len(finite) + finite.index(False)
    epoch, number = plan.place(step)
    indices = batches_of(epoch)[number].tolist()
    rate = state.base_rates[0] * state.schedule.factor(step)
    rest = f" and {len(indices) - 8} more" if len(indices) > 8 else ""
    raise RunError(
        f"the loss is {float(state.losses[finite.index(False)])} at step {step + 1} "
        f"(epoch {plan.epoch(step)}, learning rate {rate:g}); {ADVICE}",
        f"its batch held the train samples {', '.join(map(str, indices[:8]))}{rest}",
    )


ADVICE = "try a lower optimizer.lr, scheduler.warmup=1ep, clip_norm=1 or on_nonfinite=skip"
