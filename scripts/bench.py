"""Runs the measurements behind the README's speed table: `python scripts/bench.py [NAME ...] [--quick]`.

Takes several minutes; the machine should be doing nothing else.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path

from benchmarks.table import Row, render

BENCHMARKS = (
    "loop", "lenet5", "resnet18", "speednet", "pipeline", "tokenizer", "bucketing", "go_reading", "generation",
    "run_index", "startup", "floors", "allocator", "kernels",
)  # fmt: skip
NEED_LIGHTNING = frozenset({"lenet5", "resnet18"})
REAL = {"bucketing": "imdb", "go_reading": "go"}
"""Benchmarks that take a folder of real data, and the option that names it."""
PACKAGES = ("dlcourse", "torch", "torchvision", "lightning", "hydra-core", "tensorboard", "numpy", "pillow")
RESULTS = Path(__file__).parent / "results" / "bench.json"


def measured(name: str, options: Mapping[str, object]) -> list[Row]:
    """The rows of one benchmark."""
    rows: list[Row] = importlib.import_module(f"benchmarks.{name}").measure(**options)
    return rows


def alone(name: str, **options: object) -> list[Row]:
    """The same in a process of its own, so that no benchmark inherits threads, memory or imports from another."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measured, name, options).result()


def circumstances() -> dict[str, object]:
    """What the numbers hold for: date, machine, load, versions."""
    from dlcourse.training.runtime import processor

    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "platform": platform.platform(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def version(package: str) -> str | None:
    """The installed version, None if it is not there."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def write(path: Path, results: dict[str, object]) -> None:
    """Put results beside those of other benchmarks that an earlier call wrote; each says where it was taken."""
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(before | results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, write the numbers; gives the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; all if none is named")
    parser.add_argument("--quick", action="store_true", help="see that everything runs; the numbers mean nothing")
    parser.add_argument("--repetitions", type=int, default=None, help="rounds of every arm (7; 2 with --quick)")
    parser.add_argument(
        "--out", type=Path, default=None, help=f"where numbers go ({RESULTS.name}; nowhere with --quick)"
    )
    parser.add_argument("--imdb", type=Path, default=None, help="folder of the reviews; without it some are drawn")
    parser.add_argument("--go", type=Path, default=None, help="folder of SGF files; without it games are drawn")
    asked = parser.parse_args(argv)
    if unknown := [name for name in asked.names if name not in BENCHMARKS]:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    repetitions = asked.repetitions or (2 if asked.quick else 7)
    out = asked.out or (None if asked.quick else RESULTS)

    rows: list[Row] = []
    for name in asked.names or BENCHMARKS:
        if name in NEED_LIGHTNING and importlib.util.find_spec("lightning") is None:
            print(f"{name}: left out, its peer is not installed (pip install --group bench)", file=sys.stderr)
            continue
        around, began = circumstances(), time.monotonic()
        real = {"root": getattr(asked, REAL[name])} if name in REAL else {}
        taken = alone(name, repetitions=repetitions, quick=asked.quick, **real)
        seconds = round(time.monotonic() - began, 1)
        print(f"{name}: {seconds} s, load before {around['load_before']}", file=sys.stderr, flush=True)
        rows.extend(taken)
        if out is not None:
            write(out, {name: {**around, "seconds": seconds, "rows": [row.plain() for row in taken]}})
    print(render(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
