"""Freed memory that is kept for the next step, or given back to the kernel."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from dlcourse import cli
from dlcourse.results.record import MECHANICS
from dlcourse.training import allocator
from dlcourse.training.runtime import Runtime

MODEL = nn.Linear(1, 1)
MIB = 2**20
HELD = f"""
from dlcourse.training import allocator, memory
def free():
    blocks = [b"x" * (48 * {MIB}), b"x" * (16 * {MIB})]
before = memory.held()
for word in {{words}}:
    {{{{"keep": allocator.keep, "system": allocator.system, "trim": allocator.trim, "free": free}}}}[word]()
    print((memory.held() - before) // {MIB})
"""


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    kept = list(allocator._set)
    yield
    allocator._libc.cache_clear()
    allocator._set[:] = kept


def held_after(*words: str) -> list[int]:
    """MiB that a new process holds more after each of these than before all."""
    code = HELD.format(words=words)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


glibc = pytest.mark.skipif(not allocator.available(), reason="memory comes from another allocator here")


@glibc
def test_what_is_freed_is_kept_until_it_is_asked_back() -> None:
    _, freed, again, trimmed = held_after("keep", "free", "free", "trim")
    assert 60 <= freed <= again <= 72  # what comes next lies where the last one lay
    assert trimmed <= 4


@glibc
def test_by_itself_the_system_gets_it_back_at_once() -> None:
    assert max(held_after("system", "free", "free")) <= 20  # the thresholds move: the smaller block may stay once


@glibc
def test_a_process_can_go_back_to_giving_back() -> None:
    _, kept, back, freed = held_after("keep", "free", "system", "free")
    assert kept >= 60
    assert max(back, freed) <= 20


@pytest.mark.parametrize(
    ("said", "device", "there", "settled"),
    [("auto", "cpu", True, "keep"), ("auto", "cuda", True, "system"), ("keep", "cuda", True, "keep"),
     ("system", "cpu", True, "system"), ("auto", "cpu", False, "system"), ("keep", "cpu", False, "system")],
)  # fmt: skip
def test_auto_keeps_memory_where_a_cpu_computes_and_glibc_gives_it(
    monkeypatch: pytest.MonkeyPatch, said: str, device: str, there: bool, settled: str
) -> None:
    monkeypatch.setattr(allocator, "available", lambda: there)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    runtime = Runtime(device=device, precision="fp32", allocator=said)  # type: ignore[arg-type]
    assert runtime.settle(MODEL).allocator == settled


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_elsewhere_nothing_is_told_to_anybody(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("no library is asked"))
    untouched()


def test_another_allocator_in_front_of_glibc_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def library(name: str | None) -> object:
        malloc = ctypes.CFUNCTYPE(None)(lambda: None)  # of every library another one
        return SimpleNamespace(malloc=malloc, mallopt=pytest.fail, malloc_trim=pytest.fail, gnu_get_libc_version=None)

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", library)
    untouched()


def test_a_linux_without_glibc_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def library(name: str | None) -> object:
        raise OSError("libc.so.6: cannot open shared object file")

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", library)
    untouched()


def untouched() -> None:
    """Every function may be called, and does nothing."""
    allocator._libc.cache_clear()
    assert not allocator.available()
    allocator.keep()
    allocator.system()
    allocator.trim()


def test_a_new_peak_begins_without_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(allocator, "trim", lambda: calls.append("trim"))
    monkeypatch.setattr("dlcourse.training.memory.restart_peak", lambda: calls.append("peak"))
    Runtime(device="cpu").restart_peak()
    assert calls == ["trim", "peak"]


def test_what_reading_the_data_left_free_is_given_back_before_training(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(allocator, "trim", lambda: calls.append("trim"))
    Runtime(device="cpu", precision="fp32").rehearse(MODEL, lambda twin: twin(torch.ones(2, 1)).sum())
    assert calls == ["trim"]


def test_groups_are_not_parted_by_it() -> None:
    assert "runtime.allocator" in MECHANICS


def test_another_word_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "runtime.allocator=jemalloc"]) == 2
    assert "runtime.allocator must be" in capsys.readouterr().err


def test_it_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["explain", "runtime.allocator"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "type auto, keep or system" in said
    assert "No result depends on it." in said
