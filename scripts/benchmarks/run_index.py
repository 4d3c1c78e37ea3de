"""How long `dlcourse runs` takes over a thousand runs of 10,000 steps: a fresh process each time, cold and indexed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import yaml

from benchmarks.table import Row, interleaved
from dlcourse.config.tree import compose_plainly
from dlcourse.results.index import INDEX

RUNS, STEPS, VALIDATIONS = 1000, 10_000, 20
CHOICES = {
    "model": "resnet18",
    "data": "cifar10",
    "optimizer": "sgd",
    "scheduler": "onecycle",
    "task": "classification",
}


def measure(*, repetitions: int, quick: bool) -> list[Row]:
    """The default log_every=50 and the worst case, a record of every step.

    Args:
        repetitions: processes of every arm.
        quick: ten runs, to see that everything runs.
    """
    count = 10 if quick else RUNS
    with tempfile.TemporaryDirectory() as name:
        usual, worst = (written(Path(name) / str(every), count=count, log_every=every) for every in (50, 1))
        arms = {
            "usual": partial(seconds, usual, cold=False),
            "worst": partial(seconds, worst, cold=False),
            "usual, cold": partial(seconds, usual, cold=True),
            "worst, cold": partial(seconds, worst, cold=True),
        }
        taken = interleaved(arms, repetitions=repetitions)
    return [
        Row(f"dlcourse runs, {count} runs, log_every=50, indexed", "s", taken["usual"]),
        Row(f"dlcourse runs, {count} runs, log_every=1, indexed", "s", taken["worst"]),
        Row(f"dlcourse runs, {count} runs, log_every=50, no index", "s", taken["usual, cold"]),
        Row(f"dlcourse runs, {count} runs, log_every=1, no index", "s", taken["worst, cold"]),
    ]


def written(runs: Path, *, count: int, log_every: int) -> Path:
    """So many run folders; their metrics are links to one file, which is read as often as copies would be."""
    runs.mkdir()
    config = compose_plainly(CHOICES)
    metrics = runs / "metrics"
    metrics.write_text("".join(f"{json.dumps(line)}\n" for line in history(log_every)), encoding="utf-8")
    data = {split: {"items": 50_000, "sha256": "0" * 64} for split in ("train", "val", "test")}
    moment = "2026-01-01T00:00:00+00:00"
    status = {"state": "done", "exit_code": 0, "began": moment, "started": moment, "changed": moment, "seconds": 600.0}
    for number in range(count):
        folder = runs / f"resnet18-cifar10/2026-01-01_00-00-00-{number:06}"
        folder.mkdir(parents=True)
        told = {**config, "seed": number, "choices": CHOICES}
        (folder / "config.yaml").write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
        (folder / "metrics.jsonl").hardlink_to(metrics)
        for name, value in (("status", status), ("data", data), ("task", {"best": ["accuracy", "max"]})):
            (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    return runs


def history(log_every: int) -> list[dict[str, object]]:
    """The records of one run, with ten classes' numbers in the test's."""
    train = {"loss": 0.6915271282196045, "lr": 0.0004716981132075472, "grad_norm": 0.30843865871429443}
    judged = {
        f"{name}_{mean}": 0.9044684129429892 for name in ("precision", "recall", "f1") for mean in ("macro", "micro")
    }
    judged |= {"accuracy": 0.9032, "loss": 0.24984985096090942}
    lines: list[dict[str, object]] = []
    for step in range(log_every, STEPS + 1, log_every):
        lines.append({"step": step, "epoch": step / 500, "split": "train", "scalars": train})
        if step % (STEPS // VALIDATIONS) == 0:
            lines.append({"step": step, "epoch": step / 500, "split": "val", "scalars": judged})
    finer = {f"recall/{name}": 0.9177747853896651 for name in range(10)}
    return [*lines, {"step": STEPS, "epoch": 20.0, "split": "test", "scalars": {**judged, **finer}}]


def seconds(runs: Path, *, cold: bool) -> float:
    """Seconds of one process that prints the whole table."""
    if cold:
        (runs / INDEX).unlink(missing_ok=True)
    elif not (runs / INDEX).exists():
        seconds(runs, cold=True)
    words = [sys.executable, "-m", "dlcourse", "runs", f"runs={runs}", "limit=0"]
    began = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return time.perf_counter() - began
