"""Run folders written by hand, for tests that only read them: a second of training each would be a minute a file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from dlcourse.config.tree import lay
from dlcourse.folders import RunFolder

EXIT_CODES = {"done": 0, "failed": 1, "interrupted": 130, "running": None}
STEPS, EVERY = 10, 5  # optimizer steps from one validation to the next, and from one training record to the next


def make_run(
    runs: Path,
    name: str = "resnet18-digits/2026-01-01_00-00-00-000000",
    *,
    settings: Mapping[str, object] | None = None,
    choices: Mapping[str, str | None] | None = None,
    val: Sequence[Mapping[str, float]] = ({"accuracy": 0.5, "loss": 0.7}, {"accuracy": 0.6, "loss": 0.6}),
    test: Mapping[str, float] | None = None,
    state: str = "done",
    hits: Sequence[bool] | None = None,
    best: tuple[str, str] | None = ("accuracy", "max"),
    seconds: float = 60.0,
) -> RunFolder:
    """Write RUNS/NAME as a training would have left it.

    Args:
        runs: the folder of runs.
        name: MODEL-DATA/TIME, whose parts decide the options `model` and `data` and when the run began.
        settings: dotted name -> value, over the usual ones.
        choices: group -> option, over the usual ones.
        val: numbers of each validation, `STEPS` steps apart; none is a run that never reached one.
        test: numbers of the test; None for the last validation's, an empty mapping for a run without a test.
        state: running (nobody holds the folder: it was killed), done, failed or interrupted.
        hits: which test items are right, for predictions.npz; None writes no such file.
        best: what picks the best checkpoint; None writes no task.json, as runs of version 0.1 have none.
        seconds: how long it worked.
    """
    folder = RunFolder(runs / name)
    folder.checkpoints.mkdir(parents=True)
    model, _, data = name.split("/", maxsplit=1)[0].partition("-")
    chosen = {
        "experiment": None, "init": "none", "model": model, "data": data or "digits", "runtime": "default",
        "scheduler": "cosine", "optimizer": "adamw", "task": "classification", **(choices or {}),
    }  # fmt: skip
    config = usual(runs) | {"test": bool(val) if test is None else bool(test)}
    for key, value in (settings or {}).items():
        lay(config, key, value=value)
    write_yaml(folder.config, {**config, "choices": chosen})
    words = [f"model={chosen['model']}", f"data={chosen['data']}"]
    words += [f"{key}={value}" for key, value in (settings or {}).items()]
    (folder.path / "overrides.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    environment = {"dlcourse": "0.1.0", "python": "3.11.7", "device": "cpu", "torch": "2.6.0", "git": None}
    write_json(folder.path / "environment.json", environment)
    write_json(folder.data, {split: {"items": 100, "sha256": digest(chosen["data"], split)} for split in SPLITS})
    if best is not None:
        write_json(folder.task, {"best": list(best)})
    write_lines(folder.metrics, list(history(val, (val[-1] if val else {}) if test is None else test)))
    timing = [{"step": STEPS, "epoch": 1.0, "split": "val", "timing": {"seconds": 0.5}}] if val else []
    write_lines(folder.timing, timing)
    began = datetime.now(UTC)
    if re.match(r"\d{4}(-\d\d){2}_\d\d(-\d\d){2}-\d{6}", path_name := folder.path.name):
        began = datetime.strptime(path_name[:26], "%Y-%m-%d_%H-%M-%S-%f").replace(tzinfo=UTC)
    write_json(folder.status, {
        "state": state, "pid": 1, "host": "nowhere", "exit_code": EXIT_CODES[state],
        "started": began.isoformat(timespec="seconds"),
        "changed": (began + timedelta(seconds=seconds)).isoformat(timespec="seconds"), "seconds": seconds,
    })  # fmt: skip
    if hits is not None:
        right = np.asarray(hits, dtype=bool)
        scores = np.where(right[:, None], [0.9, 0.1], [0.2, 0.8]).astype(np.float32)
        np.savez(folder.predictions, index=np.arange(len(right)), label=np.zeros(len(right), np.int64), scores=scores)
    return folder


SPLITS = ("train", "val", "test")


def usual(runs: Path) -> dict[str, Any]:
    """A config with a few settings of every kind."""
    return {
        "seed": 1, "epochs": 2, "max_steps": None, "batch_size": 32, "log_every": EVERY, "test": True,
        "runs": str(runs), "run": None, "resume": None,
        "checkpoint": {"every_minutes": 10.0, "keep": 1},
        "task": {"_target_": "dlcourse.tasks.classification.Classification", "label_smoothing": 0.0},
        "optimizer": {"_target_": "dlcourse.training.optimizers.adamw", "lr": 0.001, "betas": [0.9, 0.999]},
        "scheduler": {"_target_": "dlcourse.training.schedules.cosine", "warmup": "0ep"},
        "runtime": {"_target_": "dlcourse.training.runtime.Runtime", "device": "cpu", "threads": 1},
        "data": {"_target_": "dlcourse.data.digits.Digits", "val_fraction": 0.1},
        "model": {"_target_": "dlcourse.models.resnet.ResNet18", "width": 4},
        "init": {},
    }  # fmt: skip


def history(val: Sequence[Mapping[str, float]], test: Mapping[str, float]) -> list[dict[str, object]]:
    """The records of metrics.jsonl: training every `EVERY` steps, validations, the test at the end."""
    lines: list[dict[str, object]] = []
    for epoch, numbers in enumerate(val, start=1):
        for step in range((epoch - 1) * STEPS + EVERY, epoch * STEPS + 1, EVERY):
            lines.append(record(step, "train", {"loss": 1 / step, "lr": 0.001}))
        lines.append(record(epoch * STEPS, "val", numbers))
    return [*lines, *([record(len(val) * STEPS, "test", test)] if test else [])]


def record(step: int, split: str, scalars: Mapping[str, float]) -> dict[str, object]:
    """One line of metrics.jsonl."""
    return {"step": step, "epoch": step / STEPS, "split": split, "scalars": dict(scalars)}


def digest(data: str | None, split: str) -> str:
    """A fingerprint that is the same for the same data."""
    return hashlib.sha256(f"{data}/{split}".encode()).hexdigest()


def write_json(path: Path, value: object) -> None:
    """Write `value` as JSON."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_lines(path: Path, lines: Sequence[object]) -> None:
    """Write each value as a line of JSON."""
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


def write_yaml(path: Path, value: object) -> None:
    """Write `value` as YAML, as a run does."""
    path.write_text(yaml.safe_dump(value, allow_unicode=True, sort_keys=False), encoding="utf-8")
