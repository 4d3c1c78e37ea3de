"""What tests of sweeps share: trainings that are faked, sweeps as processes of their own, and what they left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import dlcourse
from dlcourse.sweep import trial
from dlcourse.sweep.drive import home
from dlcourse.sweep.journal import NAME

FAKE = Path(__file__).with_name("fake_training.py")
BASE = ("model=resnet18", "data=digits", "max_steps=4")
PATIENCE = 30  # seconds after which a test that waits has failed


def fake(monkeypatch: pytest.MonkeyPatch, folder: Path, *, step: float = 0.01) -> None:
    """Work in a folder, where trainings are faked and each of their steps takes so many seconds."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(trial, "PROGRAM", ("-S", "-E", str(FAKE)))
    monkeypatch.setenv("FAKE_STEP", str(step))


def lives() -> list[str]:
    """What the trainings noted: a line where one began, saved, stopped or was done."""
    return Path("runs/lives.txt").read_text().splitlines()


def done() -> Counter[str]:
    """How often each run came to its end."""
    return Counter(line.split()[0] for line in lives() if line.endswith(" done"))


def place(name: str = "lr") -> Path:
    """The journal of a sweep."""
    return home(Path("runs"), name) / NAME


def journal(name: str = "lr") -> list[dict[str, Any]]:
    """What a sweep noted."""
    return [json.loads(line) for line in place(name).read_text().splitlines()]


def begin(*words: str, step: float) -> subprocess.Popen[str]:
    """A sweep of these words as a process of its own, with the trainings faked there too."""
    program = (
        "import sys; from dlcourse.sweep import trial; from dlcourse.cli import main\n"
        f"trial.PROGRAM = {trial.PROGRAM!r}; sys.exit(main(['sweep', *sys.argv[1:]]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(dlcourse.__file__).parents[1]), "FAKE_STEP": str(step)}
    return subprocess.Popen(
        [sys.executable, "-c", program, *words],
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def wait(holds: Callable[[], bool]) -> None:
    """Go on as soon as it holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.005)


def begun(count: int = 1) -> Callable[[], bool]:
    """Whether so many trainings have begun or gone on."""
    return lambda: Path("runs/lives.txt").exists() and sum(" from " in line for line in lives()) >= count
