"""The numbers of a report: of one run with an interval of its accuracy, of several their mean and spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlcourse.folders import RunFolder
from dlcourse.pages.chart import Chart, Line, draw
from dlcourse.pages.report_words import Language, metric_name
from dlcourse.pages.shown import Sheet, Words, between, lasting, number, plain
from dlcourse.results.curves import Band, Split, band, read_curve
from dlcourse.results.groups import FOLD, SEED, fold_of
from dlcourse.results.record import RunRecord

if TYPE_CHECKING:
    from dlcourse.pages.predicted import Predicted
    from dlcourse.statistics import Share

SAME = 1e-6  # by how much an accuracy may differ from that of predictions.npz, whose scores are float32
MOST_ROWS = 20  # that stand open on a page


def accuracy_interval(record: RunRecord, predicted: Predicted | None) -> Share | None:
    """Wilson's interval of the test's accuracy; None unless predictions.npz holds the very items that it counts."""
    from dlcourse.statistics import wilson

    recorded = record.test.get("accuracy")
    if predicted is None or recorded is None or abs(float(predicted.hits.mean()) - recorded) > SAME:
        return None
    return wilson(int(predicted.hits.sum()), len(predicted.hits))


def numbers_of_one(record: RunRecord, interval: Share | None, *, words: Words, lang: Language) -> Sheet:
    """A row for each number of the best validation and the test."""
    columns = [words["metric"], words["validation"]]
    columns += [words["test"]] if record.test else []
    columns += [words["interval"]] if interval is not None else []
    rows: list[list[str]] = []
    for name in plain_names([record]):
        row = [metric_name(name, lang=lang), number(record.val.get(name))]
        row += [number(record.test.get(name))] if record.test else []
        if interval is not None:
            row.append(between(interval.low, interval.high) if name == "accuracy" else "")
        rows.append(row)
    return Sheet("", columns, rows, notes=[words["by_wilson"]] if interval is not None else [])


def numbers_of_many(records: Sequence[RunRecord], *, words: Words, lang: Language) -> Sheet:
    """A row for each number: means and standard deviations, and the interval of the test's mean."""
    from dlcourse.results.contrast import summarize

    tested = any(record.test for record in records)
    splits = [[record.val for record in records], *([[record.test for record in records]] if tested else [])]
    columns = [words["metric"]]
    for title in (words["validation"], words["test"])[: len(splits)]:
        columns += [words["pair"].format(first=title, second=words["mean"]), words["sd"]]
    rows: list[list[str]] = []
    for name in plain_names(records):
        row = [metric_name(name, lang=lang)]
        ends = "–"
        for every in splits:
            values = [numbers[name] for numbers in every if name in numbers]
            found = summarize(values) if values else None
            row += [number(found and found.mean), number(found and found.sd)]
            ends = "–" if found is None or found.low is None or found.high is None else between(found.low, found.high)
        rows.append([*row, ends])
    return Sheet("", [*columns, words["interval"]], rows, notes=[words["by_t"].format(over=over(records, words=words))])


def over_folds(records: Sequence[RunRecord]) -> bool:
    """Whether the runs are several folds."""
    return len({fold_of(record) for record in records}) > 1


def over(records: Sequence[RunRecord], *, words: Words) -> str:
    """What the runs repeat the experiment with."""
    return words["over_folds" if over_folds(records) else "over_seeds"]


def repetition(record: RunRecord, *, words: Words) -> str:
    """What a run is among its like: its seed, and its fold if it has one."""
    seed = plain(record.settings.get(SEED))
    return seed if fold_of(record) is None else words["seed_fold"].format(seed=seed, fold=record.settings[FOLD])


def bands(records: Sequence[RunRecord], *, words: Words) -> str:
    """What the shades of the curves are; nothing of a single run."""
    if len(records) < 2:
        return ""
    return words["bands"].format(over=over(records, words=words)) if len(records) > 2 else words["bands_two"]


