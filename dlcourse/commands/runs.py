"""`dlcourse runs`: a table of runs, and what can be done with them: show, rename, tag, rm, restore, prune."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcourse.commands import run_actions, run_pruning
from dlcourse.commands.arguments import argument, read
from dlcourse.errors import ConfigError, block, suggestion
from dlcourse.folders import NoSuchRun
from dlcourse.results.columns import FIRST, LAST, full_cell, short_cell, sorted_by, split_columns, usual_columns
from dlcourse.results.index import Listing, read_all
from dlcourse.results.record import DamagedRun, RunRecord
from dlcourse.results.render import GAP, Format, Rows, render, widths_of
from dlcourse.results.where import chosen

ACTIONS: Mapping[str, Callable[[list[str]], int]] = {
    "show": run_actions.show,
    "rename": run_actions.rename,
    "tag": run_actions.tag,
    "rm": run_actions.rm,
    "restore": run_actions.restore,
    "prune": run_pruning.prune,
}
PURPOSE = f"""\
A table of runs, the newest first, such as: dlcourse runs where='optimizer.lr<0.1 and model==resnet18' sort=-accuracy
Names are settings, numbers (test.accuracy, val.loss; accuracy alone is the test's, else the best validation's) and
name, title, state, tags, time (2h, 5m, 30s), began, step, epoch. Or do something with runs:
{run_actions.USAGE}"""
USUAL_LIMIT, MOST_NAMED = 50, 8
FULL: tuple[Format, ...] = ("csv", "json")


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse runs` takes."""

    where: str | None = argument("Show only runs of which this holds.", default=None)
    sort: str | None = argument("Order by this name; behind a minus from the greatest down.", default=None)
    columns: str | None = argument("Names of columns with commas between; null chooses by what differs.", default=None)
    format: Format = argument("How to print; csv and json have whole names, titles and all digits.", default="table")
    limit: int | None = argument("How many runs; 0 is all; null is 50 in a table, else all.", default=None)
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))


def main(argv: list[str]) -> int:
    """Print the table, or do what the first word says."""
    if argv and argv[0] in ACTIONS:
        return ACTIONS[argv[0]](argv[1:])
    if argv and "=" not in argv[0] and not argv[0].startswith("-"):
        raise ConfigError(f"runs {argv[0]}: there is no such action{suggestion(argv[0], ACTIONS)}")
    given = read(Arguments, argv, command="runs", purpose=PURPOSE)
    if given.limit is not None and given.limit < 0:
        raise ConfigError(f"limit must be 0 or more, not {given.limit}")
    listing = read_all(given.runs)
    if not listing.records and not listing.damaged:
        raise NoSuchRun(f"{given.runs}: there are no runs here yet; train one, or name another folder with runs=")
    found = chosen(listing.records, where=given.where)
    found = sorted_by(found, sort=given.sort) if given.sort else list(found)
    limit = given.limit if given.limit is not None else 0 if given.format in FULL else USUAL_LIMIT
    shown = found[:limit] if limit else found
    wanted = None if given.columns is None else split_columns(given.columns, records=listing.records)
    print(table(shown, listing=listing, columns=wanted, format=given.format))
    if given.format == "table" and len(shown) < len(found):
        print(f"\n{len(shown)} of {len(found):,} runs; limit=0 shows all")
    sys.stdout.flush()
    for damaged in listing.damaged:
        print(block(DamagedRun(damaged.path, damaged.reason)), file=sys.stderr)
    return 0


def table(records: Sequence[RunRecord], *, listing: Listing, columns: Sequence[str] | None, format: Format) -> str:
    """The runs as text; a table for the terminal leaves out what does not fit, and says so."""
    wanted = tuple(columns or usual_columns(records))
    if format in FULL:
        if columns is None and any(record.title for record in records):
            wanted = (*wanted[:1], "title", *wanted[1:])
        return render(wanted, [[full_cell(record, name) for name in wanted] for record in records], format=format)
    names = [record.name for record in listing.records]
    rows = [[short_cell(record, name, names=names) for name in wanted] for record in records]
    kept = list(range(len(wanted)))
    if format == "table" and columns is None and (width := terminal_width()):
        kept = fitting(wanted, rows, width=width)
    text = render([wanted[place] for place in kept], [[row[place] for place in kept] for row in rows], format=format)
    if left := [name for place, name in enumerate(wanted) if place not in kept]:
        rest = f" and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
        text += f"\n\ntoo wide for this terminal: {', '.join(left[:MOST_NAMED])}{rest}; choose with columns="
    return text


def fitting(columns: Sequence[str], rows: Rows, *, width: int) -> list[int]:
    """Places of the columns that fit side by side: of settings the first ones, then the seed and numbers; name and
    state always.
    """
    widths = [places + len(GAP) for places in widths_of(columns, rows)]
    kept = list(range(len(columns)))
    always = {*FIRST, *LAST}
    numbers = [place for place in kept if columns[place].startswith(("val.", "test."))]
    seed = [place for place in kept if columns[place] == "seed"]
    settings = [place for place in kept if columns[place] not in always and place not in (*numbers, *seed)]
    dates = [place for place in kept if columns[place] == "began"]
    rest = [*reversed(settings[1:]), *dates, *reversed(numbers[2:]), *reversed(settings[:1])]
    order = [*rest, *seed, *reversed(numbers[:2])]  # rows that differ in their seed alone look alike without it
    while sum(widths[place] for place in kept) - len(GAP) > width and order:
        kept.remove(order.pop(0))
    return kept


def terminal_width() -> int | None:
    """Letters in a line of the terminal; None where the output goes elsewhere."""
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        return None
    return shutil.get_terminal_size().columns
