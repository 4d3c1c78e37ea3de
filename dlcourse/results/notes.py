"""What a user writes on a run: its name and its tags, in notes.json in its folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dlcourse.errors import ConfigError
from dlcourse.files import read_json, write_json
from dlcourse.folders import NoSuchRun, RunFolder, all_runs, find_run, title
from dlcourse.results.record import name_in, reason_of

MOST_LETTERS = 100
RESERVED = ("latest", "random")  # commands give these words a meaning of their own


def rename(folder: RunFolder, name: str, *, runs: Path) -> None:
    """Give a run a name that every command finds it by; the folder keeps its own. An empty name takes it away.

    Raises:
        ConfigError: the name cannot be one, or already names another run.
    """
    if name:
        check_name(name)
        try:
            other = find_run(name, runs=runs)
        except NoSuchRun as error:
            taken = next((one for one in all_runs(runs) if title(one) == name), None)
            if taken is not None or "it names" in error.problems[0]:
                raise ConfigError(f"{name}: it already names several runs; choose another name") from error
        else:
            if other.path.resolve() != folder.path.resolve():
                raise ConfigError(f"{name}: it already names {name_in(other.path, runs=runs)}; choose another name")
    _write(folder, name=name, tags=tags_of(folder))


def check_name(name: str) -> None:
    """Raise ConfigError if a run cannot bear this name: letters of any language and spaces are fine."""
    if name in RESERVED:
        raise ConfigError(f"{name}: this word has a meaning of its own; choose another name")
    if not name.isprintable() or name != name.strip() or len(name) > MOST_LETTERS or set("/\\=") & set(name):
        raise ConfigError(
            f"{name!r}: a name is one line of up to {MOST_LETTERS} letters, without / \\ = and spaces at its ends"
        )
    if name.startswith(("-", "~")):
        raise ConfigError(f"{name!r}: a name cannot begin with {name[0]}, which commands would take for something else")


def tag(folder: RunFolder, *, put: Iterable[str], take: Iterable[str] = ()) -> tuple[str, ...]:
    """Put words on a run and take others off; gives those that it then has.

    Raises:
        ConfigError: a word cannot be a tag.
    """
    put, take = set(put), set(take)
    wrong = sorted(word for word in put if not word.isprintable() or not word.strip() or set(" ,=[]()'\"") & set(word))
    if wrong:
        raise ConfigError(
            *(f"{word!r}: a tag is one word without spaces, commas, quotes or brackets" for word in wrong)
        )
    tags = tuple(sorted((set(tags_of(folder)) | put) - take))
    _write(folder, name=title(folder), tags=tags)
    return tags


def tags_of(folder: RunFolder) -> tuple[str, ...]:
    """The words on a run."""
    tags = read_json(folder.notes).get("tags")
    return tuple(one for one in tags if isinstance(one, str)) if isinstance(tags, list) else ()


def _write(folder: RunFolder, *, name: str, tags: Iterable[str]) -> None:
    try:
        write_json(folder.notes, {"name": name, "tags": list(tags)})
    except OSError as error:
        raise ConfigError(f"{folder.notes}: it cannot be written ({reason_of(error)})") from error
