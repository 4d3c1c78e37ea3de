"""The disk fills, the folder goes, the file system turns read-only: one error, and the last good checkpoint stands."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dlcourse.cli import main
from dlcourse.folders import RunFolder, all_runs
from dlcourse.training import checkpoint
from dlcourse.training.observers.console import Console

SMALL = (
    "model.width=2", "max_steps=12", "validate_every=4st", "checkpoint.every_steps=1", "log_every=1",
    "runtime.threads=1", "batch_size=200",
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcourse.run.drive.show", lambda run, stats: {})


def mount(*words: str) -> bool:
    return subprocess.run(["mount", *words], capture_output=True, check=False).returncode == 0


@contextmanager
def mounted(*words: str, at: Path) -> Generator[None]:
    """A file system mounted at `at`; the test is skipped where that is not allowed."""
    if shutil.which("mount") is None or os.name == "nt" or not mount(*words, str(at)):
        pytest.skip("this machine lets the test mount nothing")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


def only(runs: Path) -> RunFolder:
    [folder] = all_runs(runs)
    return folder


def before_step(monkeypatch: pytest.MonkeyPatch, step: int, act: Callable[[], object]) -> None:
    """Call `act` once, when the records of `step` are written and its checkpoint is not."""
    watch, acted = Console.__call__, []

    def look(self: Console, event: Any) -> None:
        if event.step == step and not acted:
            acted.append(act())
        watch(self, event)

    monkeypatch.setattr(Console, "__call__", look)


def straight(tmp_path: Path) -> bytes:
    """The metrics of a run that nothing befell."""
    assert main(["train", f"runs={tmp_path / 'straight'}", *SMALL]) == 0
    return only(tmp_path / "straight").metrics.read_bytes()


def one_error(capsys: pytest.CaptureFixture[str]) -> str:
    """What was said on stderr: lines that all begin with the program's name."""
    errors = capsys.readouterr().err
    assert errors
    assert all(line.startswith("dlcourse: ") for line in errors.splitlines())
    return errors


@pytest.mark.parametrize("free", [0, 3_000, 30_000, 60_000])
def test_a_real_disk_that_fills_up_ends_the_run_with_one_error_and_costs_no_step(
    free: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=4m", "tmpfs", at=disk):
        expected = straight(tmp_path)
        ballast = disk / "ballast"

        def fill() -> None:
            room = os.statvfs(disk)
            ballast.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - free)))

        with monkeypatch.context() as patch:
            before_step(patch, 6, fill)
            capsys.readouterr()
            assert main(["train", f"runs={disk}", *SMALL]) == 1
        assert "No space left on device" in one_error(capsys)
        folder = only(disk)
        saved, damaged = checkpoint.newest(folder.checkpoints)
        assert saved is not None
        assert 5 <= saved["step"] <= 8
        assert damaged == []
        ballast.unlink()
        assert main(["train", f"resume={folder.path}"]) == 0
        assert folder.metrics.read_bytes() == expected


def test_a_file_system_that_turns_read_only_ends_the_run_with_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = straight(tmp_path)
    runs = tmp_path / "runs"
    changed: list[Path] = []

    def turn() -> None:
        folder = str(only(runs).checkpoints)
        if mount("--bind", folder, folder) and mount("-o", "remount,bind,ro", folder):
            changed.append(Path(folder))

    with monkeypatch.context() as patch:
        before_step(patch, 6, turn)
        code = main(["train", f"runs={runs}", *SMALL])
    for path in changed:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
    if not changed:
        pytest.skip("this machine lets the test mount nothing")
    assert code == 1
    errors = one_error(capsys)
    assert "Read-only file system" in errors
    assert "the one before it is whole" in errors
    assert main(["train", f"resume={only(runs).path}"]) == 0
    assert only(runs).metrics.read_bytes() == expected


def test_a_folder_that_is_removed_ends_the_run_with_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before_step(monkeypatch, 6, lambda: shutil.rmtree(only(tmp_path).path))
    assert main(["train", f"runs={tmp_path}", *SMALL]) == 1
    errors = one_error(capsys)
    assert "after step 6" in errors
    assert "the run folder is gone" in errors


@pytest.mark.parametrize("step", range(1, 12))
def test_wherever_the_disk_fills_up_the_run_goes_on_from_there(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*args: Any, **rest: Any) -> None:
        raise OSError(28, "No space left on device")

    def fill() -> None:
        patch.setattr(checkpoint, "replace_file", full)

    with monkeypatch.context() as patch:
        before_step(patch, step, fill)
        assert main(["train", f"runs={tmp_path / 'runs'}", *SMALL]) == 1
    assert "free some space, then resume" in one_error(capsys)
    saved, _ = checkpoint.newest(only(tmp_path / "runs").checkpoints)
    assert (saved["step"] if saved else 0) == step - 1
