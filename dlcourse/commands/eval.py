"""`dlcourse eval run=RUN`: the numbers of a checkpoint again, on any split, and what its task examines beside."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dlcourse.commands.arguments import argument, read
from dlcourse.errors import ConfigError

if TYPE_CHECKING:
    from dlcourse.data.base import Splits
    from dlcourse.media import Cell, Table
    from dlcourse.run.parts import Network


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse eval` takes."""

    run: str = argument("The run: a path, <model>-<data>/<time>, a unique end of it, or latest.", bare=True)
    split: Literal["train", "val", "test"] = argument("What to evaluate on, without augmentation.", default="test")
    checkpoint: str = argument("Which weights: best, last or previous.", default="best")
    format: Literal["text", "json"] = argument("How to print the numbers.", default="text")
    examine: int = argument(
        "How many poems, or the like, a task's own tables are made of; 0 is no tables.", default=500
    )
    device: str | None = argument("Another device than the run's, such as cpu.", default=None, key="runtime.device")
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))
    allow_code: bool = argument("Run Python files of this folder that the run's config names.", default=False)


def main(argv: list[str]) -> int:
    """Evaluate; exit code 1 if the test numbers are not those that the run recorded."""
    given = read(Arguments, argv, command="eval", purpose="The numbers of a checkpoint again.")
    if given.examine < 0:
        raise ConfigError(f"examine must be 0 or more, not {given.examine}")
    from dlcourse.files import read_json
    from dlcourse.run.prepare import read_splits  # torch, imported here, takes two seconds
    from dlcourse.run.reopened import reopen
    from dlcourse.run.resume import data_changes
    from dlcourse.run.verdict import measure

    run = reopen(given.run, runs=given.runs, device=given.device, allow_code=given.allow_code)
    folder, parts = run.folder, run.parts
    parts.runtime.apply()
    splits = read_splits(parts)
    known = {name: str(entry["sha256"]) for name, entry in read_json(folder.data).items() if known_by_sum(entry)}
    used = {given.split, "val"} if given.split == "test" else {given.split}  # a temperature is fitted on validation
    changes = data_changes(known, {name: getattr(splits, name).fingerprint for name in sorted(used)})
    numbers = measure(parts, splits, folder.checkpoints / f"{given.checkpoint}.pt", name=given.split)
    for change in changes:
        print(change, file=sys.stderr)
    if given.format == "json":
        tables = [table.to_plain() for table in examined(parts, splits, name=given.split, count=given.examine)]
        print(json.dumps({**numbers, "tables": tables} if tables else numbers, ensure_ascii=False))
        return 0
    print("\n".join(f"{name:20} {value:.6f}" for name, value in numbers.items() if "/" not in name))
    code = 0
    if given.split == "test" and given.checkpoint == "best":
        recorded = [record["scalars"] for record in folder.records() if record.get("split") == "test"]
        code = compare(numbers, recorded[-1]) if recorded else 0
    sys.stdout.flush()  # what is examined takes its time
    for table in examined(parts, splits, name=given.split, count=given.examine):
        show(table)
    return code


def examined(parts: Network, splits: Splits, *, name: str, count: int) -> Sequence[Table]:
    """The tables of the run's task over its model, whose weights are loaded; none if `count` is 0."""
    from torch import inference_mode

    if not count:
        return ()
    with inference_mode(), parts.runtime.autocast():
        return parts.task.examine(parts.model.eval(), splits, name=name, count=count)


def show(table: Table) -> None:
    """Print a table with its notes below."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    drawn = Drawn(box=SIMPLE, show_edge=False, pad_edge=False, collapse_padding=True)
    for place, column in enumerate(table.columns):
        drawn.add_column(column, justify="right" if place else "left", no_wrap=not place)
    for row in table.rows:
        drawn.add_row(*(Text(cell_text(cell)) for cell in row))
    console = Console(highlight=False)
    console.print()
    console.print(Text(table.title))
    if table.columns:
        console.print(drawn)
    for note in table.notes:
        console.print(Text(note))


def cell_text(cell: Cell) -> str:
    """What stands in a cell: three decimals of a number that is not whole, a dash where there is none."""
    if cell is None:
        return "-"
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def known_by_sum(entry: object) -> bool:
    """Whether an entry of data.json holds a split's SHA-256."""
    return isinstance(entry, dict) and "sha256" in entry


def compare(numbers: Mapping[str, float], recorded: Mapping[str, float]) -> int:
    """Say whether these are the run's own test numbers; 0 if they are."""
    differing = [name for name, value in recorded.items() if numbers.get(name) != value]
    if not differing:
        print("identical to what the run recorded")
        return 0
    gap = max(abs(numbers.get(name, math.nan) - recorded[name]) for name in differing)
    print(f"differs from what the run recorded in {', '.join(differing[:4])} (by {gap:.2g} at most)")
    return 1
