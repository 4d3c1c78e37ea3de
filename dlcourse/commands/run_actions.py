"""What `dlcourse runs` does with single runs: show, rename, tag, throw away, bring back, clear up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcourse.commands.arguments import argument, read
from dlcourse.errors import ConfigError
from dlcourse.files import read_json
from dlcourse.folders import RunFolder, find_run
from dlcourse.results import notes, trash
from dlcourse.results.columns import duration
from dlcourse.results.command_line import command_line
from dlcourse.results.fields import shown
from dlcourse.results.record import RunRecord, name_in, read_record
from dlcourse.results.render import printable, render

USAGE = """\
  dlcourse runs show RUN               settings, numbers, files, how it ended
  dlcourse runs rename RUN NAME        every command then finds it by NAME; its folder stays; '' takes the name away
  dlcourse runs tag RUN good -slow     put words on it, take others off
  dlcourse runs rm RUN...              to RUNS/.trash
  dlcourse runs restore RUN            out of the trash again
  dlcourse runs prune                  runs that never reached a validation, to the trash
  dlcourse runs prune checkpoints=true of runs that are done, all checkpoints but the best, for good
  dlcourse runs prune trash=true       empty the trash, for good; dry=true says what would go, where= of which runs
"""
WORD = "The run: a path, its name, <model>-<data>/<time>, a unique end of it, or latest."


@dataclass(frozen=True)
class Show:
    """What `dlcourse runs show` takes."""

    run: str = argument(WORD, bare=True)
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))


def show(argv: list[str]) -> int:
    """Print what is known of a run."""
    given = read(Show, argv, command="runs show", purpose="Settings, numbers, files of a run, and how it ended.")
    record = read_record(find_run(given.run, runs=given.runs), runs=given.runs)
    print("\n".join(printable(line) for line in told(record)))
    return 0


def told(record: RunRecord) -> Iterator[str]:
    """Everything about a run, line by line."""
    folder = RunFolder(record.path)
    yield record.title or record.name
    yield ""
    facts = {
        "folder": str(record.path),
        "tags": " ".join(record.tags),
        "state": ended(record),
        "began": f"{record.began.astimezone():%Y-%m-%d %H:%M:%S}",
        "worked": f"{duration(record.seconds)}, {counted(record.step, 'step')}, {counted(record.epoch, 'epoch')}",
        "command": command_of(folder),
    }
    yield from (f"{name:8} {fact}" for name, fact in facts.items() if fact)
    numbers = [name for name in {**record.val, **record.test} if "/" not in name]
    if numbers:
        rows = [(name, record.val.get(name), record.test.get(name)) for name in numbers]
        yield ""
        yield from render(("", "best validation", "test"), rows, format="table").splitlines()
    if finer := sum("/" in name for name in record.test):
        yield f"and {finer} numbers of single classes: dlcourse eval run={record.name}"
    yield ""
    settings = [(name, shown(value)) for name, value in record.own.items()]
    yield from render(("setting", "value"), settings, format="table").splitlines()
    yield ""
    files = [(path.name, megabytes(trash.size(path))) for path in sorted(record.path.iterdir())]
    yield from render(("file", "size"), files, format="table").splitlines()


def ended(record: RunRecord) -> str:
    """How a run ended, and what can be done."""
    code = "" if record.exit_code is None else f", exit code {record.exit_code}"
    status = read_json(RunFolder(record.path).status)
    words = {
        "running": f"process {status.get('pid')} on {status.get('host')}",
        "killed": "its process ended without a word",
    }
    rest = "" if record.state in ("done", "running") else f"; go on with dlcourse train resume={record.name}"
    return f"{record.state}{code}{f' ({words[record.state]})' if record.state in words else ''}{rest}"


def command_of(folder: RunFolder) -> str:
    """The command line that started it; empty if it is not known."""
    try:
        words = (folder.path / "overrides.txt").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return command_line(words)


@dataclass(frozen=True)
class Rename:
    """What `dlcourse runs rename` takes."""

    run: str = argument(WORD, bare=True)
    name: str = argument("Its new name.", bare=True)
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))


def rename(argv: list[str]) -> int:
    """Give a run a name."""
    given = read(Rename, argv, command="runs rename", purpose="Give a run a name that every command finds it by.")
    folder = find_run(given.run, runs=given.runs)
    notes.rename(folder, given.name, runs=given.runs)
    print(f"{name_in(folder.path, runs=given.runs)} is called {given.name or 'by its folder'} now")
    return 0


@dataclass(frozen=True)
class Tag:
    """What `dlcourse runs tag` takes."""

    words: tuple[str, ...] = argument("The run, then words to put on it; -word takes one off.", bare=True)
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))


def tag(argv: list[str]) -> int:
    """Put words on a run and take others off."""
    off = [word for word in argv if word.startswith("-") and not word.startswith("--") and word not in ("-", "-h")]
    kept = [word for word in argv if word not in off]
    given = read(Tag, kept, command="runs tag", purpose="Put words on a run, and take off those behind a minus.")
    word, *put = given.words
    if not put and not off:
        raise ConfigError(f"tag {word}: there is no word to put on it; write dlcourse runs tag {word} WORD or -WORD")
    folder = find_run(word, runs=given.runs)
    tags = notes.tag(folder, put=put, take=[one[1:] for one in off])
    print(f"{name_in(folder.path, runs=given.runs)}: {' '.join(tags) or 'no tags'}")
    return 0


@dataclass(frozen=True)
class Remove:
    """What `dlcourse runs rm` takes."""

    run: tuple[str, ...] = argument(WORD, bare=True)
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))


def rm(argv: list[str]) -> int:
    """Move runs to the trash."""
    given = read(Remove, argv, command="runs rm", purpose="Move runs to RUNS/.trash; restore brings them back.")
    found = {folder.path.resolve(): folder for folder in (find_run(word, runs=given.runs) for word in given.run)}
    moved(list(found.values()), runs=given.runs)
    return 0


def moved(folders: Sequence[RunFolder], *, runs: Path) -> None:
    """Move runs to the trash and say so."""
    names = [name_in(folder.path, runs=runs) for folder in folders]
    for name, place in zip(names, trash.throw(folders, runs=runs), strict=True):
        print(f"{name} is in the trash; dlcourse runs restore {name_in(place, runs=runs / trash.TRASH)}")


@dataclass(frozen=True)
class Restore:
    """What `dlcourse runs restore` takes."""

    run: str = argument("The run in the trash: its name, or a unique end of it.", bare=True)
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))


def restore(argv: list[str]) -> int:
    """Bring a run back from the trash."""
    given = read(Restore, argv, command="runs restore", purpose="Bring a run back from the trash.")
    print(f"{trash.restore(given.run, runs=given.runs)} is back")
    return 0


def counted(count: float, noun: str) -> str:
    """A number with its noun: 1 run, 2 runs, 2.5 runs."""
    number = f"{count:,}" if isinstance(count, int) else f"{count:g}"
    return f"{number} {noun}" if count == 1 else f"{number} {noun}s"


def megabytes(size: int) -> str:
    """Bytes as people say them."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"
