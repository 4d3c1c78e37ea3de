"""How the machine is shared out among trainings at the same time: cores by threads, GPUs by CUDA_VISIBLE_DEVICES."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TOPOLOGY = Path("/sys/devices/system/cpu")
VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Share:
    """What one of several trainings at the same time gets.

    Args:
        words: of the command line.
        environment: variables of its process.
    """

    words: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None


def shares(jobs: int, *, said: Mapping[str, str], cores: int, devices: Sequence[str]) -> list[Share]:
    """A share for each of so many trainings; what the command line says itself is left alone.

    Args:
        jobs: how many run at once.
        said: the settings on the command line, key -> text.
        cores: how many there are.
        devices: GPUs, as CUDA_VISIBLE_DEVICES names them.
    """
    words: tuple[str, ...] = ()
    if jobs > 1 and "runtime.threads" not in said:
        words = (f"runtime.threads={max(1, cores // jobs)}",)
    # Of one device that is named by its number, others cannot be hidden: the number would mean another one.
    free = said.get("runtime.device", "auto") in ("auto", "cuda")
    pool = list(devices) if free and jobs > 1 else []
    return [Share(words, {VISIBLE: pool[job % len(pool)]} if pool else {}) for job in range(jobs)]


def cores() -> int:
    """Physical cores that this process may use; logical ones where the system does not tell them apart."""
    usable = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    siblings = {_siblings(core) for core in usable}
    return len(usable if "" in siblings else siblings)


def _siblings(core: int) -> str:
    """The logical cores that one physical core is, as the system writes them; empty if it does not tell."""
    try:
        return (TOPOLOGY / f"cpu{core}" / "topology" / "thread_siblings_list").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def devices() -> list[str]:
    """NVIDIA GPUs that this process may use; none if the driver's own program is not there (torch would take 2 s)."""
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip() not in ("", "-1")]
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        told = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    count = sum(line.startswith("GPU ") for line in told.stdout.splitlines()) if told.returncode == 0 else 0
    return [str(number) for number in range(count)]
