"""The one look at the test split: the best checkpoint's numbers, predictions and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from dlcourse.data.base import Split
from dlcourse.errors import DataError, RunError
from dlcourse.files import replace_file
from dlcourse.media import Media, Picture
from dlcourse.metrics import Stats
from dlcourse.run.parts import Parts
from dlcourse.run.prepare import Run
from dlcourse.training import checkpoint
from dlcourse.training.events import Record
from dlcourse.training.loop import Requests, evaluate
from dlcourse.training.observers.tensorboard import render
from dlcourse.training.state import load_weights


def judge_best(run: Run, *, requests: Requests) -> tuple[Record, Stats] | None:
    """The test record of the best checkpoint, and the statistics behind it; writes predictions.npz.

    None if a stop was asked for half-way.

    Raises:
        RunError: no validation gave a finite number, so none is the best.
    """
    parts = run.parts
    if not run.state.best[0]:
        raise RunError(f"no validation gave a finite {parts.task.best[0]}, so there is no best checkpoint to test")
    model = load_best(parts, run.folder.checkpoints / "best.pt")
    stats = evaluate(
        parts.task, model, run.splits.test, parts.settings.batch_size, runtime=parts.runtime, requests=requests
    )
    if stats is None:
        return None
    predictions = run.parts.task.predictions(stats)
    if predictions:
        arrays = {name: values.cpu().numpy() for name, values in predictions.items()}
        replace_file(run.folder.predictions, lambda beside: write_arrays(beside, arrays))
    step = run.state.step
    scalars = {**stats.summary(), **stats.details()}
    return Record(step, run.plan.epoch(step), "test", scalars, stats=stats), stats


def measure(parts: Parts, split: Split[Any], path: Path) -> Stats:
    """The statistics over `split` of the weights that a checkpoint's validation judged."""
    model = load_best(parts, path)
    stats = evaluate(parts.task, model, split, parts.settings.batch_size, runtime=parts.runtime)
    if stats is None:
        raise DataError("the split holds nothing to evaluate on")
    return stats


def load_best(parts: Parts, path: Path) -> nn.Module:
    """The run's model with the weights that a checkpoint's validation judged."""
    saved = checkpoint.load(path)
    load_weights(parts.model, saved["ema"] or saved["model"])
    return parts.model.to(parts.runtime.place, memory_format=parts.runtime.memory_format)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """A compressed .npz under exactly this name (numpy would add its ending)."""
    with path.open("wb") as file:
        np.savez_compressed(file, **dict(arrays))


def show(run: Run, stats: Stats) -> Mapping[str, Media]:
    """What the task shows of the test split; pictures also go to figures/ as PNG."""
    media = {f"test/{name}": item for name, item in run.parts.task.show(stats, run.splits.test).items()}
    run.folder.figures.mkdir(exist_ok=True)
    for name, item in media.items():
        if isinstance(item, Picture):
            write_png(run.folder.figures / f"{name.replace('/', '_')}.png", item)
    return media


def write_png(path: Path, picture: Picture) -> None:
    """Draw and store one figure."""
    from PIL import Image

    pixels = Image.fromarray(render(picture))
    replace_file(path, lambda beside: pixels.save(beside, format="PNG"))


