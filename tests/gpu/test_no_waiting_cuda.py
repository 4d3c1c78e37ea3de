"""Between two records no training step makes the host wait for the GPU; torch raises where one does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dlcourse.cli import main
from dlcourse.training import loop

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

WARM = 3
"""Steps that may wait: tables, momentum and the choice of algorithms are made in them."""
WORDS = ("max_steps=12", "log_every=6", "validate_every=12st", "test=false", "runtime.device=cuda")
FOLDER = ("data=folder", "data.size=32", "data.val_fraction=0.2", "batch_size=16")
SMALL = ("data=digits", "model=resnet18", "model.width=8", "batch_size=32")


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcourse.run.drive.show", lambda run, stats: {})


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps that ran under torch's check: none of the first, none with a record, those raise where they wait."""
    steps: list[int] = []
    step = loop.train_step

    def careful(*args: Any, **named: Any) -> loop.Made:
        number = named["state"].step
        if number < WARM or named["plan"].is_record_due(number + 1):
            return step(*args, **named)
        steps.append(number)
        torch.cuda.set_sync_debug_mode("error")
        try:
            return step(*args, **named)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(loop, "train_step", careful)
    return steps


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> str:
    """80 images of 32 pixels in two classes, as a word of the command line."""
    folder, generator = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir()
        for number in range(40):
            pixels = generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return f"data.root={folder}"


@pytest.mark.parametrize(
    "words",
    [
        (*SMALL, "runtime.precision=fp32", "clip_norm=1", "ema=0.9"),
        (*SMALL, "runtime.precision=bf16", "accumulate=2", "optimizer=adamw", "task.label_smoothing=0.1"),
        (*SMALL, "runtime.precision=bf16", "task.mixup=0.2", "task.cutmix=1", "data.cutout=2"),
        ("data=reviews_toy", "model=bigru_attention", "task=text_classification", "batch_size=8"),
        ("data=poems_toy", "model=poetry_lstm", "task=poetry", "batch_size=8"),
    ],
    ids=["fp32", "bf16", "mixed", "texts", "poems"],
)
def test_a_step_between_two_records_does_not_wait(words: tuple[str, ...], tmp_path: Path, checked: list[int]) -> None:
    assert main(["train", f"runs={tmp_path}", *words, *WORDS]) == 0
    assert checked == [3, 4, 6, 7, 8, 9, 10]


@pytest.mark.parametrize("name", ["cifar10_94", "resnet18_cifar10"])
def test_the_experiments_for_a_gpu_do_not_wait(name: str, images: str, tmp_path: Path, checked: list[int]) -> None:
    assert main(["train", f"runs={tmp_path}", f"experiment={name}", *FOLDER, images, *WORDS]) == 0
    assert checked == [3, 4, 6, 7, 8, 9, 10]


@pytest.mark.parametrize("word", ["runtime.precision=fp16", "on_nonfinite=skip"])
def test_what_reads_each_step_is_found(word: str, tmp_path: Path, checked: list[int]) -> None:
    with pytest.raises(RuntimeError, match="synchronizing"):
        main(["train", f"runs={tmp_path}", *SMALL, *WORDS, word])
    assert len(checked) == 1
