"""Each pillar's training step against its floor, the least time that this machine could take for it.

A step's products (convolutions, matrices, recurrent layers) at the rate of large ones, measured between the steps, are
one bound; the bytes that it must move at the measured bandwidth are the other; the floor is the larger. Both leave out
what a better program need not do. `cd scripts && python -m benchmarks.floors` prints the numbers of
`results/bench.json` again, a line for each pillar.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import truediv
from pathlib import Path
from typing import Any

from benchmarks.floors_data import MAKERS
from benchmarks.startup import stages
from benchmarks.table import COST, Comparison, Row

PROBE = Path(__file__).with_name("floors_probe.py")
RESULTS = Path(__file__).parents[1] / "results" / "bench.json"
SHARE = Comparison(truediv, "{:.0%}", "<=", 1.0)
LATENCIES = 3  # processes that are started for the first step


@dataclass(frozen=True)
class Case:
    """What is trained.

    Args:
        words: of the command line.
        samples: what a sample is, in the plural.
        files: whose files it reads, a name in MAKERS; None if they come with the package.
        steps: optimizer steps of a round on a CPU.
        small: further words that make it cheap.
    """

    words: tuple[str, ...]
    samples: str
    files: str | None
    steps: int
    small: tuple[str, ...]


TINY_TEXT = ("batch_size=4", "model.hidden_size=16", "model.embedding_size=16")
TINY_GO = ("batch_size=8", "model.width=16")
CASES = {
    "resnet18": Case(
        ("model=resnet18", "data=cifar10"), "images", "images", 2, ("model.width=8", "batch_size=8")
    ),
    "cifar10_cpu": Case(  # as its last epochs are, by kernels whose products are those that the floor counts
        ("experiment=cifar10_cpu", "data.sizes=[]", "runtime.kernels=torch", "freeze=[whiten.bias@1st]"),
        "images", "images", 2, ("batch_size=16",),
    ),
    "imdb_course": Case(("experiment=imdb_course",), "reviews", "reviews", 5, TINY_TEXT),
    "imdb_pretrain": Case(("experiment=imdb_pretrain",), "windows", "reviews", 5, TINY_TEXT),
    "tang_course": Case(("experiment=tang_course",), "poems", "poems", 8, TINY_TEXT),
    "go9_course": Case(("experiment=go9_course",), "positions", None, 10, TINY_GO),
    "go19_course": Case(("experiment=go19_course",), "positions", "games", 3, TINY_GO),
}  # fmt: skip
GPU_STEPS = 50  # of a round on a GPU, at whose end alone it is waited for
NO_PAUSE = (
    "log_every=1000000",
    "validate_every=1000000st",
    "checkpoint.every_minutes=null",
    "checkpoint.every_steps=null",
)


def measure(*, repetitions: int, quick: bool, names: Sequence[str] = tuple(CASES), device: str = "auto") -> list[Row]:
    """Every pillar in a process of its own, with the threads and settings that `dlcourse train` takes by itself.

    Args:
        repetitions: rounds of steps.
        quick: tiny models, to see that everything runs.
        names: of CASES.
        device: as `runtime.device` has it.
    """
    found: dict[str, dict[str, Any]] = {}
    rows: list[Row] = []
    for name in names:
        case = CASES[name]
        with tempfile.TemporaryDirectory() as folder:
            os.environ["DLCOURSE_CACHE"] = f"{folder}/cache"
            words = [*case.words, *(case.small if quick else ()), f"runtime.device={device}"]
            if case.files:
                root = Path(folder) / "data"
                root.mkdir()
                words.append(f"data.root={MAKERS[case.files](root)}")
            found[name] = probe(words, steps=1 if quick else case.steps, rounds=repetitions, folder=Path(folder))
            # Behind the probe, which filled the caches of data and of the disk.
            latencies = tuple(
                sum(wall for wall, _ in stages(*words).values()) for _ in range(1 if quick else LATENCIES)
            )
        rows += rows_of(name, found[name], samples=case.samples, latencies=latencies)
    return [*machine(list(found.values())), *rows]


def probe(words: Sequence[str], *, steps: int, rounds: int, folder: Path) -> dict[str, Any]:
    """What `floors_probe.py` writes down of `dlcourse train WORDS`.

    Raises:
        RuntimeError: the command ended before its first step; the text is what it wrote.
    """
    out = folder / "probe.json"
    command = [sys.executable, str(PROBE), str(out), str(steps), str(GPU_STEPS), str(rounds)]
    path = os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path if entry)
    ended = subprocess.run(
        [*command, "train", f"runs={folder}/runs", *NO_PAUSE, *words],
        cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ended.returncode or not out.exists():
        raise RuntimeError(f"dlcourse train {' '.join(words)} was not measured:\n{ended.stderr}")
    found: dict[str, Any] = json.loads(out.read_text())
    return found


WALL, CPU = 0, 1  # which clock of a rate


def arithmetic(one: Mapping[str, Any], *, clock: int) -> float:
    """Milliseconds a step that a round's products would take at the peaks."""
    return 1e3 * sum(flops / one["peaks"][product][clock] for product, flops in one["flops"].items())


