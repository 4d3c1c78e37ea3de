"""Checkpoints: whole or absent, the newest whole one found, nothing but data read."""

from __future__ import annotations

import contextlib
import errno
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from dlcourse.errors import CheckpointError
from dlcourse.training import checkpoint
from dlcourse.training.optimizers import adamw
from dlcourse.training.state import check_optimizer


def content(step: int) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "ema": None,
        "optimizer": {},
        "scheduler": {},
        "scaler": {},
        "data": {"train": "ab"},
        "skipped": 0,
    }
    weights = {"weight": torch.arange(64, dtype=torch.float32) + step}
    plain |= {"best": [[1, 0.5]], "history_bytes": [7, 8]}
    return {"step": step, "model": weights, "losses": torch.zeros(0), **plain}


def save(folder: Path, *steps: int, keep: int = 1, best: int | None = None) -> Path:
    for step in steps:
        checkpoint.save(folder, content(step), keep=keep, best=step == best)
    return folder


def steps_of(folder: Path) -> dict[str, int]:
    return {path.name: checkpoint.load(path)["step"] for path in sorted(folder.iterdir())}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


def test_what_was_saved_is_loaded(folder: Path) -> None:
    loaded = checkpoint.load(save(folder, 3) / "last.pt")
    assert torch.equal(loaded["model"]["weight"], content(3)["model"]["weight"])
    assert (loaded["best"], loaded["history_bytes"], loaded["data"]) == ([[1, 0.5]], [7, 8], {"train": "ab"})


@pytest.mark.parametrize(
    ("keep", "names"),
    [
        (0, {"last.pt": 5}),
        (1, {"last.pt": 5, "previous.pt": 4}),
        (3, {"last.pt": 5, "previous.pt": 4, "previous-2.pt": 3, "previous-3.pt": 2}),
    ],
)
def test_so_many_older_ones_stay_as_asked(folder: Path, keep: int, names: dict[str, int]) -> None:
    assert steps_of(save(folder, 1, 2, 3, 4, 5, keep=keep)) == names


def test_the_best_stays_whatever_comes_after(folder: Path) -> None:
    save(folder, 1, 2, 3, 4, keep=0, best=2)
    assert steps_of(folder) == {"best.pt": 2, "last.pt": 4}


def test_the_best_is_a_copy_where_there_are_no_hard_links(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert steps_of(save(folder, 1, best=1)) == {"best.pt": 1, "last.pt": 1}


def test_there_is_none_before_the_first(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path / "none") == (None, [])


def test_a_damaged_newest_is_named_and_the_one_before_it_is_used(folder: Path) -> None:
    save(folder, 1, 2, 3, keep=2)
    (folder / "last.pt").write_bytes((folder / "last.pt").read_bytes()[:-40])
    found, damaged = checkpoint.newest(folder)
    assert found is not None
    assert found["step"] == 2
    assert len(damaged) == 1
    assert damaged[0].startswith(f"{folder / 'last.pt'}: damaged")


def test_the_best_is_used_where_it_has_most_steps(folder: Path) -> None:
    save(folder, 1, 2, best=2)
    for name in ("last.pt", "previous.pt"):
        (folder / name).unlink()  # the link alone: best.pt shares last.pt's bytes
    found, _ = checkpoint.newest(folder)
    assert found is not None
    assert found["step"] == 2


def test_all_damaged_is_an_error_that_names_each(folder: Path) -> None:
    save(folder, 1, 2)
    for path in folder.iterdir():
        path.write_bytes(b"")
    with pytest.raises(CheckpointError) as caught:
        checkpoint.newest(folder)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("stop_at", range(1, 6))
def test_a_kill_between_any_two_renames_loses_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    save(folder, 1, 2, keep=2)
    calls = 0
    rename = os.replace

    class Killed(BaseException):
        pass

    def until_killed(source: Path, target: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == stop_at:
            raise Killed
        rename(source, target)

    monkeypatch.setattr(os, "replace", until_killed)
    with contextlib.suppress(Killed):
        checkpoint.save(folder, content(3), keep=2, best=True)
    monkeypatch.undo()
    found, damaged = checkpoint.newest(folder)
    assert found is not None
    assert not damaged
    assert found["step"] == (2 if stop_at == 1 else 3)
    save(folder, 4, keep=2)
    found, _ = checkpoint.newest(folder)
    assert found is not None
    assert found["step"] == 4


def test_a_full_disk_leaves_the_last_good_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(folder, 1)

    def full(value: object, file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        save(folder, 2)
    assert steps_of(folder) == {"last.pt": 1}


@pytest.mark.parametrize(("form", "age"), [(checkpoint.FORMAT + 1, "a newer"), (checkpoint.FORMAT - 1, "an older")])
def test_another_format_is_refused_with_its_age(tmp_path: Path, form: int, age: str) -> None:
    torch.save({**content(1), "format": form}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=f"checkpoint format {form}, of {age} dlcourse; this one reads format"):
        checkpoint.load(tmp_path / "a.pt")


@pytest.mark.parametrize("value", [{"weight": torch.zeros(1)}, [1, 2], {"format": "one"}, torch.zeros(2)])
def test_what_is_no_checkpoint_of_ours_is_told(tmp_path: Path, value: object) -> None:
    torch.save(value, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="not a checkpoint of dlcourse"):
        checkpoint.load(tmp_path / "a.pt")


def test_what_lacks_a_part_names_it(tmp_path: Path) -> None:
    torch.save({key: value for key, value in {**content(1), "format": 1}.items() if key != "scaler"}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="incomplete, it lacks scaler"):
        checkpoint.load(tmp_path / "a.pt")


class Malicious:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.mark),))