def each_run(records: Sequence[RunRecord], *, words: Words, lang: Language) -> Sheet:
    """A row for each run: its decisive number on validation and test."""
    name = records[0].decisive[0]
    title = metric_name(name, lang=lang)
    columns = [words["run"], words["seed"]]
    columns += [words["pair"].format(first=words[split], second=title) for split in ("validation", "test")]
    columns += [words["state"], words["time"]]
    rows = [
        [
            record.title or record.name,
            repetition(record, words=words) if SEED in record.settings else "–",
            number(record.val.get(name)),
            number(record.test.get(name)),
            words.get(record.state, record.state),
            lasting(record.seconds, words=words),
        ]
        for record in records
    ]
    return Sheet(words["each_run"], columns, rows)


def finer(records: Sequence[RunRecord], *, classes: bool, words: Words, lang: Language) -> Sheet | None:
    """The numbers that have a part to their name, `recall/cat` in row cat: means over the runs; None without any.

    Args:
        records: the runs.
        classes: whether the parts are classes, whose names are the data's own.
        words: of the page.
        lang: of the page.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for record in records:
        for name, value in (record.test or record.val).items():
            column, slash, row = name.partition("/")
            if slash:
                found.setdefault(row, {}).setdefault(column, []).append(value)
    columns = list(dict.fromkeys(column for row in found.values() for column in row))
    if not columns:
        return None
    rows = [
        [
            row if classes else words.get(f"part/{row}", row),
            *(number(mean(values[column])) if column in values else "–" for column in columns),
        ]
        for row, values in found.items()
    ]
    names = [metric_name(column, lang=lang) for column in columns]
    title, first = ("per_class", "class") if classes else ("details", "part")
    return Sheet(words[title], [words[first], *names], rows, folded=len(rows) > MOST_ROWS)


def plain_names(records: Sequence[RunRecord]) -> list[str]:
    """Numbers without a part to their name, in the order of the test."""
    every = [record.test for record in records] + [record.val for record in records]
    return list(dict.fromkeys(name for numbers in every for name in numbers if "/" not in name))


def mean(values: Sequence[float]) -> float:
    """The plain mean."""
    return sum(values) / len(values)


def learning_curves(records: Sequence[RunRecord], *, words: Words, lang: Language) -> list[Chart]:
    """Loss, the decisive number and the learning rate over optimizer steps; of several runs their mean and band."""
    decisive = records[0].decisive[0]
    both: tuple[Split, ...] = ("train", "val")
    wanted: dict[str, tuple[Split, ...]] = {"loss": both, decisive: both, "lr": ("train",)}
    charts: list[Chart] = []
    for metric, splits in wanted.items():
        lines = [line for split in splits if (line := curve(records, split, metric, words=words)) is not None]
        name = metric_name(metric, lang=lang)
        chart = draw(lines, title=name, xlabel=words["steps"], ylabel=name)
        charts += [chart] if chart is not None else []
    return charts


def curve(records: Sequence[RunRecord], split: Split, metric: str, *, words: Words) -> Line | None:
    """One number of one split; None if no run has it."""
    curves = [one for record in records if len((one := read_curve(record, split=split, metric=metric)).steps)]
    if not curves:
        return None
    if len(curves) == 1:
        return Line(words[split], curves[0].steps.astype(float), curves[0].values, marked=split == "val")
    middle = band(curves)
    return Line(
        limited(middle, title=words[split], words=words),
        middle.steps,
        middle.mean,
        middle.low,
        middle.high,
        marked=split == "val",
    )


def limited(middle: Band, *, title: str, words: Words) -> str:
    """The name of a mean curve, with what it does not show of its runs."""
    parts = [
        *([words["shortest_end"].format(step=f"{middle.steps[-1]:,.0f}")] if middle.longest > middle.steps[-1] else []),
        *([words["single_points"].format(count=middle.alone)] if middle.alone else []),
    ]
    return words["pair"].format(first=title, second=words["comma"].join(parts)) if parts else title


def items_of(record: RunRecord) -> dict[str, tuple[str, str]]:
    """split -> its size and the beginning of its SHA-256, as far as data.json says them."""
    from dlcourse.files import read_json

    entries = read_json(RunFolder(record.path).data)
    found: dict[str, tuple[str, str]] = {}
    for split in ("train", "val", "test"):
        entry = entries.get(split)
        if isinstance(entry, dict) and isinstance(entry.get("items"), int):
            found[split] = (f"{entry['items']:,}", str(entry.get("sha256", ""))[:16])
    return found
