"""`dlcourse find batch_size`: speed and memory of ever larger batches, and the sizes to type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcourse.commands.finding import greet, keep, memory_told
from dlcourse.config.compose import Where
from dlcourse.errors import ConfigError, RunError
from dlcourse.pages.finding import size_figure
from dlcourse.results.render import render
from dlcourse.run.batch_sizes import LEAST, Bench, Climb, Room, climb, sizes
from dlcourse.run.parts import assemble
from dlcourse.run.prepare import read_splits


@dataclass(frozen=True)
class Wish:
    """What was asked for.

    Args:
        most: the largest size.
        share: of the free memory that may be used.
        gain: share by which larger batches must train faster to be worth it.
        minutes: after which no further size begins.
        out: folder for plot and numbers.
    """

    most: int
    share: float
    gain: float
    minutes: float
    out: Path | None


def find(wish: Wish, config: Mapping[str, Any], where: Where) -> int:
    """Measure, print and keep what came of it.

    Raises:
        ConfigError: the largest size is smaller than the smallest.
        RunError: not even the smallest fits.
    """
    parts = assemble(config, choices=where.choices)
    parts.runtime.apply()
    splits = read_splits(parts)
    accumulate = parts.settings.accumulate
    most = largest(wish.most, items=len(splits.train), least=LEAST * accumulate)
    greet(parts, f"batch sizes up to {most}, {wish.share:.0%} of the free memory, {wish.minutes:g} minutes")
    with memory_told(parts):
        bench = Bench(parts, splits, share=wish.share)
    found = climb(sizes(least=bench.least, most=most), bench.measure, room=bench.room, seconds=60 * wish.minutes)
    if not found.measured:
        raise RunError(f"memory does not hold a step of batch_size={bench.least}; take a smaller model")
    tell(found, room=bench.room, gain=wish.gain, accumulate=accumulate)
    if wish.out is not None:
        title = f"{parts.name} on {parts.runtime.device}, {parts.runtime.precision}"
        figure = size_figure(found, knee=found.knee(wish.gain).batch_size, limit=bench.room.limit, title=title)
        rows = [[one.batch_size, one.samples_per_second, one.peak] for one in found.measured]
        keep(wish.out, "batch_size", figure, ["batch_size", "samples_per_second", "peak_memory_bytes"], rows)
    return 0


def largest(wanted: int, *, items: int, least: int) -> int:
    """The largest size to try.

    Raises:
        ConfigError: it is smaller than the smallest.
    """
    if min(wanted, items) < least:
        whose = f"data: train has {items} items" if items < least else f"max={wanted}"
        raise ConfigError(f"{whose}, and the smallest batch that is tried has {least} (two samples in each part)")
    return min(wanted, items)


def tell(found: Climb, *, room: Room, gain: float, accumulate: int) -> None:
    """The table, the two overrides, why it ended, and what accumulate= would do."""
    rows = [[one.batch_size, round(one.samples_per_second), round(one.peak / 2**20)] for one in found.measured]
    print()
    print(render(["batch_size", "samples/s", "peak MiB"], rows, format="table"))
    print()
    top, knee = found.largest, found.knee(gain)
    print(f"batch_size={knee.batch_size}")
    print(f"  larger batches train at most {gain:.0%} faster, as far as they were measured")
    if top.batch_size > knee.batch_size:
        print(f"batch_size={top.batch_size}")
    print(f"  {top.batch_size} is the largest that was tried and fits: {ended(found, room=room)}")
    beyond = f"batch_size={4 * top.batch_size} accumulate={4 * accumulate}"
    print(f"  beyond it accumulate= cuts a batch into parts: {beyond} takes about the memory of {top.batch_size}")
    print("  a larger batch makes fewer steps an epoch and wants another learning rate: dlcourse find lr batch_size=N")


def ended(found: Climb, *, room: Room) -> str:
    """Why no larger size was measured."""
    if found.reason == "memory" and found.bytes_there is None:
        return f"memory ran out at {found.stopped_at}"
    if found.reason == "memory":
        would = "would hold about" if not room.forgiving else "held"
        return (
            f"{found.stopped_at} {would} {(found.bytes_there or 0) / 2**20:,.0f} MiB, and "
            f"{(room.limit or 0) / 2**20:,.0f} may be held (memory=)"
        )
    if found.reason == "time":
        return f"{found.stopped_at} would have taken longer than minutes= allows"
    return "max= or the training split ends there"
