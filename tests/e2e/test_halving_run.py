"""Halving with real trainings: who comes to the end is, to the last bit, what it would have been alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
import yaml

from dlcourse.cli import main
from dlcourse.folders import RunFolder

TINY = (
    "model=resnet18", "data=digits", "model.width=2", "batch_size=200", "runtime.threads=1", "max_steps=8",
    "validate_every=2st", "log_every=3",
)  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dlcourse.run.drive.show", no_figures)


def no_figures(run: object, stats: object) -> dict[str, object]:
    return {}


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    return torch.load(folder.checkpoints / "last.pt", weights_only=True)["model"]


def same(one: RunFolder, other: RunFolder) -> bool:
    ours, theirs = weights(one), weights(other)
    return (
        one.metrics.read_bytes() == other.metrics.read_bytes()
        and ours.keys() == theirs.keys()
        and all(torch.equal(ours[name], theirs[name]) for name in ours)
    )


def test_a_run_stops_where_it_is_told_and_goes_on_as_if_it_had_not(capsys: pytest.CaptureFixture[str]) -> None:
    straight, broken = RunFolder(Path("straight")), RunFolder(Path("broken"))
    assert main(["train", *TINY, "run=straight"]) == 0
    capsys.readouterr()
    assert main(["train", *TINY, "run=broken", "stop_at=3st"]) == 0
    out = capsys.readouterr().out
    assert out.endswith("stopped by stop_at after step 3; go on with:\n  dlcourse train resume=broken\n")
    status = broken.read_status()
    assert (status["state"], status["exit_code"]) == ("interrupted", 0)
    assert not broken.predictions.exists()
    assert {record["split"] for record in broken.records()} == {"train", "val"}

    assert main(["train", "resume=broken", "stop_at=50%"]) == 0
    assert "stopped by stop_at after step 4" in capsys.readouterr().out
    assert main(["train", "resume=broken", "stop_at=4st"]) == 0  # it is there
    assert "stopped by stop_at after step 4" in capsys.readouterr().out
    assert main(["train", "resume=broken"]) == 0
    assert "bit for bit" not in capsys.readouterr().out
    assert broken.read_status()["state"] == "done"
    assert yaml.safe_load(broken.config.read_text())["stop_at"] is None
    assert broken.predictions.exists()
    assert same(straight, broken)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals and locks")
def test_the_arm_that_comes_to_the_end_is_what_it_would_have_been_alone(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("optimizer.lr=0.0001,0.03", "halving=2", "rungs=4st", "name=tiny")
    assert main(["sweep", *TINY, *words]) == 0
    out = capsys.readouterr().out
    assert "halving: 2 to 4st, 1 to the end" in out
    assert "chosen on validation: dlcourse train" in out
    first, second = (RunFolder(Path(f"runs/resnet18-digits/tiny-00{arm}-seed1")) for arm in (0, 1))
    states = {folder: folder.read_status()["state"] for folder in (first, second)}
    assert sorted(states.values()) == ["done", "interrupted"]
    [best] = [folder for folder, state in states.items() if state == "done"]
    rate = yaml.safe_load(best.config.read_text())["optimizer"]["lr"]
    assert main(["train", *TINY, f"optimizer.lr={rate}", "run=straight"]) == 0
    assert same(best, RunFolder(Path("straight")))
