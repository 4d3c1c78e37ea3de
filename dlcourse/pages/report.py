"""A run, or several of one experiment, as one self-contained HTML page to hand in, in English or Chinese."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dlcourse
from dlcourse.folders import RunFolder
from dlcourse.pages import leavings, report_classes, report_numbers, report_settings
from dlcourse.pages.predicted import DamagedPredictions, read_predicted, same_items
from dlcourse.pages.report_classes import Named
from dlcourse.pages.report_words import Language, metric_name, phrases
from dlcourse.pages.shown import Sheet, Words, lasting, number, plain
from dlcourse.pages.templates import template
from dlcourse.results.caveats import SOURCE
from dlcourse.results.record import RunRecord

if TYPE_CHECKING:
    from dlcourse.statistics import Share

CONFUSION = "test_confusion"  # the picture that a matrix on the page replaces


def report(records: Sequence[RunRecord], *, lang: Language, again: Sequence[RunRecord] = ()) -> str:
    """The whole page.

    Args:
        records: one run, or runs of one experiment with different seeds or folds.
        lang: of the page's own words.
        again: further runs with the same seed and fold as some of these, which are told and not counted.

    Raises:
        ValueError: there is no record.
    """
    if not records:
        raise ValueError("records must be 1 or more, not 0")
    words = phrases(lang)
    first, several = records[0], len(records) > 1
    found, notices = predictions(records, words=words)
    notices = [*standing(records, again, words=words), *notices]
    classes = report_classes.class_names(first, found[0].predicted.classes) if found else []
    matrix = report_classes.matrix(found, classes, words=words) if found else None
    charts, ranking_note = report_classes.ranking(found, classes, words=words) if found else ([], "")
    one = found[0].predicted if found and not several else None
    interval = report_numbers.accuracy_interval(first, one)
    pictures = leavings.pictures(first.path, words=words, aside=[CONFUSION] if matrix is not None else [])
    samples = leavings.samples(first.path, words=words)
    notices += [words["damaged"].format(path=path.name) for path in (*pictures.damaged, *samples.damaged)]
    items = report_numbers.items_of(first)
    return template("report.html.j2").render(
        w=words,
        version=dlcourse.__version__,
        heading=words["heading"].format(model=first.choices.get("model", "–"), data=first.choices.get("data", "–")),
        names=[record.title or record.name for record in records],
        seeds=words["many_runs"].format(count=len(records), seeds=seeds(records, words=words)) if several else "",
        began=f"{first.began:%Y-%m-%d}",
        notices=notices,
        summary=summary(records, interval, items=items, words=words, lang=lang),
        numbers=numbers(records, interval, words=words, lang=lang),
        finer=report_numbers.finer(records, classes=bool(classes), words=words, lang=lang),
        curves=report_numbers.learning_curves(records, words=words, lang=lang),
        bands=report_numbers.bands(records, words=words),
        matrix=matrix,
        confusions=report_classes.confusions(found, classes, words=words) if found and matrix is None else None,
        ranking=charts,
        ranking_note=ranking_note,
        mistakes=report_classes.mistakes(found, classes, words=words) if found else None,
        shown_of=first.title or first.name,
        several=several,
        images=pictures.images,
        conclusion=leavings.conclusion(first.path),
        samples=samples.samples,
        games=leavings.games(first.path, words=words),
        settings=report_settings.settings(first, words=words, several=several),
        data=report_settings.data(first, words=words, items=items),
        environment=report_settings.environment(first, words=words),
        commands=report_settings.commands(records),
        reproduce=[report_settings.reproduce(record) for record in records],
    )


def predictions(records: Sequence[RunRecord], *, words: Words) -> tuple[list[Named], list[str]]:
    """The test predictions of the runs that have any, all of the same items, and what must be told of them."""
    found: list[Named] = []
    notices: list[str] = []
    for record in records:
        path = RunFolder(record.path).predictions
        try:
            predicted = read_predicted(path)
        except DamagedPredictions:
            notices.append(words["damaged"].format(path=f"{record.name}/{path.name}"))
            continue
        if predicted is not None:
            title = f"{words['seed']} {report_numbers.repetition(record, words=words)}"
            found.append(Named(title if len(records) > 1 else "", predicted))
            if not same_items([one.predicted for one in found]):
                return found[:1], [*notices, words["other_items"].format(run=found[0].name)]
    return found, notices


def standing(records: Sequence[RunRecord], again: Sequence[RunRecord], *, words: Words) -> list[str]:
    """What a reader must know before the numbers: runs that are not finished, not tested, or no repetition."""
    notices = [
        words["not_done"].format(run=record.name, state=words.get(record.state, record.state), step=f"{record.step:,}")
        for record in records
        if record.state != "done"
    ]
    notices += [
        words["untested"].format(run=record.name) for record in records if not record.test and record.state == "done"
    ]
    if report_numbers.over_folds(records):
        notices.append(words["share_training"].format(source=SOURCE))
    if again:
        names = words["comma"].join(record.name for record in again)
        notices.append(words["same_seed"].format(runs=names))
    return notices


def seeds(records: Sequence[RunRecord], *, words: Words) -> str:
    """The seeds in a row, each with its fold if it has one."""
    return words["comma"].join(report_numbers.repetition(record, words=words) for record in records)


def numbers(records: Sequence[RunRecord], interval: Share | None, *, words: Words, lang: Language) -> list[Sheet]:
    """The tables of numbers; none before the first validation."""
    if not any(record.val or record.test for record in records):
        return []
    if len(records) == 1:
        return [report_numbers.numbers_of_one(records[0], interval, words=words, lang=lang)]
    make = (report_numbers.numbers_of_many, report_numbers.each_run)
    return [one(records, words=words, lang=lang) for one in make]


def summary(
    records: Sequence[RunRecord],
    interval: Share | None,
    *,
    items: Mapping[str, tuple[str, str]],
    words: Words,
    lang: Language,
) -> list[str]:
    """In a few sentences what was done and what came out."""
    from dlcourse.results.contrast import summarize

    first, several = records[0], len(records) > 1
    epochs = round(first.epoch, 1)
    sizes = {split: items[split][0] for split in ("train", "val", "test") if split in items}
    parts: dict[str, Any] = {
        **{group: first.choices.get(group, "–") for group in ("model", "data", "optimizer", "scheduler")},
        "items": words["items"].format(**sizes) if len(sizes) == 3 else "",
        "lr": words["lr"].format(lr=plain(first.settings["optimizer.lr"])) if "optimizer.lr" in first.settings else "",
        "epochs": words["epoch" if epochs == 1 else "epochs"].format(count=f"{epochs:,.6g}"),
        "steps": f"{first.step:,}",
        "drawn": drawn(first, words=words),
        "batch_size": plain(first.settings.get("batch_size")),
        "time": lasting(report_numbers.mean([record.seconds for record in records]), words=words),
        "each": words["each"] if several else "",
    }
    said = [words["trained"].format(**parts)]
    if starts := report_settings.starts(first):
        said.append(words["started_from"].format(runs=words["comma"].join(starts)))
    name = first.decisive[0]
    metric = metric_name(name, lang=lang)
    val = [record.val[name] for record in records if name in record.val]
    test = [record.test[name] for record in records if name in record.test]
    kind = "many" if several else "one"
    result = words[f"best_{kind}"].format(metric=metric, val=number(report_numbers.mean(val))) if val else ""
    if test and not several:
        ends = ""
        if interval is not None and name == "accuracy":
            ends = words["interval_one"].format(low=number(interval.low), high=number(interval.high))
        result += words["tested_one"].format(metric=metric, test=number(test[0]), interval=ends)
        said += [result, words["seeds_only" if ends else "one_seed"]]
    elif len(test) > 1:
        found = summarize(test)
        ends = words["interval_one"].format(low=number(found.low), high=number(found.high))
        result += words["tested_many"].format(
            metric=metric,
            count=found.n,
            over=report_numbers.over(records, words=words),
            test=number(found.mean),
            sd=number(found.sd),
            interval=ends,
        )
        said.append(result)
    else:
        said.append(result)
    return [sentence for sentence in said if sentence]


def drawn(record: RunRecord, *, words: Words) -> str:
    """How many samples all steps took, for an epoch may be a part of the data; empty if the batch size is not known."""
    size = record.settings.get("batch_size")
    return words["samples_drawn"].format(count=f"{record.step * size:,}") if isinstance(size, int) else ""
