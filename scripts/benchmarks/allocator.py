"""What runtime.allocator=keep saves and costs: CPU time of a training step, and peak memory, for every pillar."""

from __future__ import annotations

from benchmarks.step_cost import PILLARS, Pillar, alternating, row, rows
from benchmarks.table import ADDED, Row

ARMS = {word: ("runtime.threads=1", f"runtime.allocator={word}") for word in ("keep", "system")}


def rows_of(pillar: Pillar, *, repetitions: int, quick: bool) -> list[Row]:
    """Of both arms CPU time, the kernel's part of it, wall time and peak memory."""
    taken = alternating(pillar, ARMS, repetitions=repetitions, quick=quick)
    name = f"allocator, {pillar.label}"
    of_kernel = row(f"{name}: of it in the kernel", "CPU ms/step", taken, lambda cost: 1000 * cost.kernel, ADDED)
    cpu, *others = rows(name, taken)
    return [cpu, of_kernel, *others]


def measure(*, repetitions: int, quick: bool) -> list[Row]:
    """Ours is runtime.allocator=keep, the peer runtime.allocator=system.

    Args:
        repetitions: rounds of both arms of every pillar.
        quick: two steps of eight samples, to see that everything runs.
    """
    return [row for pillar in PILLARS for row in rows_of(pillar, repetitions=repetitions, quick=quick)]
