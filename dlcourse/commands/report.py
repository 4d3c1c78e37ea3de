"""`dlcourse report RUN`: one page of a run, or of several seeds or folds of one experiment, to hand in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dlcourse.commands.arguments import argument, read, usage
from dlcourse.commands.written import check_file
from dlcourse.errors import ConfigError, RunError

if TYPE_CHECKING:
    from dlcourse.results.record import RunRecord

PURPOSE = (
    "One HTML page of a run, or of runs that differ in seed or fold alone, which opens anywhere without a network:\n"
    "numbers, curves, confusion matrix, mistakes, samples, settings, environment, and how to repeat it."
)


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse report` takes."""

    run: tuple[str, ...] = argument(
        "The runs: paths, <model>-<data>/<time>, unique ends of it, names, or latest.", default=(), bare=True
    )
    seeds: bool = argument("Also the runs that differ from it in nothing but seed or fold.", default=False)
    lang: Literal["en", "zh"] = argument("Language of the page: English or Chinese.", default="en")
    out: Path | None = argument("The file; null is report.html in the run's folder.", default=None)
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))


def main(argv: list[str]) -> int:
    """Write the page."""
    given = read(Arguments, argv, command="report", purpose=PURPOSE)
    if not given.run:
        first, *_ = usage(Arguments, command="report", purpose="").splitlines()
        raise ConfigError("there is no run", first, "such as: dlcourse report latest")
    if given.out is not None:
        check_file(given.out, argument="out", example="report.html")
    found, named = wanted(given)
    records, again = independent(one_experiment(found), named=named)
    if not any(record.step for record in records):
        names = ", ".join(record.name for record in records)
        raise RunError(f"{names}: nothing was recorded yet, so there is nothing to report", exit_code=2)
    from dlcourse.files import write_text
    from dlcourse.pages.report import report

    out = given.out or home(records, lang=given.lang, runs=given.runs)
    html = report(records, lang=given.lang, again=again)
    try:
        out.parent.mkdir(exist_ok=True)
        write_text(out, html)
    except OSError as error:
        raise ConfigError(f"out: {out} cannot be written ({error.strerror}); name another file with out=") from error
    of = f" of {len(records)} runs" if len(records) > 1 else ""
    print(f"wrote {out}{of} ({len(html.encode()) / 1e3:,.0f} kB, opens in any browser without a network)")
    return 0


def wanted(given: Arguments) -> tuple[list[RunRecord], list[RunRecord]]:
    """The runs that were named, and with `seeds` their siblings, each once; then the named ones alone.

    Raises:
        RunError: a word names no run, or a run is damaged.
    """
    from dlcourse.folders import find_run
    from dlcourse.results.groups import experiment
    from dlcourse.results.index import read_all
    from dlcourse.results.record import read_record

    folders = [find_run(word, runs=given.runs) for word in given.run]
    named = {folder.path.resolve(): read_record(folder, runs=given.runs) for folder in folders}
    found = dict(named)
    if given.seeds:
        kinds = {experiment(record) for record in named.values()}
        for record in read_all(given.runs).records:
            if experiment(record) in kinds:
                found.setdefault(record.path.resolve(), record)
    return list(found.values()), list(named.values())


def one_experiment(records: Sequence[RunRecord]) -> Sequence[RunRecord]:
    """The runs, if they differ in nothing but seed and fold.

    Raises:
        ConfigError: they are different experiments, whose mean would be of nothing.
    """
    from dlcourse.results.groups import grouped, settings_apart

    if len(grouped(records)) == 1:
        return records
    names = settings_apart(records)
    listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    tasks = {record.choices.get("task", "none") for record in records}
    what = (
        f"tasks ({', '.join(sorted(tasks))})" if len(tasks) > 1 else f"experiments (they differ in {listed or 'data'})"
    )
    raise ConfigError(
        f"the runs are of different {what}; a report is of one, with any number of seeds and folds",
        f"dlcourse compare {' '.join(record.name for record in records)} sets them side by side",
    )


def independent(records: Sequence[RunRecord], *, named: Sequence[RunRecord]) -> tuple[list[RunRecord], list[RunRecord]]:
    """One run of each seed and fold in their order, and the others.

    The first choice is one that was named, then one that was finished and tested, then the oldest.
    """
    from dlcourse.results.groups import fold_of

    best: dict[tuple[str, str | None], RunRecord] = {}
    order = sorted(
        records, key=lambda one: (one not in named, one.state != "done", not one.test, not one.step, one.began)
    )
    for record in order:
        best.setdefault((str(record.settings.get("seed")), fold_of(record)), record)
    kept = sorted(best.values(), key=lambda record: (_place(record), record.began))
    return kept, [record for record in records if record not in kept]


def _place(record: RunRecord) -> tuple[float, float]:
    from dlcourse.results.groups import fold_of

    seed, fold = record.settings.get("seed"), (fold_of(record) or "").partition("/")[0]
    return float(seed) if isinstance(seed, int | float) else 0.0, float(fold) if fold.isdecimal() else 0.0


def home(records: Sequence[RunRecord], *, lang: str, runs: Path) -> Path:
    """Where a page goes by itself: into its run's folder, of several runs beside all runs."""
    from dlcourse.results.groups import fold_of

    ending = "html" if lang == "en" else f"{lang}.html"
    if len(records) == 1:
        return records[0].path / f"report.{ending}"
    newest = max(records, key=lambda record: record.began)
    kind = "folds" if len({fold_of(record) for record in records}) > 1 else "seeds"
    return runs / "reports" / f"{newest.path.parent.name}_{newest.path.name}_{len(records)}_{kind}.{ending}"