def transfer(one: Mapping[str, Any], *, clock: int) -> float:
    """Milliseconds a step that a round's bytes would take at the bandwidth."""
    return 1e3 * one["bytes"] / one["bandwidth"][clock]


def rows_of(name: str, found: Mapping[str, Any], *, samples: str, latencies: tuple[float, ...]) -> list[Row]:
    """One pillar's: step and floor by both clocks, what bounds it, work, speed, latency, memory."""
    rounds = found["rounds"]
    wall, user, system = (tuple(1e3 * one[clock] for one in rounds) for clock in ("wall", "user", "system"))
    processor = tuple(map(sum, zip(user, system, strict=True)))
    products = tuple(arithmetic(one, clock=WALL) for one in rounds)
    moved = tuple(transfer(one, clock=WALL) for one in rounds)
    floor = tuple(map(max, products, moved))
    floor_cpu = tuple(max(arithmetic(one, clock=CPU), transfer(one, clock=CPU)) for one in rounds)
    on_cpu = [Row(f"{name}: CPU time of a step; its floor", "ms", processor, floor_cpu, COST)]
    return [
        Row(f"{name}: a step; its floor", "ms", wall, floor, COST),
        *(on_cpu if found["device"] == "cpu" else []),
        Row(f"{name}: products at their peak; step", "ms", products, wall, SHARE),
        Row(f"{name}: bytes at bandwidth; step", "ms", moved, wall, SHARE),
        Row(f"{name}: CPU in the program; step", "ms", user, wall, SHARE),
        Row(f"{name}: CPU in the system; step", "ms", system, wall, SHARE),
        Row(f"{name}: products of a step", "GFLOP", tuple(sum(one["flops"].values()) / 1e9 for one in rounds)),
        Row(f"{name}: bytes of a step", "MB", tuple(one["bytes"] / 1e6 for one in rounds)),
        Row(f"{name}: speed", f"{samples}/s", tuple(found["batch_size"] / one["wall"] for one in rounds)),
        Row(f"{name}: to the end of the first step", "s", latencies),
        Row(f"{name}: memory after ten steps", "MiB", (found["memory"] / 2**20,)),
    ]


def machine(found: Collection[Mapping[str, Any]]) -> list[Row]:
    """The peaks, over all rounds of all pillars, by the wall clock and in CPU time."""
    rounds = [one for each in found for one in each["rounds"]]
    first = next(iter(found))
    at = f"{first['threads']} thread{'s' * (first['threads'] > 1)}" if first["device"] == "cpu" else first["device"]
    rates: dict[str, tuple[str, list[Sequence[float]]]] = {"main memory": ("GB", [one["bandwidth"] for one in rounds])}
    for product in sorted({product for one in rounds for product in one["peaks"]}):
        rates[product] = ("GFLOP", [one["peaks"][product] for one in rounds if product in one["peaks"]])
    clocks = {WALL: ("", "s"), CPU: (", by CPU time", "CPU s")} if first["device"] == "cpu" else {WALL: ("", "s")}
    return [
        Row(f"{name}, {at}{by}", f"{unit}/{second}", tuple(rate[clock] / 1e9 for rate in taken))
        for name, (unit, taken) in rates.items()
        for clock, (by, second) in clocks.items()
    ]


def overview(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line for each pillar, from the rows as JSON holds them; medians."""
    head = ("pillar", "samples/s", "step ms", "floor ms", "ratio", "in CPU time", "products", "bytes", "GFLOP", "MB",
            "first step s", "memory MiB")  # fmt: skip
    by_name = {row["benchmark"]: row for row in rows}

    def middle(name: str, what: str, key: str = "ours") -> float:
        return statistics.median(by_name[f"{name}: {what}"][key])

    def in_cpu_time(name: str) -> str:
        what = "CPU time of a step; its floor"
        return f"{middle(name, what, 'compared'):.2f}" if f"{name}: {what}" in by_name else "-"

    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name in CASES:
        if f"{name}: speed" not in by_name:
            continue
        step = "a step; its floor"
        cells = (
            name, f"{middle(name, 'speed'):,.0f}", f"{middle(name, step):,.0f}", f"{middle(name, step, 'peer'):,.0f}",
            f"{middle(name, step, 'compared'):.2f}", in_cpu_time(name),
            f"{middle(name, 'products at their peak; step', 'compared'):.0%}",
            f"{middle(name, 'bytes at bandwidth; step', 'compared'):.0%}", f"{middle(name, 'products of a step'):,.3g}",
            f"{middle(name, 'bytes of a step'):,.0f}", f"{middle(name, 'to the end of the first step'):.1f}",
            f"{middle(name, 'memory after ten steps'):,.0f}",
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(overview(json.loads(RESULTS.read_text(encoding="utf-8"))["floors"]["rows"]))
