"""How cores and GPUs are shared out among trainings at the same time."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from dlcourse.sweep import share
from dlcourse.sweep.share import Share, shares


def test_one_training_gets_the_machine_as_it_is() -> None:
    assert shares(1, said={}, cores=8, devices=["0", "1"]) == [Share((), {})]


@pytest.mark.parametrize(("jobs", "cores", "threads"), [(2, 8, 4), (3, 8, 2), (4, 2, 1)])
def test_cores_are_divided(jobs: int, cores: int, threads: int) -> None:
    assert shares(jobs, said={}, cores=cores, devices=[]) == [Share((f"runtime.threads={threads}",), {})] * jobs


def test_what_the_command_line_says_is_left_alone() -> None:
    said = {"runtime.threads": "3", "runtime.device": "cuda:1"}
    assert shares(2, said=said, cores=8, devices=["0", "1"]) == [Share((), {})] * 2


def test_gpus_go_round() -> None:
    found = shares(3, said={}, cores=8, devices=["4", "GPU-aa"])
    assert [one.environment for one in found] == [{"CUDA_VISIBLE_DEVICES": name} for name in ("4", "GPU-aa", "4")]
    assert [one.environment for one in shares(2, said={"runtime.device": "cpu"}, cores=8, devices=["0"])] == [{}, {}]


@pytest.mark.parametrize(("text", "found"), [("2,3", ["2", "3"]), ("", []), ("-1", [])])
def test_gpus_are_those_that_are_visible(text: str, found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(share.VISIBLE, text)
    assert share.devices() == found


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
@pytest.mark.parametrize(
    ("body", "found"), [("echo 'GPU 0: A'; echo '  MIG'; echo 'GPU 1: B'", ["0", "1"]), ("exit 9", [])]
)
def test_gpus_are_counted_by_the_driver(
    body: str, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.delenv(share.VISIBLE, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert share.devices() == found


def test_threads_of_one_core_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(share, "TOPOLOGY", tmp_path)
    assert share.cores() == 4  # nothing is known of them
    for core in range(4):
        folder = tmp_path / f"cpu{core}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{core % 2},{core % 2 + 2}\n")
    assert share.cores() == 2
