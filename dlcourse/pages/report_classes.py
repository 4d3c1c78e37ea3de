"""What a report shows of a classifier's predictions: confusion matrix, ROC and precision-recall curves, mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dlcourse.folders import RunFolder
from dlcourse.pages.chart import Chart, Line, draw
from dlcourse.pages.predicted import (
    Floats,
    Predicted,
    area,
    average_precision,
    mean_precision,
    mean_roc,
    precision_recall,
    roc,
    worst,
)
from dlcourse.pages.shown import Sheet, Words, share
from dlcourse.results.record import RunRecord

MOST_NUMBERED = 20  # classes of a matrix that can still be read
LONGEST_NAME = 24  # characters of a class beside a matrix
MOST_CURVES = 12
MOST_CONFUSIONS = 15
MOST_MISTAKES = 12
Curve = tuple[Floats, Floats]


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix: the classes, and for each row (count, share of the row in 0..1) of each column."""

    classes: Sequence[str]
    rows: Sequence[Sequence[tuple[str, str]]]
    note: str


@dataclass(frozen=True)
class Named:
    """The predictions of one run and how it is called beside others."""

    name: str
    predicted: Predicted


def class_names(record: RunRecord, count: int) -> list[str]:
    """The classes in their order, as the test's finer numbers name them; their numbers if it names another many."""
    # Not from `record.test`: what stands in the file is in the order of the classes.
    tests = [found["scalars"] for found in RunFolder(record.path).records() if found["split"] == "test"]
    names = [name.partition("/")[2] for name in (tests[-1] if tests else ()) if name.startswith("recall/")]
    return names if len(names) == count else [str(place) for place in range(count)]


def matrix(found: Sequence[Named], classes: Sequence[str], *, words: Words) -> Matrix | None:
    """The counts of all runs; None if there are too many classes to read."""
    if len(classes) > MOST_NUMBERED:
        return None
    counts = np.sum([one.predicted.confusion for one in found], axis=0)
    shares = counts / counts.sum(1, keepdims=True).clip(min=1)
    rows = [
        [(f"{count:,}" if count else "", f"{part**0.5:.3f}") for count, part in zip(numbers, parts, strict=True)]
        for numbers, parts in zip(counts.tolist(), shares.tolist(), strict=True)
    ]
    return Matrix([shortened(name) for name in classes], rows, words["confusion_note"] + summed(found, words=words))


def shortened(name: str) -> str:
    """A name that fits beside a row; the end tells `maple_1` from `maple_2`, so it is the middle that goes."""
    half = LONGEST_NAME // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}…{name[1 - half :]}"


def confusions(found: Sequence[Named], classes: Sequence[str], *, words: Words) -> Sheet:
    """The most frequent confusions, where a matrix would be too large."""
    counts = np.sum([one.predicted.confusion for one in found], axis=0)
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    most: list[int] = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS].tolist()
    pairs = [divmod(place, len(classes)) for place in most]
    rows = [
        [classes[truth], classes[guess], f"{wrong[truth, guess]:,}", share(wrong[truth, guess] / counts[truth].sum())]
        for truth, guess in pairs
        if wrong[truth, guess]
    ]
    columns = [words["truth"], words["predicted"], words["count"], words["share"]]
    return Sheet(words["confused"], columns, rows, notes=[note] if (note := summed(found, words=words)) else [])


def summed(found: Sequence[Named], *, words: Words) -> str:
    """That counts are those of several runs, if they are."""
    return words["summed"].format(count=len(found)) if len(found) > 1 else ""


def ranking(found: Sequence[Named], classes: Sequence[str], *, words: Words) -> tuple[list[Chart], str]:
    """The two charts and what they show; none if no class has items of both kinds.

    Of two classes the second is what is looked for. Of more, one run has a curve for each class, and of several runs
    each has the mean over its classes.
    """
    present = found[0].predicted.present
    if not present:
        return [], ""
    if len(classes) == 2:
        note = words["one_against_one"].format(name=classes[1], other=classes[0])
        shown = [(one.name or classes[1], one.predicted, [1]) for one in found]
    elif len(found) > 1:
        note = words["one_against_rest"] + words["macro"]
        shown = [(one.name, one.predicted, present) for one in found]
    else:
        note = words["one_against_rest"]
        predicted = found[0].predicted
        shown = [(classes[place], predicted, [place]) for place in hardest(predicted, present)]
        if len(shown) < len(present):
            note += words["hardest"].format(shown=len(shown), count=len(present))
    both = [(name, areas_and_curves(predicted, places)) for name, predicted, places in shown[:MOST_CURVES]]
    first = [(name, *pair[0]) for name, pair in both]
    second = [(name, *pair[1]) for name, pair in both]
    charts = [
        draw(named(first, words=words), title=words["roc"], xlabel=words["fpr"], ylabel=words["tpr"], unit=True,
             diagonal=True),
        draw(named(second, words=words), title=words["pr"], xlabel=words["recall_axis"],
             ylabel=words["precision_axis"], unit=True),
    ]  # fmt: skip
    return [chart for chart in charts if chart is not None], note + words["areas"]


def hardest(predicted: Predicted, present: Sequence[int]) -> list[int]:
    """The classes in their order; of too many those with the smallest area under ROC."""
    if len(present) <= MOST_CURVES:
        return list(present)
    areas = {place: areas_and_curves(predicted, [place])[0][0] for place in present}
    return sorted(sorted(present, key=lambda place: areas[place])[:MOST_CURVES])


def areas_and_curves(predicted: Predicted, places: Sequence[int]) -> tuple[tuple[float, Curve], tuple[float, Curve]]:
    """Area and curve of ROC and of precision and recall: of one class against the rest, or the means of several."""
    pairs = [(predicted.scores[:, place], predicted.label == place) for place in places]
    rocs = [roc(scores, hits=hits) for scores, hits in pairs]
    precisions = [precision_recall(scores, hits=hits) for scores, hits in pairs]
    areas = (
        float(np.mean([area(*one) for one in rocs])),
        float(np.mean([average_precision(*one) for one in precisions])),
    )
    if len(pairs) == 1:
        return (areas[0], rocs[0]), (areas[1], precisions[0])
    return (areas[0], mean_roc(rocs)), (areas[1], mean_precision(precisions))


def named(curves: Sequence[tuple[str, float, Curve]], *, words: Words) -> Iterator[Line]:
    """Curves with their areas in their names."""
    for name, size, (x, y) in curves:
        yield Line(words["curve_name"].format(name=name, area=f"{size:.4f}"), x, y)


def mistakes(found: Sequence[Named], classes: Sequence[str], *, words: Words) -> Sheet | None:
    """The worst mistakes; None if there is none."""
    several = len(found) > 1
    rows = [
        [f"{one.index:,}", classes[one.label], share(one.own), classes[one.guess], share(one.chance)]
        + ([words["of"].format(count=one.wrong, all=len(found))] if several else [])
        for one in worst([named.predicted for named in found], most=MOST_MISTAKES)
    ]
    if not rows:
        return None
    columns = [words["item"], words["truth"], words["chance"], words["predicted"], words["chance"]]
    columns += [words["wrong_in"]] if several else []
    return Sheet("", columns, rows, notes=[words["mistakes_many" if several else "mistakes_note"]])
