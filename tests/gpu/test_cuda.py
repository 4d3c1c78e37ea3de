"""What only a GPU can show: fp16 and bf16 there, exact resume in deterministic mode, the CPU's crops."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from dlcourse.cli import main
from dlcourse.data.augment import Augmentation, augment
from dlcourse.data.base import Draw
from dlcourse.folders import RunFolder, all_runs

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

WORDS = ("model.width=8", "max_steps=12", "validate_every=6st", "log_every=3", "checkpoint.every_steps=3")


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcourse.run.drive.show", lambda run, stats: {})


def train(runs: Path, *words: str) -> RunFolder:
    assert main(["train", f"runs={runs}", *WORDS, "runtime.device=cuda", *words]) == 0
    [folder] = all_runs(runs)
    return folder


def weights(folder: RunFolder) -> str:
    saved = torch.load(folder.checkpoints / "last.pt", weights_only=True)
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in saved["model"].values())).hexdigest()


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_it_trains_on_the_gpu(precision: str, tmp_path: Path) -> None:
    folder = train(tmp_path, f"runtime.precision={precision}", "max_steps=40", "validate_every=20st")
    losses = [record["scalars"]["loss"] for record in folder.records() if record["split"] == "train"]
    assert losses[-1] < losses[0]
    scales = [record["scalars"].get("loss_scale") for record in folder.records() if record["split"] == "train"]
    assert all(scale is not None for scale in scales) == (precision == "fp16")
    assert main(["eval", str(folder.path)]) == 0


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_a_resumed_run_is_exact_in_deterministic_mode(precision: str, tmp_path: Path) -> None:
    words = (f"runtime.precision={precision}", "runtime.deterministic=true", "ema=0.9", "accumulate=2")
    straight = train(tmp_path / "straight", *words, "scheduler=constant")
    folder = train(tmp_path / "short", *words, "scheduler=constant", "max_steps=6")
    assert main(["train", f"resume={folder.path}", "max_steps=12"]) == 0
    assert weights(folder) == weights(straight)
    assert [json.dumps(record) for record in folder.records()] == [json.dumps(record) for record in straight.records()]


def test_the_gpu_sees_the_same_crops_as_the_cpu() -> None:
    images = torch.randint(0, 256, (64, 32, 32, 3), dtype=torch.uint8)
    indices, fill = torch.arange(64) * 7, torch.tensor([1, 2, 3], dtype=torch.uint8)
    augmentation = Augmentation(crop_padding=4, flip=True, cutout=8)
    here = augment(images, indices, augmentation=augmentation, draw=Draw(1, 2), fill=fill)
    there = augment(images.cuda(), indices.cuda(), augmentation=augmentation, draw=Draw(1, 2), fill=fill.cuda())
    assert torch.equal(here, there.cpu())
