"""The table over seeds: means and spread by hand, and what is said of runs that cannot be compared."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import seeds


def write_run(folder: Path, *, seed: int, accuracy: float, words: str = "epochs=1", tested: bool = True) -> Path:
    folder.mkdir(parents=True)
    parts = [("val", accuracy + 0.1), ("val", accuracy), *([("test", accuracy)] if tested else [])]
    records = [
        {"step": 5 * number, "epoch": 1.0, "split": split, "scalars": {"accuracy": value}}
        for number, (split, value) in enumerate(parts, 1)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    machine = {"peak_memory_bytes": 7.0, "seconds": 1.5, "cpu_seconds": 2.5}
    timing = [
        {"step": 5 * number, "epoch": 1.0, "split": split, "timing": machine}
        for number, split in enumerate(("train", "val", "train"), 1)
    ]
    (folder / "timing.jsonl").write_text("".join(json.dumps(line) + "\n" for line in timing))
    (folder / "config.yaml").write_text(f"seed: {seed}\n")
    (folder / "overrides.txt").write_text(f"{words}\nseed={seed}\ndata.root=/a\n")
    (folder / "environment.json").write_text(json.dumps({"processor": "abacus", "threads": 1, "torch": "2.6"}))
    moments = {"started": "2026-01-01T00:00:00+00:00", "changed": "2026-01-01T00:03:00+00:00"}
    (folder / "status.json").write_text(json.dumps(moments))
    return folder


def test_mean_and_spread_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(write_run(tmp_path / "a-b" / str(seed), seed=seed, accuracy=0.5 + seed / 10)) for seed in (1, 2, 3)]
    assert seeds.main([*runs, "--result", str(tmp_path / "out.json")]) == 0
    assert "| mean ± sd | 0.8000 ± 0.1000 | 0.7000 ± 0.1000 | |" in capsys.readouterr().out
    kept = json.loads((tmp_path / "out.json").read_text())
    assert kept["mean"]["test"]["accuracy"] == pytest.approx({"mean": 0.7, "sd": 0.1, "n": 3})
    first = kept["runs"][0]
    assert (first["seed"], first["minutes"], first["words"]) == (1, 3.0, ["epochs=1"])
    assert first["peak_memory_bytes"] == 7.0
    assert (first["training_seconds"], first["training_cpu_seconds"]) == (3.0, 5.0)


def test_other_experiments_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = write_run(tmp_path / "a-b" / "1", seed=1, accuracy=0.5)
    other = write_run(tmp_path / "a-b" / "2", seed=2, accuracy=0.5, words="epochs=2")
    assert seeds.main([str(one), str(other)]) == 0
    assert "differ in more than their seed" in capsys.readouterr().out


def test_a_run_that_was_not_tested_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "a-b" / "1", seed=1, accuracy=0.5, tested=False)
    assert seeds.main([str(run)]) == 2
    assert "was not tested" in capsys.readouterr().err
