"""Our program's own path, from its config to its observers, over files that look like CIFAR-10's."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from rich.console import Console as Terminal

from dlcourse.commands.train import hyperparameters
from dlcourse.config.compose import compose
from dlcourse.data.cifar import CIFAR10
from dlcourse.folders import claim
from dlcourse.run.parts import assemble
from dlcourse.run.prepare import prepare, set_start_values, write_head
from dlcourse.training.loop import Requests, fit
from dlcourse.training.observers import Observer
from dlcourse.training.observers.checkpoints import Checkpoints
from dlcourse.training.observers.console import Console
from dlcourse.training.observers.history import History
from dlcourse.training.observers.tensorboard import TensorBoard

IMAGE_BYTES = 3 * 32 * 32


@contextmanager
def noise_files() -> Generator[Path]:
    """A folder that data=cifar10 reads as `data.root`: random images in the official files' form, 184 MB."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / CIFAR10.folder_name
        folder.mkdir()
        for name in (*CIFAR10.train_files, *CIFAR10.test_files):
            count = CIFAR10.train_records if name in CIFAR10.train_files else CIFAR10.test_records
            records = generator.integers(256, size=(count, 1 + IMAGE_BYTES), dtype=np.uint8)
            records[:, 0] %= len(CIFAR10.known_classes)
            records.tofile(folder / name)
        yield Path(root)


def samples_per_second(root: Path, *, model: str, overrides: Sequence[str], warm: int, steps: int) -> float:
    """Training images a second (wall clock) over `steps` optimizer steps that follow `warm` untimed ones.

    Built as `dlcourse train` builds it, watched by the same observers; validation lies outside, as it does in the
    peer's timing.

    Args:
        root: the data's folder.
        model: option of the group `model`.
        overrides: further words of the command line.
        warm: optimizer steps before the clock starts.
        steps: optimizer steps that are timed.
    """
    words = [f"model={model}", "data=cifar10", f"data.root={root}", f"max_steps={warm + steps}", *overrides]
    config, choices = compose(words), {"model": model, "data": "cifar10"}
    parts = assemble(config, choices=choices)
    with ExitStack() as closing:
        runs = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        run = prepare(parts, claim(runs, group=parts.name))
        set_start_values(run)
        write_head(run, config, overrides=words)
        settings, folder, state = parts.settings, run.folder, run.state
        history = History(folder.metrics, folder.timing)
        observers: list[Observer] = [
            history,
            TensorBoard(folder.path, settings=hyperparameters(config, choices), metrics=["val/accuracy", "val/loss"]),
            Console(run.plan, terminal=Terminal(file=io.StringIO())),
            Checkpoints(folder.checkpoints, state, beside=lambda: {}, keep=settings.checkpoint.keep),
        ]
        for observer in observers:
            closing.callback(observer.close)
        began = 0.0
        for event in fit(parts.task, run.splits, state, plan=run.plan, runtime=parts.runtime, requests=Requests()):
            for observe in observers:
                observe(event)
            if event.step == warm:
                began = time.perf_counter()
            if event.step == warm + steps:
                break
        return steps * settings.batch_size / (time.perf_counter() - began)
