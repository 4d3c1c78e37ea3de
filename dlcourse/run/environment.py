"""What a run's numbers depend on beside its config: versions, machine, source revision."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

import dlcourse
from dlcourse.training.runtime import Runtime

PACKAGES = ("torch", "torchvision", "numpy", "hydra-core", "scikit-learn", "tensorboard")
DECISIVE = ("dlcourse", "python", "torch", "device", "processor", "threads", "kernels")
"""What bit-for-bit equality hangs on."""


def environment(runtime: Runtime) -> dict[str, object]:
    """What environment.json holds."""
    return {
        "dlcourse": dlcourse.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **runtime.describe(),
        "packages": {name: version(name) for name in PACKAGES},
        "git": source_revision(Path.cwd()),
    }


def version(package: str) -> str | None:
    """The installed version, None if it is not there."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def source_revision(folder: Path) -> dict[str, object] | None:
    """Commit of the folder where the command runs and whether files differ from it; None outside git."""
    try:
        commit = _git("rev-parse", "HEAD", folder=folder)
        dirty = bool(_git("status", "--porcelain", "--untracked-files=no", folder=folder))
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": dirty}


def _git(*words: str, folder: Path) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """What changed of all that bit-for-bit equality hangs on, one phrase each."""
    return [
        f"{name} was {before[name]}, is {now.get(name)}"
        for name in DECISIVE
        if name in before and before[name] != now.get(name)
    ]
