"""`dlcourse runs prune`: what no longer serves is moved to the trash or deleted, or shown if that is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dlcourse.commands.arguments import argument, read
from dlcourse.commands.run_actions import counted, megabytes, moved
from dlcourse.folders import RunFolder
from dlcourse.results import trash
from dlcourse.results.index import read_all
from dlcourse.results.record import name_in
from dlcourse.results.render import printable, render
from dlcourse.results.where import chosen

MOST_LINES = 20
PURPOSE = """\
Clear up; what is deleted is gone, but for the trash. Runs that are not done keep their checkpoints and can be resumed,
unless they stand in the trash when it is emptied."""


@dataclass(frozen=True)
class Prune:
    """What `dlcourse runs prune` takes."""

    checkpoints: bool = argument("Of runs that are done, delete all checkpoints but the best.", default=False)
    trash: bool = argument("Delete what is in the trash.", default=False)
    where: str | None = argument("Only of runs of which this holds.", default=None)
    dry: bool = argument("Only say what would be done.", default=False)
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))


def prune(argv: list[str]) -> int:
    """Clear up: without a word fruitless runs go to the trash; with one, what it says is deleted for good."""
    given = read(Prune, argv, command="runs prune", purpose=PURPOSE)
    if given.checkpoints:
        thin_out(given)
    if given.trash:
        empty(given)
    if not given.checkpoints and not given.trash:
        throw(given)
    return 0


def thin_out(given: Prune) -> None:
    """Delete all checkpoints but the best of runs that are done."""
    records = chosen(read_all(given.runs).records, where=given.where)
    spare = {record.name: list(trash.spare_checkpoints([record])) for record in records}
    sizes = {name: sum(map(trash.size, paths)) for name, paths in spare.items() if paths}
    count = sum(map(len, spare.values()))
    if given.dry:
        show(sizes)
    else:
        trash.delete(path for paths in spare.values() for path in paths)
    print(
        f"{megabytes(sum(sizes.values()))} {passive(1, dry=given.dry)} freed: {counted(count, 'checkpoint')} "
        "that no test used; runs that are not done keep theirs and can be resumed"
    )


def empty(given: Prune) -> None:
    """Delete what is in the trash, or the runs there of which the condition holds."""
    place = given.runs / trash.TRASH
    if given.where is None:
        folders, gone = [folder.path for folder in trash.thrown(runs=given.runs)], [place]
    else:
        folders = gone = [record.path for record in chosen(read_all(place).records, where=given.where)]
    sizes = {name_in(path, runs=place): trash.size(path) for path in folders}
    freed = sum(map(trash.size, gone))
    if given.dry:
        show(sizes)
    else:
        trash.empty(gone)
    print(f"{megabytes(freed)} {passive(1, dry=given.dry)} freed: {counted(len(folders), 'run')} in the trash")


def throw(given: Prune) -> None:
    """Move runs that ended before their first validation to the trash."""
    fruitless = trash.fruitless(chosen(read_all(given.runs).records, where=given.where))
    sizes = {record.name: trash.size(record.path) for record in fruitless}
    if given.dry:
        show(sizes)
    else:
        moved([RunFolder(record.path) for record in fruitless], runs=given.runs)
    verb = passive(len(fruitless), dry=given.dry)
    freed = megabytes(sum(sizes.values()))
    print(f"{counted(len(fruitless), 'run')} without a validation {verb} moved to the trash: {freed}")


def show(sizes: Mapping[str, int]) -> None:
    """The runs with their bytes, the largest first."""
    found = sorted(sizes.items(), key=lambda one: -one[1])
    rows = [(printable(name), megabytes(size)) for name, size in found[:MOST_LINES]]
    if rows:
        print(render(("run", "size"), rows, format="table"))
    if len(found) > MOST_LINES:
        print(f"and {len(found) - MOST_LINES:,} more")


def passive(count: int, *, dry: bool) -> str:
    """The verb of what was done to so many, or would be."""
    return "would be" if dry else "was" if count == 1 else "were"
