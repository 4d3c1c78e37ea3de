"""Curves and counts of predictions.npz are scikit-learn's, and a damaged file is told as one."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from dlcourse.pages.predicted import (
    DamagedPredictions,
    Predicted,
    area,
    average_precision,
    mean_precision,
    mean_roc,
    precision_recall,
    read_predicted,
    roc,
    same_items,
    worst,
)

SCORES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])  # few values, so that many tie


def predicted(label: list[int], scores: list[list[float]]) -> Predicted:
    return Predicted(np.arange(len(label)), np.array(label), np.array(scores, dtype=float))


@given(st.lists(st.tuples(SCORES, st.booleans()), min_size=2, max_size=40))
def test_curves_and_their_areas_are_those_of_scikit_learn(items: list[tuple[float, bool]]) -> None:
    scores, hits = np.array([one for one, _ in items]), np.array([hit for _, hit in items])
    if hits.all() or not hits.any():
        return
    false, true = roc(scores, hits=hits)
    expected = metrics.roc_curve(hits, scores, drop_intermediate=False)
    np.testing.assert_allclose((false, true), expected[:2], atol=1e-12)
    assert area(false, true) == pytest.approx(metrics.roc_auc_score(hits, scores))
    recall, precision = precision_recall(scores, hits=hits)
    theirs = metrics.precision_recall_curve(hits, scores)
    np.testing.assert_allclose((precision, recall), (theirs[0][::-1], theirs[1][::-1]), atol=1e-12)
    assert average_precision(recall, precision) == pytest.approx(metrics.average_precision_score(hits, scores))


@given(st.lists(st.tuples(st.integers(0, 3), st.tuples(SCORES, SCORES, SCORES, SCORES)), min_size=1, max_size=30))
def test_confusion_is_that_of_scikit_learn(items: list[tuple[int, tuple[float, ...]]]) -> None:
    found = predicted([label for label, _ in items], [list(scores) for _, scores in items])
    np.testing.assert_array_equal(
        found.confusion, metrics.confusion_matrix(found.label, found.guess, labels=[0, 1, 2, 3])
    )
    assert int(found.confusion.trace()) == int(found.hits.sum())
    assert all(0 < np.sum(found.label == place) < len(items) for place in found.present)


def test_curves_by_hand() -> None:
    scores, hits = np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, False, True, False])
    assert [part.tolist() for part in roc(scores, hits=hits)] == [[0, 0, 0.5, 1], [0, 0.5, 1, 1]]
    assert [part.tolist() for part in precision_recall(scores, hits=hits)] == [[0, 0.5, 1, 1], [1, 1, 2 / 3, 0.5]]


def test_the_mean_of_one_curve_is_that_curve() -> None:
    generator = np.random.default_rng(0)
    scores, hits = generator.random(500), generator.random(500) < 0.5
    curve = roc(scores, hits=hits)
    assert area(*mean_roc([curve, curve])) == pytest.approx(area(*curve), abs=2e-3)
    both = precision_recall(scores, hits=hits)
    grid, precision = mean_precision([both, both])
    assert all(precision[place] == both[1][np.searchsorted(both[0], grid[place])] for place in (0, 100, 400))


def test_the_worst_mistake_is_the_one_that_most_runs_make_most_surely() -> None:
    first = predicted([0, 1, 1, 0], [[0.1, 0.9], [0.6, 0.4], [0.99, 0.01], [0.8, 0.2]])
    second = predicted([0, 1, 1, 0], [[0.2, 0.8], [0.3, 0.7], [0.9, 0.1], [0.7, 0.3]])
    found = worst([first, second], most=10)
    assert [(one.index, one.label, one.guess, one.wrong) for one in found] == [(2, 1, 0, 2), (0, 0, 1, 2), (1, 1, 0, 1)]
    assert (found[0].own, found[0].chance) == (pytest.approx(0.055), pytest.approx(0.945))
    assert len(worst([first], most=1)) == 1


def write(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def good(**changes: Any) -> dict[str, Any]:
    scores = np.array([[0.5, 0.5], [1, 0], [0, 1]], dtype=np.float32)
    return {"index": np.array([2, 0, 1]), "label": np.array([1, 0, 1]), "scores": scores} | changes


def test_items_are_read_in_the_order_of_their_split(tmp_path: Path) -> None:
    found = read_predicted(write(tmp_path / "predictions.npz", **good()))
    assert found is not None and found.index.tolist() == [0, 1, 2] and found.label.tolist() == [0, 1, 1]
    assert found.guess.tolist() == [0, 1, 0] and same_items([found, found])
    other = read_predicted(write(tmp_path / "predictions.npz", **good(label=np.array([0, 0, 1]))))
    assert other is not None and not same_items([found, other])


def test_no_file_and_other_arrays_are_no_fault(tmp_path: Path) -> None:
    assert read_predicted(tmp_path / "predictions.npz") is None
    assert read_predicted(write(tmp_path / "p.npz", index=np.arange(3), moves=np.arange(3))) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"label": np.array([1, 0, 2])}, "none of the 2 classes"),
        ({"label": np.array([1, 0, -1])}, "none of the 2 classes"),
        ({"label": np.array([1, 0])}, "do not fit"),
        ({"label": np.array([1.0, 0, 1])}, "whole numbers"),
        ({"index": np.array([1, 1, 0])}, "twice"),
        ({"scores": np.full((3, 2), np.nan, dtype=np.float32)}, "finite"),
        ({"scores": np.array([[None, 1], [2, 3], [4, 5]], dtype=object)}, "allow_pickle"),
        ({"index": np.empty(0, int), "label": np.empty(0, int), "scores": np.empty((0, 2))}, "do not fit"),
    ],
)
def test_what_does_not_fit_together_is_named(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    path = write(tmp_path / "predictions.npz", **good(**changes))
    with pytest.raises(DamagedPredictions, match=reason):
        read_predicted(path)


@given(st.binary(max_size=30), st.integers(0, 600), st.booleans())
def test_no_bytes_raise_anything_else(junk: bytes, place: int, cut: bool) -> None:
    file = io.BytesIO()
    np.savez(file, **good())
    whole = file.getvalue()
    at = place % len(whole)
    path = Path(tempfile.gettempdir()) / f"dlcourse-test-{os.getpid()}.npz"
    try:
        path.write_bytes(whole[:at] + junk + (b"" if cut else whole[at + len(junk) :]))
        found = read_predicted(path)
        assert found is None or len(found.label) == len(found.scores)
    except DamagedPredictions as error:
        assert len(error.problems) == 1 and "damaged" in error.problems[0]
    finally:
        path.unlink(missing_ok=True)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "predictions.npz", **good())
    size = sum(member.file_size for member in zipfile.ZipFile(path).infolist())
    monkeypatch.setattr("dlcourse.results.predictions.MOST_BYTES", size - 1)
    with pytest.raises(DamagedPredictions, match="it holds"):
        read_predicted(path)
