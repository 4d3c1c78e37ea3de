"""Told to stop at any moment, a run saves within its step, a sweep says what is missing, and both can go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import dlcourse
from dlcourse.cli import main
from dlcourse.folders import RunFolder, all_runs, held
from dlcourse.training import loop
from dlcourse.training.observers.console import Console
from dlcourse.training.runtime import Runtime

SMALL = ("model.width=2", "max_steps=12", "validate_every=4st", "log_every=2", "runtime.threads=1", "batch_size=200")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals")


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcourse.run.drive.show", lambda run, stats: {})


def train(*words: str) -> int:
    """The exit code, however the program leaves."""
    try:
        return main(["train", *words])
    except SystemExit as left:
        return int(left.code or 0)


def at_step(monkeypatch: pytest.MonkeyPatch, step: int, act: Callable[[], None]) -> None:
    """Call `act` in the middle of the computation of `step`, counted from 1."""
    seed = Runtime.seed

    def seeded(self: Runtime, *numbers: int) -> None:
        if numbers[1:] == (step - 1, 0):
            act()
        seed(self, *numbers)

    monkeypatch.setattr(Runtime, "seed", seeded)


def only(runs: Path) -> RunFolder:
    [folder] = all_runs(runs)
    return folder


def curves(folder: RunFolder) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard draws of a run, without what the machine decides."""
    accumulator = EventAccumulator(str(folder.path))
    accumulator.Reload()
    machine = ("samples_per_second", "peak_memory_bytes")
    tags = [tag for tag in accumulator.Tags()["scalars"] if not tag.endswith(machine)]
    return {tag: [(event.step, event.value) for event in accumulator.Scalars(tag)] for tag in tags}


def steps_of(folder: RunFolder) -> int:
    saved: int = torch.load(folder.checkpoints / "last.pt", weights_only=True)["step"]
    return saved


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_in_the_middle_of_a_step_saves_at_its_end(
    number: signal.Signals, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = tmp_path / "straight"
    assert train(f"runs={straight}", *SMALL) == 0
    with monkeypatch.context() as patch:
        at_step(patch, 7, lambda: os.kill(os.getpid(), number))
        assert train(f"runs={tmp_path / 'told'}", *SMALL) == code
    folder = only(tmp_path / "told")
    assert steps_of(folder) == 7
    assert train(f"runs={tmp_path / 'told'}", "resume=latest") == 0
    assert folder.metrics.read_bytes() == only(straight).metrics.read_bytes()
    assert curves(folder) == curves(only(straight))


def test_a_signal_while_validating_waits_for_no_more_than_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate, calls = loop.evaluate, 0

    def told(task: Any, *args: Any, **rest: Any) -> Any:
        nonlocal calls
        calls += 1
        os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(task, *args, **rest)

    monkeypatch.setattr(loop, "evaluate", told)
    assert train(f"runs={tmp_path}", *SMALL) == 143
    assert (calls, steps_of(only(tmp_path))) == (1, 4)
    assert not [record for record in only(tmp_path).records() if record["split"] == "val"]


def test_a_second_ctrl_c_stops_at_once_without_saving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        at_step(patch, 7, twice)
        assert train(f"runs={tmp_path}", *SMALL) == 130
    assert steps_of(only(tmp_path)) == 4  # the checkpoint of the validation before it
    assert only(tmp_path).read_status()["state"] == "interrupted"
    assert train(f"runs={tmp_path}", "resume=latest") == 0


def test_sigusr1_saves_at_the_end_of_the_step_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    watch = Console.__call__

    def look(self: Console, event: Any) -> None:
        last = only(tmp_path).checkpoints / "last.pt"
        seen.append(steps_of(only(tmp_path)) if last.exists() else 0)
        watch(self, event)

    monkeypatch.setattr(Console, "__call__", look)
    at_step(monkeypatch, 7, lambda: os.kill(os.getpid(), signal.SIGUSR1))
    assert train(f"runs={tmp_path}", *SMALL) == 0
    assert list(dict.fromkeys(seen)) == [0, 4, 7, 8, 12]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_sweep_and_the_jobs_that_never_began_are_named(
    number: signal.Signals,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    at_step(monkeypatch, 3, lambda: os.kill(os.getpid(), number))
    assert train("-m", f"runs={tmp_path}", *SMALL, "seed=1,2", "ema=0,0.9") == code
    errors = capsys.readouterr().err
    assert "the sweep was stopped after 1 of 4 jobs had begun" in errors
    assert errors.count("never began") == 3
    assert "job 3 never began: " in errors
    assert "seed=2 ema=0.9" in errors
    assert steps_of(only(tmp_path)) == 3


def test_two_processes_cannot_train_in_the_same_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(f"runs={tmp_path}", *SMALL) == 0
    folder = only(tmp_path)
    before = folder.metrics.read_bytes()
    program = (
        "import sys, pathlib; from dlcourse.folders import RunFolder, held\n"
        "with held(RunFolder(pathlib.Path(sys.argv[1]))): print('held', flush=True); sys.stdin.read()"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(dlcourse.__file__).parents[1])}
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder.path)],
        env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as other:  # fmt: skip
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        assert train(f"resume={folder.path}", "max_steps=20") == 2
        assert f"process {os.getpid()} on " in capsys.readouterr().err
        assert folder.metrics.read_bytes() == before
        other.kill()  # whoever is dead holds nothing, whatever status.json says
    assert train(f"resume={folder.path}") == 0


def test_a_folder_is_free_again_when_its_training_ends(tmp_path: Path) -> None:
    for _ in range(2):
        with held(RunFolder(tmp_path)):
            pass
