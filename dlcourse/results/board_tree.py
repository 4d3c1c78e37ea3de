"""The folder that TensorBoard reads: a link to each run that is to be seen, and the means beside them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from dlcourse.results.board_events import MeanRuns, layout
from dlcourse.results.means import Mean, means
from dlcourse.results.record import RunRecord

MEANS = "means"
LONGEST = 200  # bytes of a part of a path; file systems take 255


class BoardTree:
    """A folder of links and means that follows the runs; nothing is written into a run's folder.

    Args:
        folder: an empty folder of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._links: dict[str, Path] = {}
        self._means: dict[str, MeanRuns] = {}

    def link(self, runs: Sequence[tuple[str, Path]]) -> None:
        """Show these runs (name, folder) and no others.

        Raises:
            OSError: the system makes no links, as Windows without developer mode.
        """
        wanted = places(runs)
        for place, path in self._links.items():
            if wanted.get(place) != path:
                (self._folder / place).unlink()
        for place, path in wanted.items():
            if self._links.get(place) != path:
                where = self._folder / place
                where.parent.mkdir(parents=True, exist_ok=True)
                where.symlink_to(path.absolute(), target_is_directory=True)
        self._links = wanted

    def average(self, records: Sequence[RunRecord], *, by: Sequence[str] = ()) -> list[Mean]:
        """Bring the means of these runs up to date, and show no others; gives them.

        Raises:
            ConfigError: no run has a setting that they are to be grouped by.
        """
        found = means(records, by=by)
        charts = layout(found)
        named = {f"{MEANS}/{place}": mean for place, mean in zip(distinct([m.name for m in found]), found, strict=True)}
        for place in [place for place in self._means if place not in named]:
            shutil.rmtree(self._folder / place)
            del self._means[place]
        for place, mean in named.items():
            if place not in self._means:
                self._means[place] = MeanRuns(self._folder / place, mean=mean)
            self._means[place].update(mean, charts=charts)
        return found


def places(runs: Sequence[tuple[str, Path]]) -> dict[str, Path]:
    """Where each run's link stands: its name, made harmless.

    A name comes from a run folder, which may be anybody's, so it must not lead out of ours; nor into another run's, as
    `a/b` would beside a link called `a`.
    """
    taken = {harmless(name) for name, _ in runs}
    found: dict[str, Path] = {}
    for name, path in runs:
        place = harmless(name)
        inner = any(parent.as_posix() in taken for parent in Path(place).parents) or place.split("/")[0] == MEANS
        place = place.replace("/", "∕") if inner else place
        found[unlike(place, found)] = path
    return found


def harmless(name: str) -> str:
    """A path of one or two parts that stays where it begins."""
    head, slash, tail = name.strip("/").rpartition("/")
    return f"{part(head)}{slash}{part(tail)}" if slash and head else part(tail)


def part(text: str) -> str:
    """A file name that says `text`."""
    plain = re.sub(r"[\x00-\x1f\x7f]", " ", text).replace("/", "∕").strip()
    short = plain.encode()[:LONGEST].decode(errors="ignore")
    return short if short.strip(".") else f"_{short}"


def distinct(names: Iterable[str]) -> list[str]:
    """The names as file names, each another one."""
    found: dict[str, None] = {}
    for name in names:
        found[unlike(part(name), found)] = None
    return list(found)


def unlike(place: str, taken: Mapping[str, object]) -> str:
    """The place, with a number behind it if it is taken."""
    number = 2
    found = place
    while found in taken:
        found, number = f"{place} ({number})", number + 1
    return found


def changes(records: Iterable[RunRecord]) -> list[tuple[str, str, int]]:
    """What is not the same once a run has gone on: equal lists mean that there is nothing to average anew."""
    return [(record.name, record.state, size(record.path / "metrics.jsonl")) for record in records]


def size(path: Path) -> int:
    """Bytes of a file; 0 if there is none."""
    try:
        return os.stat(path).st_size  # noqa: PTH116  (Path.stat is the same, slower)
    except OSError:
        return 0