@pytest.mark.parametrize("bare", [True, False])
def test_a_pickle_that_would_run_code_does_not(tmp_path: Path, bare: bool) -> None:
    path, mark = tmp_path / "last.pt", tmp_path / "it-ran"
    if bare:
        path.write_bytes(pickle.dumps(Malicious(mark)))
    else:
        torch.save({**content(1), "format": 1, "extra": Malicious(mark)}, path)
    with pytest.raises(CheckpointError, match="damaged, or not a checkpoint"):
        checkpoint.load(path)
    assert not mark.exists()


def test_a_flipped_bit_in_a_weight_is_damage(tmp_path: Path) -> None:
    path = save(tmp_path, 1) / "last.pt"
    whole = path.read_bytes()
    weight = content(1)["model"]["weight"].numpy().tobytes()
    path.write_bytes(whole.replace(weight, weight[:10] + b"\1" + weight[11:]))
    assert path.read_bytes() != whole
    with pytest.raises(CheckpointError, match="the checksum of .* is wrong"):
        checkpoint.load(path)


def test_an_archive_that_unpacks_to_more_than_it_is_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50_000_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(CheckpointError, match="it would unpack to 50,000,000 bytes"):
        checkpoint.load(path)


@given(st.data())
@settings(
    max_examples=max(60, settings.default.max_examples // 4),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_damage_is_a_checkpoint_error_or_none(tmp_path: Path, data: st.DataObject) -> None:
    whole = tmp_path / "whole.pt"
    if not whole.exists():
        torch.save({**content(1), "format": 1}, whole)
    before = whole.read_bytes()
    start = data.draw(st.integers(0, len(before)))
    kept = before[start + data.draw(st.integers(0, 30)) :] if data.draw(st.booleans()) else b""
    path = tmp_path / "a.pt"
    path.write_bytes(before[:start] + data.draw(st.binary(max_size=30)) + kept)
    try:
        loaded = checkpoint.load(path)
    except CheckpointError:
        return
    assert torch.equal(loaded["model"]["weight"], content(1)["model"]["weight"])


def test_an_optimizer_that_forgot_one_weight_is_damaged() -> None:
    model = nn.Linear(2, 2)
    optimizer = adamw(model.named_parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    check_optimizer(optimizer, optimizer.state_dict())
    struck = optimizer.state_dict()
    struck["state"][0]["exp_avg"] = None
    with pytest.raises(CheckpointError, match="does not remember the same"):
        check_optimizer(optimizer, struck)
