"""Runs `dlcourse` in this process and writes down where the time to the first optimizer step goes.

    python startup_probe.py SPAWNED OUT train ...

SPAWNED is the parent's time.monotonic() when it started this process; OUT gets {stage: [wall seconds, CPU seconds]}.
Nothing of the product knows of it: imports are seen through `builtins.__import__`, the stages of a run by putting a
stopwatch around functions once their module is there.
"""

# ruff: noqa: E402
from __future__ import annotations

import time

FIRST_LINE = time.monotonic(), time.process_time()  # before the imports below, which belong to the probe

import builtins
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

IMPORTS = {  # the longest matching name counts
    "dlcourse": "import dlcourse itself",
    "hydra": "import hydra",
    "omegaconf": "import hydra",
    "torch": "import torch",
    "torch._dynamo": "import torch._dynamo, which torch.optim does",
    "torchvision": "import torchvision",
    "torch.utils.tensorboard": "import tensorboard",
    "tensorboard": "import tensorboard",
    "sklearn": "import sklearn",
    "matplotlib": "import matplotlib",
    "rich": "import rich",
}
STAGES = {
    ("dlcourse.run.parts", "assemble"): "model, optimizer, task",
    ("dlcourse.run.prepare", "prepare"): "data",
    ("dlcourse.run.prepare", "write_head"): "head of the run folder",
    ("dlcourse.run.drive", "drive"): "observers",
    ("dlcourse.training.loop", "train_step"): "first step",
}
LAST = "first step"


class Ledger:
    """Wall and CPU seconds of each stage; what a stage has inside of it counts for the inner one alone."""

    def __init__(self, *, spawned: float) -> None:
        wall, cpu = FIRST_LINE
        self.totals: dict[str, list[float]] = {"python": [wall - spawned, cpu]}
        self._open, self._mark = ["command line and config"], (time.monotonic(), time.process_time())

    def enter(self, stage: str) -> None:
        self._book()
        self._open.append(stage)

    def leave(self) -> None:
        self._book()
        self._open.pop()

    def _book(self) -> None:
        now = time.monotonic(), time.process_time()
        spent = self.totals.setdefault(self._open[-1], [0.0, 0.0])
        for place in (0, 1):
            spent[place] += now[place] - self._mark[place]
        self._mark = now


def stage_of(name: str) -> str | None:
    """The stage that importing a module belongs to, None if it is booked where it happens."""
    while name:
        if name in IMPORTS:
            return IMPORTS[name]
        name = name.rpartition(".")[0]
    return None


def watch_imports(ledger: Ledger, *, loaded: Callable[[ModuleType], None]) -> None:
    """Book every import of a module that is not there yet, and tell `loaded` of every module asked for by name."""
    plain = builtins.__import__

    def watched(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        stage = stage_of(name) if level == 0 and name not in sys.modules else None
        if stage is None:
            module = plain(name, globals, locals, fromlist, level)
        else:
            ledger.enter(stage)
            try:
                module = plain(name, globals, locals, fromlist, level)
            finally:
                ledger.leave()
        if level == 0 and name in sys.modules:
            loaded(sys.modules[name])
        return module

    builtins.__import__ = watched


def main(spawned: float, out: Path, argv: list[str]) -> int:
    """Run the command line; the process ends with its first optimizer step."""
    ledger = Ledger(spawned=spawned)
    waiting = dict(STAGES)

    def timed(function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def call(*args: Any, **keywords: Any) -> Any:
            ledger.enter(stage)
            try:
                return function(*args, **keywords)
            finally:
                ledger.leave()
                if stage == LAST:
                    out.write_text(json.dumps(ledger.totals))
                    sys.stdout.flush()
                    os._exit(0)  # no checkpoint, no test: the question is answered

        return call

    def loaded(module: ModuleType) -> None:
        for home, name in [key for key in waiting if key[0] == module.__name__ and hasattr(module, key[1])]:
            setattr(module, name, timed(getattr(module, name), waiting.pop((home, name))))

    watch_imports(ledger, loaded=loaded)
    from dlcourse.cli import main as program

    return program(argv) or 1  # it came to an end without a step


if __name__ == "__main__":
    sys.path.pop(0)  # this folder; its loop.py and table.py are nobody's modules here
    sys.exit(main(float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
