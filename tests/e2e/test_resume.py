"""A run that was killed and taken up ends on the same bytes as one that never stopped."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import dlcourse
from dlcourse.cli import main
from dlcourse.folders import RunFolder, all_runs
from dlcourse.training.observers.console import Console
from dlcourse.training.runtime import Runtime

SMALL = (
    "model.width=2", "max_steps=12", "batch_size=200", "validate_every=4st", "checkpoint.every_steps=3", "log_every=2",
    "runtime.threads=1",
)  # fmt: skip
EVERYTHING = ("runtime.precision=bf16", "ema=0.95", "accumulate=3", "data.cutout=2", "data.flip=true", "clip_norm=1")
CASES = {
    "everything": EVERYTHING,
    "fp16": ("runtime.precision=fp16", "optimizer=adam"),
    "early stopping": ("early_stop.patience=1", "early_stop.min_delta=0.5"),
    "skipping": ("on_nonfinite=skip", "clip_value=0.1"),
    "adam, constant": ("optimizer=adam", "scheduler=constant", "runtime.precision=fp32"),
    "adamw, cosine": ("optimizer=adamw", "scheduler=cosine"),
    "rmsprop, onecycle": ("optimizer=rmsprop", "scheduler=onecycle", "optimizer.momentum=0.5"),
    "sgd, multistep": ("scheduler=multistep", "scheduler.warmup=2st"),
    "sgd, plateau": ("scheduler=plateau", "scheduler.patience=0", "scheduler.min_delta=1.0"),
    "sgd, step": ("scheduler=step", "scheduler.every=3st"),
}


class Killed(BaseException):
    """Ends a run as abruptly as one process can: nothing catches it, nothing is saved."""


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcourse.run.drive.show", lambda run, stats: {})


def train(runs: Path, *words: str) -> RunFolder:
    assert main(["train", f"runs={runs}", *SMALL, *words]) == 0
    [folder] = all_runs(runs)
    return folder


def dies(*words: str) -> None:
    with pytest.raises(Killed):
        main(["train", *words])


def kill(runs: Path, *words: str, at: int, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run that dies when step `at` is done and its records are written."""

    def die(self: Console, event: Any) -> None:
        if event.step == at:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Console, "__call__", die)
        dies(f"runs={runs}", *(words if words and words[0].startswith("resume=") else (*SMALL, *words)))
    [folder] = all_runs(runs)
    return folder


def resume(folder: RunFolder, *words: str) -> None:
    assert main(["train", f"resume={folder.path}", *words]) == 0


def digest(value: Any) -> str:
    """SHA-256 of tensors and plain data, whatever they are nested in."""
    if isinstance(value, torch.Tensor):
        data = value.detach().contiguous().view(-1).view(torch.uint8) if value.numel() else value
        return hashlib.sha256(repr((value.dtype, tuple(value.shape))).encode() + data.numpy().tobytes()).hexdigest()
    if isinstance(value, dict):
        return hashlib.sha256(repr([(key, digest(item)) for key, item in value.items()]).encode()).hexdigest()
    if isinstance(value, list | tuple):
        return hashlib.sha256(repr([digest(item) for item in value]).encode()).hexdigest()
    return hashlib.sha256(repr(value).encode()).hexdigest()


def left(folder: RunFolder) -> dict[str, str]:
    """What has to be equal, part by part."""
    found = {"metrics": hashlib.sha256(folder.metrics.read_bytes()).hexdigest()}
    for name in ("last", "best"):
        saved = torch.load(folder.checkpoints / f"{name}.pt", weights_only=True)
        parts = ("step", "model", "ema", "optimizer", "scheduler", "scaler", "losses", "best", "skipped")
        found |= {f"{name}.{part}": digest(saved[part]) for part in parts}
        found[f"{name}.history"] = str(saved["history_bytes"][0])
    return found


