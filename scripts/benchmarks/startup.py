"""How long `dlcourse train` takes to its first optimizer step, and where that goes; a fresh process each time."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.table import Row

PROBE = Path(__file__).with_name("startup_probe.py")


def stages(*words: str) -> dict[str, tuple[float, float]]:
    """Wall and CPU seconds of each stage up to the end of the first optimizer step of `dlcourse train WORDS`.

    Raises:
        RuntimeError: the command ended before its first step; the text is what it wrote.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "stages.json"
        command = [sys.executable, str(PROBE), str(time.monotonic()), str(out), "train", f"runs={folder}/runs", *words]
        # in an empty folder, so that no configs/ there has a say; the path keeps an uninstalled checkout working
        path = os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path if entry)
        ended = subprocess.run(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
        )
        if ended.returncode or not out.exists():
            raise RuntimeError(f"dlcourse train {' '.join(words)} did not reach its first step:\n{ended.stderr}")
        return {name: (wall, cpu) for name, (wall, cpu) in json.loads(out.read_text()).items()}


def rows_of(taken: list[dict[str, tuple[float, float]]], *, label: str) -> list[Row]:
    """The totals (wall and CPU), then every stage, the dearest first."""
    walls = [{name: wall for name, (wall, _) in one.items()} for one in taken]
    names = sorted(
        {name for one in walls for name in one},
        key=lambda name: -statistics.median(one.get(name, 0.0) for one in walls),
    )
    total = tuple(sum(one.values()) for one in walls)
    cpu = tuple(sum(cpu for _, cpu in one.values()) for one in taken)
    return [
        Row(f"{label}: to the end of the first step", "s", total),
        Row(f"{label}: the same in CPU time", "CPU s", cpu),
        *(Row(f"{label}: {name}", "s", tuple(one.get(name, 0.0) for one in walls)) for name in names),
    ]


def measure(*, repetitions: int, quick: bool) -> list[Row]:
    """The default run: ResNet18 on the embedded digits."""
    words = ("model.width=8", "batch_size=8") if quick else ()
    if not quick:
        stages(*words)  # compiles the bytecode and warms the disk's cache
    return rows_of([stages(*words) for _ in range(repetitions)], label="dlcourse train")
