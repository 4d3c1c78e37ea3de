"""A sweep with real trainings: killed with its training it loses nothing, a fault is noted, Ctrl-C lets it save."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import dlcourse
from dlcourse.cli import main
from dlcourse.folders import RunFolder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and locks")
TINY = (
    "model=resnet18", "data=digits", "model.width=2", "batch_size=200", "runtime.threads=1", "validate_every=10st",
    "checkpoint.every_steps=1", "test=false", "name=tiny",
)  # fmt: skip
FIRST = RunFolder(Path("runs/resnet18-digits/tiny-000-seed1"))


def begin(*words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(dlcourse.__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-m", "dlcourse", "sweep", *TINY, *words],
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def wait(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def saved() -> int:
    step: int = torch.load(FIRST.checkpoints / "last.pt", weights_only=True)["step"]
    return step


def test_killed_with_its_training_it_goes_on_from_the_checkpoint_and_skips_what_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("max_steps=60", "optimizer.lr=0.01,-1")
    process = begin(*words)
    wait((FIRST.checkpoints / "last.pt").exists)
    process.kill()
    os.kill(FIRST.read_status()["pid"], signal.SIGKILL)
    process.communicate()
    wait(lambda: FIRST.read_status()["state"] == "running")
    assert 0 < saved() < 60

    assert main(["sweep", *TINY, *words]) == 1
    out = capsys.readouterr().out
    assert "[2/2]" in out
    assert "1 trial failed (retry=true tries again):\n  optimizer.lr=-1 seed=1: exit code 2: optimizer.lr" in out
    assert "chosen on validation: dlcourse train" in out
    lines = (FIRST.path.parents[1] / "sweeps" / "tiny" / "journal.jsonl").read_text().splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert (kinds.count("began"), kinds.count("ended")) == (3, 2)

    assert main(["train", *TINY[:-1], "max_steps=60", "optimizer.lr=0.01", "run=straight"]) == 0
    assert FIRST.metrics.read_bytes() == Path("straight/metrics.jsonl").read_bytes()


@pytest.mark.slow
def test_ctrl_c_lets_the_training_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    process = begin("max_steps=100000", "seeds=3")
    wait((FIRST.checkpoints / "last.pt").exists)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "stopped by SIGINT; go on with:\n  dlcourse sweep model=resnet18 data=digits" in out
    assert FIRST.read_status()["state"] == "interrupted"
    assert saved() > 0