@pytest.mark.parametrize("case", sorted(CASES))
def test_a_killed_run_ends_on_the_same_bytes(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = CASES[case]
    straight = train(tmp_path / "straight", *words)
    stop = 4 if case == "early stopping" else 8  # past a checkpoint, after records that have to be cut off
    folder = kill(tmp_path / "killed", *words, at=stop, monkeypatch=monkeypatch)
    resume(folder)
    assert left(folder) == left(straight)


def test_a_run_killed_at_any_step_and_again_and_again_ends_on_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = train(tmp_path / "straight", *EVERYTHING)
    folder = kill(tmp_path / "killed", *EVERYTHING, at=1, monkeypatch=monkeypatch)
    assert not list(folder.checkpoints.glob("*.pt"))  # it starts at step 0 in its own folder
    for at in (4, 5, 10, 12):
        kill(tmp_path / "killed", f"resume={folder.path}", at=at, monkeypatch=monkeypatch)
    resume(folder)
    assert left(folder) == left(straight)


def test_a_run_killed_between_two_micro_batches_ends_on_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = train(tmp_path / "straight", *EVERYTHING)
    seed = Runtime.seed

    def die(self: Runtime, *numbers: int) -> None:
        if numbers[1:] == (7, 1):
            raise Killed
        seed(self, *numbers)

    with monkeypatch.context() as patch:
        patch.setattr(Runtime, "seed", die)
        dies(f"runs={tmp_path / 'killed'}", *SMALL, *EVERYTHING)
    [folder] = all_runs(tmp_path / "killed")
    resume(folder)
    assert left(folder) == left(straight)


@pytest.mark.parametrize("stop_at", [1, 2, 3, 4])
def test_a_run_killed_while_it_writes_a_checkpoint_ends_on_the_same_bytes(
    stop_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = train(tmp_path / "straight")
    rename, calls = os.replace, 0

    def die(source: Path, target: Path) -> None:
        nonlocal calls
        if Path(target).suffix == ".pt" and (tmp_path / "killed").exists():
            calls += any((tmp_path / "killed").rglob("previous.pt"))
            if calls == stop_at:
                raise Killed
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", die)
        dies(f"runs={tmp_path / 'killed'}", *SMALL)
    [folder] = all_runs(tmp_path / "killed")
    resume(folder)
    assert left(folder) == left(straight)


def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_it_leads_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    straight = train(tmp_path / "straight")
    folder = kill(tmp_path / "killed", at=8, monkeypatch=monkeypatch)
    last = folder.checkpoints / "last.pt"
    last.write_bytes(last.read_bytes()[:1000])
    capsys.readouterr()
    resume(folder)
    assert f"{last}: damaged" in capsys.readouterr().out
    assert left(folder) == left(straight)


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(dlcourse.__file__).parents[1])}


def start(runs: Path, *words: str) -> tuple[subprocess.Popen[str], RunFolder]:
    """A process of its own that has made a few steps."""
    command = [sys.executable, "-m", "dlcourse", "train", f"runs={runs}", *SMALL, "max_steps=100000", *words]
    process = subprocess.Popen(command, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: any(folder.timing.exists() and folder.timing.stat().st_size for folder in all_runs(runs)), process)
    [folder] = all_runs(runs)
    return process, folder


def wait_for(condition: Any, process: Any) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        if isinstance(process, subprocess.Popen):
            assert process.poll() is None, process.communicate()
        else:
            assert process.is_alive()
        time.sleep(0.01)


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)],
)
def test_a_signal_saves_and_ends_with_the_code_that_a_shell_expects(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    process, folder = start(tmp_path)
    process.send_signal(number)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert f"stopped by {number.name} after step" in out
    assert f"train resume={folder.path}" in out
    assert (folder.read_status()["state"], folder.read_status()["exit_code"]) == ("interrupted", code)
    saved = torch.load(folder.checkpoints / "last.pt", weights_only=True)
    assert f"after step {saved['step']};" in out


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="SIGUSR1")
def test_sigusr1_saves_and_goes_on(tmp_path: Path) -> None:
    process, folder = start(tmp_path, "checkpoint.every_steps=null", "validate_every=100%")
    assert not list(folder.checkpoints.glob("*.pt"))
    process.send_signal(signal.SIGUSR1)
    wait_for((folder.checkpoints / "last.pt").exists, process)
    process.terminate()
    assert process.wait(60) == 143


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="forkserver")
@pytest.mark.parametrize("seed", range(2))
def test_a_run_killed_by_the_system_at_a_random_moment_ends_on_the_same_bytes(seed: int, tmp_path: Path) -> None:
    words = (*EVERYTHING, "max_steps=60", "log_every=1")
    straight = train(tmp_path / "straight", *words)
    chance = random.Random(seed)
    server = multiprocessing.get_context("forkserver")  # its children need not import torch again
    server.set_forkserver_preload(["dlcourse.run.drive", "dlcourse.tasks.classification", "dlcourse.models.resnet"])
    runs = tmp_path / "killed"
    arguments = ["train", f"runs={runs}", *SMALL, *words]
    for _ in range(3):
        process = server.Process(target=main, args=(arguments,))
        process.start()
        wait_for(lambda: any(folder.timing.exists() for folder in all_runs(runs)), process)
        time.sleep(chance.uniform(0, 1.0))
        process.kill()
        process.join()
        [folder] = all_runs(runs)
        arguments = ["train", f"resume={folder.path}"]
    resume(folder)
    assert left(folder) == left(straight)
