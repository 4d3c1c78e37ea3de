"""Memory that runs out says what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from dlcourse.cli import main
from dlcourse.folders import all_runs
from dlcourse.training import loop

SMALL = ("model.width=2", "max_steps=8", "validate_every=3st", "runtime.threads=1", "batch_size=200", "accumulate=2")


def test_memory_that_runs_out_names_the_batch_size_and_says_accumulate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = loop.train_step

    def greedy(*args: Any, **rest: Any) -> Any:
        if rest["state"].step == 5:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return step(*args, **rest)

    monkeypatch.setattr(loop, "train_step", greedy)
    monkeypatch.setattr("dlcourse.run.drive.show", lambda run, stats: {})
    assert main(["train", f"runs={tmp_path}", *SMALL]) == 1
    errors = capsys.readouterr().err
    assert "memory ran out at step 6 with batch_size=200 in 2 parts; say accumulate=4" in errors
    [folder] = all_runs(tmp_path)
    assert folder.read_status()["state"] == "failed"
    assert torch.load(folder.checkpoints / "last.pt", weights_only=True)["step"] == 3
