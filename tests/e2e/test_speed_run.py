"""The speed run in small: whitened frozen filters, alternating flip, mirrored test, and all of it past a kill."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from dlcourse.cli import main
from dlcourse.folders import RunFolder, all_runs
from dlcourse.training.kernels import native
from dlcourse.training.observers.console import Console

SMALL = (
    "experiment=cifar10_cpu", "data=folder", "data.size=16", "data.crop_padding=1", "data.val_fraction=0.2",
    "data.flip=alternating", "data.sizes=[]", "model.widths=[4,6,6]", "batch_size=8", "max_steps=7",
    "checkpoint.every_steps=2", "ema=0.5", "log_every=1", "runtime.threads=1",
)  # fmt: skip


class Killed(BaseException):
    """Ends a run as abruptly as one process can."""


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcourse.run.drive.show", lambda run, stats: {})


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """24 images of 16 pixels in two classes."""
    generator = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(12):
            pixels = generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{number}.png")
    return tmp_path / "images"


def saved(run: RunFolder) -> dict[str, Any]:
    return torch.load(run.checkpoints / "last.pt", weights_only=True)


def records(run: RunFolder) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.metrics.read_text(encoding="utf-8").splitlines()]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.parametrize(
    ("further", "arithmetic"),
    [
        ((), "fp32, channels_last, 1 thread"),
        (("model.widths=[16,32,32]", "runtime.kernels=own"), "fp32, channels_last, own kernels, 1 thread"),
        (("model.widths=[16,32,32]", "runtime.kernels=own", "runtime.threads=2"), "own kernels, 2 threads"),
    ],
)
def test_frozen_filters_outlive_a_kill_and_the_run_ends_on_the_same_bits(
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    further: tuple[str, ...],
    arithmetic: str,
) -> None:
    if "runtime.kernels=own" in further and not native.compiler():
        pytest.skip("no C++ compiler here")
    words = (*SMALL, f"data.root={images}", "runtime.precision=fp32", *further)
    assert main(["train", f"runs={tmp_path / 'straight'}", *words]) == 0
    said = capsys.readouterr().out
    assert "init: 24 filters from the patches of" in said and arithmetic in said
    [straight] = all_runs(tmp_path / "straight")

    def die(self: Console, event: Any) -> None:
        if event.step == 5:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Console, "__call__", die)
        with pytest.raises(Killed):
            main(["train", f"runs={tmp_path / 'killed'}", *words])
    [killed] = all_runs(tmp_path / "killed")
    before = saved(killed)
    assert 0 < before["step"] < 7
    capsys.readouterr()
    assert main(["train", f"resume={killed.path}"]) == 0
    assert "filters from" not in capsys.readouterr().out

    whole, resumed = saved(straight), saved(killed)
    for part in ("step", "model", "ema", "optimizer", "scheduler", "losses", "best"):
        assert same(whole[part], resumed[part]), part
    assert straight.metrics.read_bytes() == killed.metrics.read_bytes()
    filters = before["model"]["whiten.weight"]
    torch.testing.assert_close(filters[:12], -filters[12:], rtol=0, atol=0)
    for weights in (resumed["model"], resumed["ema"]):
        assert torch.equal(weights["whiten.weight"], filters)
    assert not torch.equal(resumed["model"]["head.weight"], before["model"]["head.weight"])


def test_the_mean_with_mirror_images_stands_beside_the_test_numbers_alone(images: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    assert main(["train", f"runs={runs}", *SMALL, f"data.root={images}"]) == 0
    [run] = all_runs(runs)
    extra = {"loss_mirrored", "accuracy_mirrored"}
    seen = {record["split"]: extra & record["scalars"].keys() for record in records(run)}
    assert seen["test"] == extra and not seen["val"] and not seen["train"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("data.flip=sometimes", "data.flip must be true, false or alternating, not 'sometimes'"),
        ("task.mirror=2", "task.mirror must be true or false, not 2"),
        ("model.widths=[4,4]", "model.widths must be three numbers of channels, each at least 1, not [4, 4]"),
    ],
)
def test_what_cannot_be_is_said_before_any_work(word: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "experiment=cifar10_cpu", word]) == 2
    assert f"dlcourse: {message}" in capsys.readouterr().err


def test_texts_have_no_mirror_images(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["model=bigru_attention", "data=reviews_toy", "task=text_classification", "task.mirror=true"]
    assert main(["train", *words]) == 2
    assert "task.mirror: TextClassification takes no such argument" in capsys.readouterr().err


def test_a_size_that_the_model_cannot_take_is_told_before_the_first_step(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (*SMALL, f"data.root={images}", f"runs={tmp_path / 'runs'}")
    assert main(["train", *words, "data.sizes=[6]"]) == 2
    assert "cannot take a training step on this data" in capsys.readouterr().err
    assert main(["train", *words, "data.sizes=[10]", "test=false"]) == 0


def test_the_run_that_another_starts_from_is_kept_by_its_full_name(images: Path, tmp_path: Path) -> None:
    words = (*SMALL, f"data.root={images}", f"runs={tmp_path / 'runs'}", "max_steps=2", "test=false")
    assert main(["train", *words]) == 0
    [first] = all_runs(tmp_path / "runs")
    assert main(["train", *words, "init=from_run", "init.run=latest"]) == 0
    [second] = [run for run in all_runs(tmp_path / "runs") if run.path != first.path]
    kept = yaml.safe_load(second.config.read_text(encoding="utf-8"))["init"]
    assert kept["run"] == first.path.relative_to(tmp_path / "runs").as_posix()
    shutil.rmtree(first.path)  # a run that has begun needs it no more
    assert main(["train", f"resume={second.path}", "max_steps=3"]) == 0
    assert yaml.safe_load(second.config.read_text(encoding="utf-8"))["init"] == kept
