"""Runs `dlcourse train` in this process, times its steps, and counts what they have to do.

    python floors_probe.py OUT STEPS GPU_STEPS ROUNDS train ...

OUT gets what `measured` gives, as JSON; on a GPU a round has GPU_STEPS steps. The program itself knows nothing of it:
the loop is put under a stopwatch once its module is there.
"""

from __future__ import annotations

import builtins
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

LOOP = "dlcourse.training.loop"
WARM = 10  # steps before the first that counts; memory is asked for behind them


@dataclass(frozen=True)
class Seconds:
    """Of the wall clock, and of the processor in the program and in the system, all threads together."""

    wall: float
    user: float
    system: float

    @classmethod
    def now(cls) -> Seconds:
        """Since some moment."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return cls(time.perf_counter(), usage.ru_utime, usage.ru_stime)

    def since(self, before: Seconds, *, steps: int) -> dict[str, float]:
        """Per step."""
        return {name: (value - getattr(before, name)) / steps for name, value in asdict(self).items()}


def measured(
    events: Iterator[Any], task: Any, splits: Any, state: Any, *, plan: Any, runtime: Any, steps: int, rounds: int
) -> dict[str, Any]:
    """Rounds of steps, each with the machine's peaks behind it, and what these steps have to do; times in seconds.

    Args:
        events: what the loop yields.
        task: and the following, what the loop was called with.
        splits: likewise.
        state: likewise.
        plan: likewise.
        runtime: likewise.
        steps: optimizer steps of a round.
        rounds: how many.
    """
    from benchmarks.peaks import bandwidth, peak
    from benchmarks.work import Work, work_of
    from dlcourse.training.loop import train_step

    settings, train = plan.settings, splits.train
    known: dict[Any, Work] = {}
    plain = replace(runtime, kernels="torch")  # what a convolution of ours is made of is counted as a convolution

    def work(number: int) -> Work:
        """Of the step with this number; taken again, once for all that have its shapes."""
        epoch, place = plan.place(number)
        indices = train.epoch_batches(settings.batch_size, seed=settings.seed, epoch=epoch)[place]
        shapes = tuple(tensor.shape for tensor in train.fetch(indices).inputs)
        if shapes not in known:
            known[shapes] = work_of(
                lambda: train_step(task, state.model, train, indices, state=state, plan=plan, runtime=plain),
                parameters=state.model.parameters(),
                optimizer=state.optimizer,
            )
        return known[shapes]

    def advance(count: int) -> None:
        target = state.step + count
        while state.step < target:
            next(events)
        runtime.wait()

    advance(WARM)
    memory = runtime.peak_memory()
    products = sorted(work(state.step).flops)
    taken: list[tuple[range, dict[str, Any]]] = []
    for _ in range(rounds):
        advance(1)  # the peaks before it emptied the caches
        before, first = Seconds.now(), state.step
        advance(steps)
        spent = Seconds.now().since(before, steps=steps)
        at = {"device": runtime.place, "wait": runtime.wait}
        peaks = {" ".join(product): peak(product, **at) for product in products}
        taken.append((range(first, first + steps), {**spent, "peaks": peaks, "bandwidth": bandwidth(**at)}))
    for numbers, one in taken:
        each = [work(number) for number in numbers]
        one["flops"] = {" ".join(product): sum(w.flops[product] for w in each) / steps for product in products}
        one["bytes"] = sum(w.bytes for w in each) / steps
    about = {"device": runtime.device, "precision": runtime.precision, "threads": runtime.threads}
    return {**about, "batch_size": settings.batch_size, "memory": memory, "rounds": [one for _, one in taken]}


def main(out: Path, steps: int, gpu_steps: int, rounds: int, argv: list[str]) -> int:
    """Run the command line; the process ends when it was measured."""

    def watched(plain: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def fit(task: Any, splits: Any, state: Any, *, plan: Any, runtime: Any, requests: Any) -> Iterator[Any]:
            events = plain(task, splits, state, plan=plan, runtime=runtime, requests=requests)
            count = gpu_steps if runtime.place.type == "cuda" else steps
            found = measured(events, task, splits, state, plan=plan, runtime=runtime, steps=count, rounds=rounds)
            out.write_text(json.dumps(found))
            sys.stdout.flush()
            os._exit(0)  # no checkpoint, no test: the question is answered

        return fit

    plain_import, done = builtins.__import__, False

    def watched_import(name: str, *rest: Any, **keywords: Any) -> Any:
        nonlocal done
        module = plain_import(name, *rest, **keywords)
        loop = sys.modules.get(LOOP)
        if not done and name == LOOP and hasattr(loop, "fit"):
            done = True
            loop.fit = watched(loop.fit)  # pyright: ignore[reportOptionalMemberAccess]
        return module

    builtins.__import__ = watched_import  # nothing heavy is imported before the program does it
    from dlcourse.cli import main as program

    return program(argv) or 1  # it came to an end without a step


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # so that this folder is `benchmarks`
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:5]), sys.argv[5:]))
