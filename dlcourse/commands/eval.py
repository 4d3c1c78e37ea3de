"""`dlcourse eval run=RUN`: the numbers of a checkpoint again, on any split."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dlcourse.commands.arguments import argument, read


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse eval` takes."""

    run: str = argument("The run: a path, <model>-<data>/<time>, a unique end of it, or latest.", bare=True)
    split: Literal["train", "val", "test"] = argument("What to evaluate on, without augmentation.", default="test")
    checkpoint: str = argument("Which weights: best, last or previous.", default="best")
    format: Literal["text", "json"] = argument("How to print the numbers.", default="text")
    device: str | None = argument("Another device than the run's, such as cpu.", default=None, key="runtime.device")
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))
    allow_code: bool = argument("Run Python files of this folder that the run's config names.", default=False)


def main(argv: list[str]) -> int:
    """Evaluate; exit code 1 if the test numbers are not those that the run recorded."""
    given = read(Arguments, argv, command="eval", purpose="The numbers of a checkpoint again.")
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
    if given.format == "json":
        print(json.dumps(numbers, ensure_ascii=False))
    else:
        print("\n".join(f"{name:20} {value:.6f}" for name, value in numbers.items() if "/" not in name))
    for change in changes:
        print(change, file=sys.stderr)
    if given.split != "test" or given.checkpoint != "best" or given.format == "json":
        return 0
    recorded = [record["scalars"] for record in folder.records() if record.get("split") == "test"]
    return compare(numbers, recorded[-1]) if recorded else 0


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
