"""The one look at the test split: the best checkpoint's numbers, predictions and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from dlcourse.data.base import Split, Splits
from dlcourse.errors import DataError, RunError
from dlcourse.files import replace_file
from dlcourse.media import Picture, PrecisionRecall, Text
from dlcourse.metrics import Stats
from dlcourse.run.parts import Network
from dlcourse.run.prepare import Run
from dlcourse.tasks.base import Task
from dlcourse.training import checkpoint
from dlcourse.training.events import Record
from dlcourse.training.loop import Requests, evaluate
from dlcourse.training.observers.tensorboard import render
from dlcourse.training.state import load_weights


def judge_best(run: Run, *, requests: Requests) -> tuple[Record, Stats] | None:
    """The test record of the best checkpoint, and the statistics behind it; writes predictions.npz.

    None if a stop was asked for half-way. The model is left with the best weights.

    Raises:
        RunError: no validation gave a finite number, so none is the best.
    """
    parts = run.parts
    if not run.state.best[0]:
        raise RunError(f"no validation gave a finite {parts.task.best[0]}, so there is no best checkpoint to test")
    model = load_best(parts, run.folder.checkpoints / "best.pt")
    size, runtime = parts.settings.batch_size, parts.runtime
    stats = evaluate(parts.task, model, run.splits.test, size, runtime=runtime, requests=requests, final=True)
    concluded = None if stats is None else conclude(parts, model, stats, run.splits.val, requests=requests)
    if stats is None or concluded is None:
        return None
    predictions = run.parts.task.predictions(stats)
    if predictions:
        arrays = {name: values.cpu().numpy() for name, values in predictions.items()}
        replace_file(run.folder.predictions, lambda beside: write_arrays(beside, arrays))
    step = run.state.step
    scalars = {**stats.summary(), **concluded, **stats.details()}
    return Record(step, run.plan.epoch(step), "test", scalars, stats=stats), stats


def measure(parts: Network, splits: Splits, path: Path, *, name: str) -> dict[str, float]:
    """The numbers over one split of the weights that a checkpoint's validation judged.

    Args:
        parts: of the run.
        splits: on the run's device.
        path: the checkpoint.
        name: "train", "val" or "test"; of the last also what needs validation, as a run records it.
    """
    model = load_best(parts, path)
    size, final = parts.settings.batch_size, name == "test"
    stats = evaluate(parts.task, model, getattr(splits, name), size, runtime=parts.runtime, final=final)
    if stats is None:
        raise DataError(f"the {name} split holds nothing to evaluate on")
    concluded = conclude(parts, model, stats, splits.val) if final else None
    return {**stats.summary(), **(concluded or {}), **stats.details()}


def conclude(
    parts: Network, model: nn.Module, test: Stats, val: Split[Any], *, requests: Requests | None = None
) -> Mapping[str, float] | None:
    """What the task concludes from test and validation together; None if a stop was asked for half-way."""
    task = parts.task
    if type(task).conclude is Task.conclude:
        return {}  # a pass over validation for nothing
    stats = evaluate(task, model, val, parts.settings.batch_size, runtime=parts.runtime, requests=requests)
    return None if stats is None else task.conclude(test, val=stats)


def load_best(parts: Network, path: Path) -> nn.Module:
    """The run's model with the weights that a checkpoint's validation judged."""
    saved = checkpoint.load(path)
    load_weights(parts.model, saved["ema"] or saved["model"])
    return parts.runtime.placed(parts.model)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """A compressed .npz under exactly this name (numpy would add its ending)."""
    with path.open("wb") as file:
        np.savez_compressed(file, **dict(arrays))  # pyright: ignore[reportArgumentType]  numpy's stubs


def show(run: Run, stats: Stats) -> Mapping[str, np.ndarray | PrecisionRecall | Text]:
    """What the task shows of the test split, pictures as pixels; they also go to figures/ as PNG.

    `judge_best` has left the model with the best weights.
    """
    shown: dict[str, np.ndarray | PrecisionRecall | Text] = {}
    run.folder.figures.mkdir(exist_ok=True)
    model = run.parts.model.eval()
    for name, item in run.parts.task.show(stats, run.splits.test, model=model).items():
        if isinstance(item, Picture):
            pixels = render(item)  # once: drawing takes a second
            write_png(run.folder.figures / f"test_{name.replace('/', '_')}.png", pixels)
            shown[f"test/{name}"] = pixels
        else:
            shown[f"test/{name}"] = item
    return shown


def write_png(path: Path, pixels: np.ndarray) -> None:
    """Store one picture, uint8 [H, W, 3]."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    replace_file(path, lambda beside: picture.save(beside, format="PNG"))
