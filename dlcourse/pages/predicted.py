"""What predictions.npz says of a classifier: confusion, ROC and precision-recall curves, worst mistakes."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcourse.errors import RunError
from dlcourse.results.predictions import check_size

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
GRID = np.linspace(0.0, 1.0, 401)
"""Where curves of several classes are averaged."""


class DamagedPredictions(RunError):
    """A predictions.npz that cannot be read."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: damaged ({reason}); dlcourse eval repeats the test's numbers", exit_code=2)
        self.reason = reason


@dataclass(frozen=True, eq=False)
class Predicted:
    """Probabilities of a test split.

    Args:
        index: int64 [N], where the items stand in their split, ascending.
        label: int64 [N], what they are, 0..K-1.
        scores: float64 [N, K], how probable each class is.
    """

    index: Whole
    label: Whole
    scores: Floats

    @property
    def classes(self) -> int:
        """How many classes."""
        return self.scores.shape[1]

    @cached_property
    def guess(self) -> Whole:
        """Int64 [N]: the most probable classes; the first of several that tie."""
        return self.scores.argmax(1)

    @cached_property
    def hits(self) -> NDArray[np.bool_]:
        """Bool [N]: which items are right."""
        return self.guess == self.label

    @cached_property
    def confusion(self) -> Whole:
        """Int64 [K, K]: how many items of the row's class were taken for the column's."""
        size = self.classes
        return np.bincount(self.label * size + self.guess, minlength=size * size).reshape(size, size)

    @property
    def present(self) -> list[int]:
        """The classes that some items have and some have not, which alone have curves."""
        support = self.confusion.sum(1)
        return [place for place in range(self.classes) if 0 < support[place] < len(self.label)]


def read_predicted(path: Path) -> Predicted | None:
    """The probabilities in a predictions.npz; None if there is no such file, or its task gives no class scores.

    Raises:
        DamagedPredictions: it cannot be read, or what it holds does not fit together.
    """
    if not path.is_file():
        return None
    try:
        check_size(path)
        with np.load(path, allow_pickle=False) as arrays:
            if not {"index", "label", "scores"} <= set(arrays.files):
                return None
            index, label, scores = (np.asarray(arrays[name]) for name in ("index", "label", "scores"))
    except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedPredictions(path, " ".join(str(error).split()) or type(error).__name__) from error
    if fault := misfit(index, label, scores):
        raise DamagedPredictions(path, fault)
    order = index.argsort(kind="stable")
    return Predicted(index[order].astype(np.int64), label[order].astype(np.int64), scores[order].astype(np.float64))


def misfit(index: NDArray[np.generic], label: NDArray[np.generic], scores: NDArray[np.generic]) -> str:
    """Why these are no predictions; empty if they are."""
    if scores.ndim != 2 or index.shape != label.shape or index.shape != scores.shape[:1] or not len(index):
        return f"index {list(index.shape)}, label {list(label.shape)} and scores {list(scores.shape)} do not fit"
    kinds = (index.dtype.kind, label.dtype.kind, scores.dtype.kind)
    if not set(kinds[:2]) <= {"i", "u"} or kinds[2] != "f":
        return "index and label must be whole numbers, scores floats"
    if not np.isfinite(scores).all():
        return "scores that are no finite numbers"
    if int(label.min()) < 0 or int(label.max()) >= scores.shape[1]:
        return f"labels that are none of the {scores.shape[1]} classes"
    return "" if len(np.unique(index)) == len(index) else "items that stand in it twice"


def same_items(found: Sequence[Predicted]) -> bool:
    """Whether all are of the same items with the same labels."""
    first = found[0]
    return all(
        np.array_equal(first.index, one.index) and np.array_equal(first.label, one.label)
        and first.classes == one.classes
        for one in found[1:]
    )  # fmt: skip


def roc(scores: Floats, *, hits: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """False and true positive rates float64 [M], from 0 to 1, a point for each threshold that differs.

    Args:
        scores: float64 [N].
        hits: bool [N], some and not all of them true.
    """
    right, taken = _counts(scores, hits=hits)
    wrong = taken - right
    return wrong / wrong[-1], right / right[-1]


def precision_recall(scores: Floats, *, hits: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Recall and precision float64 [M], recall rising from 0; nothing retrieved counts as precision 1.

    Args:
        scores: float64 [N].
        hits: bool [N], some of them true.
    """
    right, taken = _counts(scores, hits=hits)
    return right / right[-1], np.divide(right, taken, out=np.ones(len(taken)), where=taken > 0)


def area(x: Floats, y: Floats) -> float:
    """What lies below straight lines from point to point."""
    return float(((x[1:] - x[:-1]) * (y[1:] + y[:-1])).sum() / 2)


def average_precision(recall: Floats, precision: Floats) -> float:
    """The mean precision weighted by the gain in recall, without interpolation between thresholds."""
    return float(((recall[1:] - recall[:-1]) * precision[1:]).sum())


def mean_roc(curves: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """The mean true positive rate of several curves at each false positive rate (Fawcett 2006, section 8.1)."""
    rows = [np.interp(GRID, x, y) for x, y in curves]
    return np.concatenate([[0.0], GRID]), np.concatenate([[0.0], np.mean(rows, axis=0)])


def mean_precision(curves: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """The mean precision of several curves where each first has a recall."""
    rows = [precision[np.searchsorted(recall, GRID)] for recall, precision in curves]
    return GRID, np.mean(rows, axis=0)


@dataclass(frozen=True)
class Mistake:
    """An item taken for something else: by how many of the runs, and how probable both classes were to them."""

    index: int
    label: int
    guess: int
    own: float
    chance: float
    wrong: int


def worst(found: Sequence[Predicted], *, most: int) -> list[Mistake]:
    """The items that most runs have wrong, the surest mistakes first; `guess` is what most probabilities say together.

    Args:
        found: of the same items.
        most: how many.
    """
    first = found[0]
    scores = np.mean([one.scores for one in found], axis=0)
    wrong = np.sum([~one.hits for one in found], axis=0)
    own = scores[np.arange(len(scores)), first.label]
    others = scores.copy()
    others[np.arange(len(scores)), first.label] = -1.0
    order = np.lexsort((first.index, own, -wrong))[:most]
    return [
        Mistake(
            index=int(first.index[at]),
            label=int(first.label[at]),
            guess=int(others[at].argmax()),
            own=float(own[at]),
            chance=float(others[at].max()),
            wrong=int(wrong[at]),
        )
        for at in order.tolist()
        if wrong[at]
    ]


def _counts(scores: Floats, *, hits: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Hits and items above each threshold, the highest first, after a pair of zeros."""
    order = (-scores).argsort(kind="stable")
    ends = np.concatenate([np.flatnonzero(np.diff(scores[order])), [len(scores) - 1]])
    right = hits[order].cumsum()[ends]
    return np.concatenate([[0.0], right]), np.concatenate([[0.0], ends + 1.0])
