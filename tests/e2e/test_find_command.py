"""`dlcourse find` on real digits: the words to type, the files in the folder that was named, and nothing elsewhere."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dlcourse.cli import main

TINY = ("model.width=4", "data=digits", "batch_size=64", "runtime.threads=1", "runtime.precision=fp32")


def test_a_learning_rate_is_found_and_nothing_else_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["find", "lr", *TINY, "min=1e-3", "max=10", "steps=70", "seeds=2", "out=kept"]) == 0
    out = capsys.readouterr().out
    [word] = [line for line in out.splitlines() if line.startswith("optimizer.lr=")]
    assert 0.001 <= float(word.partition("=")[2]) <= 1
    assert "seed 1: " in out and "seed 2: " in out and "rule of thumb" in out and "^ " in out
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["kept", "lr.csv", "lr.png"]
    rows = list(csv.DictReader((tmp_path / "kept" / "lr.csv").open(encoding="utf-8")))
    assert list(rows[0]) == ["lr", "loss_seed_1", "loss_seed_2", "smoothed"]
    assert float(rows[0]["lr"]) == 0.001 and len(rows) <= 70


def test_rates_that_are_all_too_low_give_no_suggestion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["find", "lr", *TINY, "min=1e-9", "max=1e-8", "steps=20", "seeds=1"]) == 1
    out = capsys.readouterr().out
    assert "no suggestion: the loss never fell" in out and "\noptimizer.lr=" not in out
    assert list(tmp_path.iterdir()) == []


def test_batch_sizes_are_measured_up_to_the_largest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [word for word in TINY if not word.startswith("batch_size=")]
    monkeypatch.setattr("dlcourse.run.batch_sizes.ENOUGH", 0.0)
    assert main(["find", "batch_size", *words, "max=24", "out=kept"]) == 0
    out = capsys.readouterr().out
    assert "24 is the largest that was tried and fits: max= or the training split ends there" in out
    assert "\nbatch_size=" in out and "accumulate=4" in out
    rows = list(csv.DictReader((tmp_path / "kept" / "batch_size.csv").open(encoding="utf-8")))
    assert [int(row["batch_size"]) for row in rows] == [2, 4, 8, 16, 24]
    assert all(float(row["samples_per_second"]) > 0 and int(row["peak_memory_bytes"]) > 0 for row in rows)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["batch_size.csv", "batch_size.png", "kept"]
