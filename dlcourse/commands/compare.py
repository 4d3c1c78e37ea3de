"""`dlcourse compare A B ...`: what runs differ in, and whether the difference is more than chance."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dlcourse.commands.arguments import argument, read
from dlcourse.commands.written import check_picture
from dlcourse.errors import ConfigError

if TYPE_CHECKING:
    from dlcourse.media import Cell, Table
    from dlcourse.results.comparison import Comparison
    from dlcourse.results.record import RunRecord

MOST_GROUPS = 100


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse compare` takes."""

    run: tuple[str, ...] = argument("The runs: paths, <model>-<data>/<time>, names of yours.", default=(), bare=True)
    where: str | None = argument("Runs that a condition holds of, such as model==resnet18.", default=None)
    group_by: str | None = argument(
        "Settings with commas between, such as optimizer,model; without, runs of equal settings are a group.",
        default=None,
    )
    metric: str | None = argument("What to compare by; without, what picks the best checkpoint.", default=None)
    split: Literal["test", "val"] = argument("The test, or the best validation.", default="test")
    format: Literal["table", "csv", "json", "md"] = argument("How to print.", default="table")
    png: Path | None = argument("Where to draw the learning curves.", default=None)
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))


def main(argv: list[str]) -> int:
    """Compare; gives the exit code."""
    given = read(Arguments, argv, command="compare", purpose="What runs differ in, and whether it is more than chance.")
    from dlcourse.results.comparison import compare_groups
    from dlcourse.results.groups import grouped

    if given.png is not None:
        check_picture(given.png, argument="png")
    records = chosen(given)
    by = [name.strip() for name in (given.group_by or "").split(",") if name.strip()]
    groups = grouped(records, by=by)
    if len(groups) > MOST_GROUPS:
        raise ConfigError(f"these are {len(groups)} groups, and {MOST_GROUPS} are the most; use where= or group_by=")
    split, _, name = (given.metric or "").partition(".")
    told = split in ("test", "val") and bool(name)
    found = compare_groups(groups, metric=name if told else given.metric, split=split if told else given.split)
    if given.png is not None:  # before the text, of which a reader like `head` may not take the end
        draw(found, given.png)
    WRITERS[given.format](found)
    if given.png is not None and given.format == "table":
        print(f"curves in {given.png}")
    return 0


def chosen(given: Arguments) -> list[RunRecord]:
    """The runs that were asked for, each once; says on stderr which were named twice, or are damaged.

    Raises:
        ConfigError: fewer than two, or the condition holds of fewer.
        RunError: a word names no run, or a damaged one.
    """
    from dlcourse.folders import find_run
    from dlcourse.results.index import read_all
    from dlcourse.results.record import read_record
    from dlcourse.results.where import chosen as filtered

    if not given.run and given.where is None and given.group_by is None:
        raise ConfigError("run is missing; name two runs or more, or choose them by where= or group_by=")
    if given.run:
        records = [read_record(find_run(word, runs=given.runs), runs=given.runs) for word in given.run]
    else:
        listing = read_all(given.runs)
        records = list(listing.records)
        for one in listing.damaged:
            print(f"left out: {one.path}: {one.reason}", file=sys.stderr)
        if not records:
            raise ConfigError(f"there are no runs in {given.runs}; train first, or name the folder with runs=")
    records = list(filtered(records, where=given.where))
    once = {record.path.resolve(): record for record in records}
    if len(once) < len(records):
        names = ", ".join(sorted({one.name for one in records if records.count(one) > 1})) or "a run"
        print(f"named more than once, and counted once: {names}", file=sys.stderr)
    if len(once) < 2 and given.where is not None:
        among = "of those named" if given.run else f"in {given.runs}"
        what = f"one run {among} ({records[0].name})" if once else f"no run {among}"
        raise ConfigError(f"where: {given.where!r} holds of {what}, and it takes two to compare; try another condition")
    if len(once) < 2:
        what = f"is one run ({records[0].name})" if once else "is no run"
        raise ConfigError(f"this {what}, and it takes two to compare; name another, or choose by where=")
    return list(once.values())


def print_table(found: Comparison) -> None:
    """Tables, curves and sentences for the terminal."""
    from dlcourse.results.comparison_curves import sparks
    from dlcourse.results.render import render

    columns = max(40, shutil.get_terminal_size().columns)
    for place, table in enumerate(found.tables()):
        rows = fitted(table, width=columns) if place else table.rows
        print(render(table.columns, rows, format="table", title=table.title))
        for note in table.notes:
            print(f"  {note}")
        print()
    for line in sparks(found, width=min(60, columns - 20)):
        print(line)
    for sentence in found.sentences:
        print(textwrap.fill(sentence, width=min(120, columns), break_long_words=False, break_on_hyphens=False))


def fitted(table: Table, *, width: int) -> tuple[tuple[Cell, ...], ...]:
    """The rows, their longest texts cut at the front until the table fits into so many places, as far as it can."""
    from dlcourse.results.render import GAP, widths_of

    rows = table.rows
    for most in range(max((len(cell) for row in rows for cell in row[1:] if isinstance(cell, str)), default=0), 7, -1):
        rows = tuple((row[0], *(cut(cell, most=most) for cell in row[1:])) for row in table.rows)
        if sum(widths_of(table.columns, rows)) + len(GAP) * (len(table.columns) - 1) <= width:
            break
    return rows


def cut(cell: Cell, *, most: int) -> Cell:
    """A text's last places."""
    return f"…{cell[1 - most :]}" if isinstance(cell, str) and len(cell) > most else cell


def print_markdown(found: Comparison) -> None:
    """Tables and sentences in Markdown."""
    from dlcourse.results.render import render

    for table in found.tables():
        print(f"{render(table.columns, table.rows, format='md', title=table.title)}\n")
        for note in table.notes:
            print(f"{note}\n")
    print("\n\n".join(found.sentences))


def print_csv(found: Comparison) -> None:
    """One row for each number of each group."""
    from dlcourse.results.comparison_tables import every_number
    from dlcourse.results.render import render

    table = every_number(found)
    print(render(table.columns, table.rows, format="csv"))


def print_json(found: Comparison) -> None:
    """Everything at full precision."""
    print(json.dumps(found.to_plain(), ensure_ascii=False, indent=2, allow_nan=False))


WRITERS: Mapping[str, Callable[[Comparison], None]] = {
    "table": print_table,
    "md": print_markdown,
    "csv": print_csv,
    "json": print_json,
}


def draw(found: Comparison, path: Path) -> None:
    """Write the learning curves as PNG.

    Raises:
        ConfigError: there are no curves, or the file cannot be written.
    """
    from dlcourse.files import replace_file
    from dlcourse.results.comparison_curves import panels, shade
    from dlcourse.results.plots import side_by_side

    drawn = panels(found)
    if not drawn:
        raise ConfigError("png: none of the runs that count here has recorded a curve, so there is nothing to draw")
    figure = side_by_side(drawn, note=shade(drawn))
    try:
        replace_file(path, lambda beside: figure.savefig(beside, format="png"))
    except OSError as error:
        raise ConfigError(f"png: {path} cannot be written ({error.strerror}); name another file") from error
