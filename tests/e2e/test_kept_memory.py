"""runtime.allocator changes no result, and runs from before it go on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
import yaml

from dlcourse.cli import main
from dlcourse.folders import RunFolder, all_runs
from dlcourse.results.groups import grouped
from dlcourse.results.record import read_record

SMALL = (
    "model.width=2", "max_steps=4", "batch_size=200", "validate_every=2st", "log_every=1", "runtime.threads=1",
    "runtime.device=cpu",
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcourse.run.drive.show", lambda run, stats: {})


def train(runs: Path, *words: str) -> RunFolder:
    before = set(all_runs(runs))
    assert main(["train", f"runs={runs}", *SMALL, *words]) == 0
    [folder] = set(all_runs(runs)) - before
    return folder


def weights(folder: RunFolder) -> str:
    saved = torch.load(folder.checkpoints / "last.pt", weights_only=True)["model"]
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in saved.values())).hexdigest()


def test_kept_memory_changes_no_bit_and_parts_no_group(tmp_path: Path) -> None:
    kept, given_back = (train(tmp_path, f"runtime.allocator={name}") for name in ("keep", "system"))
    assert kept.metrics.read_bytes() == given_back.metrics.read_bytes()
    assert weights(kept) == weights(given_back)
    records = [read_record(folder, runs=tmp_path) for folder in (kept, given_back)]
    assert len(grouped(records)) == 1


def test_a_run_from_before_the_setting_is_resumed_and_evaluated(tmp_path: Path) -> None:
    whole, old = train(tmp_path), train(tmp_path, "stop_at=2st")
    config = yaml.safe_load(old.config.read_text(encoding="utf-8"))
    assert config["runtime"].pop("allocator") in ("keep", "system")
    old.config.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    assert main(["train", f"resume={old.path}"]) == 0
    assert old.metrics.read_bytes() == whole.metrics.read_bytes()
    assert "allocator" not in yaml.safe_load(old.config.read_text(encoding="utf-8"))["runtime"]
    assert main(["eval", f"run={old.path}"]) == 0
