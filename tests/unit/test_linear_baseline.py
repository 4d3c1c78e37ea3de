"""The linear baseline counts what scikit-learn counts, learns what its classifiers learn, and judges runs fairly."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.special import softmax
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from dlcourse.errors import DataError
from dlcourse.text.ragged import Ragged

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
nb_linear = importlib.import_module("baseline.nb_linear")
verdicts = importlib.import_module("baseline.verdicts")
script = importlib.import_module("linear_baseline")

VOCABULARY = 12
DOCUMENTS = st.lists(st.lists(st.integers(0, VOCABULARY - 1), max_size=9), min_size=1, max_size=8)


def random_documents(count: int, *, seed: int = 0) -> Ragged:
    generator = np.random.default_rng(seed)
    return Ragged.of([generator.integers(VOCABULARY, size=generator.integers(1, 20)).tolist() for _ in range(count)])


def present(documents: Ragged, *, longest: int = 2) -> csr_matrix:
    return nb_linear.Grams.of(documents, longest=longest, vocabulary=VOCABULARY).presence(documents)


def test_an_n_gram_counts_once_a_document_and_never_over_its_end() -> None:
    grams = nb_linear.Grams.of(Ragged.of([[1, 2, 1, 2], [2], [], [1]]), longest=2, vocabulary=3)
    assert [known.tolist() for known in grams.known] == [[1, 2], [1 * 3 + 2, 2 * 3 + 1]]
    assert grams.presence(Ragged.of([[1, 2, 1, 2], [2], [], [1, 1]])).toarray().tolist() == [
        [1, 1, 1, 1], [0, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0],
    ]  # fmt: skip


@given(DOCUMENTS, DOCUMENTS, st.integers(1, 3))
def test_presence_is_that_of_scikit_learns_vectorizer(
    known: list[list[int]], seen: list[list[int]], longest: int
) -> None:
    counter = CountVectorizer(binary=True, ngram_range=(1, longest), analyzer="word", token_pattern=r"\w+")
    texts, others = ([" ".join(f"w{token:02}" for token in tokens) for tokens in some] for some in (known, seen))
    if not any(known):
        return
    expected = counter.fit(texts).transform(others).toarray()
    grams = nb_linear.Grams.of(Ragged.of(known), longest=longest, vocabulary=VOCABULARY)
    found = grams.presence(Ragged.of(seen)).toarray()
    # The features stand in another order: all of one length together, not by the alphabet.
    names = counter.get_feature_names_out()
    order = sorted(range(len(names)), key=lambda place: (names[place].count(" "), names[place]))
    assert np.array_equal(found, expected[:, order])


def test_the_ratio_is_that_of_naive_bayes_on_binary_counts() -> None:
    features, labels = present(random_documents(50)), np.arange(50) % 3 == 0
    bayes = MultinomialNB(alpha=1).fit(features, labels)
    expected = bayes.feature_log_prob_[1] - bayes.feature_log_prob_[0]
    assert nb_linear.log_count_ratio(features, labels) == pytest.approx(expected)


class Weighted(TransformerMixin, BaseEstimator):
    """Features times the log-count ratio of the labels that they are fitted with."""

    def fit(self, features: Any, labels: np.ndarray) -> Any:
        bayes = MultinomialNB(alpha=1).fit(features, labels)
        self.ratio_ = bayes.feature_log_prob_[1] - bayes.feature_log_prob_[0]
        return self

    def transform(self, features: Any) -> Any:
        return csr_matrix(features.multiply(self.ratio_))


def oracle(classes: int) -> Any:
    chain = make_pipeline(Weighted(), LogisticRegression(solver="liblinear", C=0.5, tol=1e-8, max_iter=5000))
    return chain if classes == 2 else OneVsRestClassifier(chain)


@pytest.mark.parametrize("classes", [2, 4])
def test_chances_are_those_of_scikit_learns_classifier(classes: int) -> None:
    features, labels = present(random_documents(200)), np.random.default_rng(1).integers(classes, size=200)
    model = nb_linear.NBLinear.fit(features, labels, classes=classes, model="logistic", strength=0.5)
    expected = oracle(classes).fit(features, labels).predict_proba(features)
    assert softmax(model.logits(features), axis=1) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("model", ["logistic", "svm"])
def test_the_same_call_gives_the_same_weights(model: str) -> None:
    features, labels = present(random_documents(60)), np.arange(60) % 2

    def weights() -> np.ndarray:
        return nb_linear.NBLinear.fit(features, labels, classes=2, model=model, strength=0.1).weights

    assert np.array_equal(weights(), weights())


def test_numbers_of_n_grams_that_would_overflow_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^longest \(3\) is too much for a vocabulary of 3000000"):
        nb_linear.Grams.of(Ragged.of([[1]]), longest=3, vocabulary=3_000_000)


def predictions(hits: list[bool], *, first: int = 0) -> Any:
    """Two classes, all items of class 1."""
    scores = np.array([[0.4, 0.6] if hit else [0.6, 0.4] for hit in hits], dtype=np.float32)
    return verdicts.Predictions(np.arange(first, first + len(hits)), np.ones(len(hits), dtype=np.int64), scores)


def test_a_run_that_alone_is_right_on_ten_items_is_better() -> None:
    theirs, ours = predictions([True] * 95 + [False] * 5), predictions([True] * 85 + [False] * 15)
    found = verdicts.verdict("latest", theirs, baseline=ours)
    assert (found["run_alone_right"], found["baseline_alone_right"], found["difference"]) == (10, 0, 0.1)
    assert found["mcnemar_p"] == pytest.approx(2 / 2**10)
    assert found["sentence"] == (
        "latest: 95.00% right, the baseline 85.00%, +10.00 points (95 % interval +5.00 to +16.00); the run alone is "
        "right on 10 items and the baseline alone on 0, McNemar's p = 0.002: the run is better, by more than chance "
        "explains"
    )
    assert "worse, by more" in verdicts.verdict("latest", ours, baseline=theirs)["sentence"]


def test_a_small_difference_is_left_to_chance() -> None:
    theirs, ours = predictions([True, True, False, True]), predictions([True, False, True, False])
    assert verdicts.verdict("latest", theirs, baseline=ours)["sentence"].endswith("p = 1: chance may explain it")


@pytest.mark.parametrize(
    ("theirs", "named"), [(predictions([True] * 4), "index"), (predictions([True] * 3, first=1), "index")]
)
def test_other_items_are_not_compared(theirs: Any, named: str) -> None:
    with pytest.raises(DataError, match=f"latest: its test split is not the baseline's \\({named} differs\\)"):
        verdicts.verdict("latest", theirs, baseline=predictions([True] * 3))


def test_other_labels_are_not_compared() -> None:
    ours = predictions([True] * 3)
    theirs = verdicts.Predictions(ours.index, ours.label * 0, ours.scores)
    with pytest.raises(DataError, match=r"\(label differs\)"):
        verdicts.verdict("latest", theirs, baseline=ours)


def spoil_nothing(path: Path) -> None:
    path.unlink(missing_ok=True)


def spoil_bytes(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04 not a zip")


def spoil_names(path: Path) -> None:
    np.savez(path, index=np.arange(3))


def spoil_lengths(path: Path) -> None:
    np.savez(path, index=np.arange(3), label=np.arange(3), scores=np.zeros((2, 2)))


def spoil_kind(path: Path) -> None:
    np.savez(path, index=np.array([{}], dtype=object), label=np.arange(1), scores=np.zeros((1, 2)))


@pytest.mark.parametrize("spoil", [spoil_nothing, spoil_bytes, spoil_names, spoil_lengths, spoil_kind])
def test_a_file_that_holds_no_predictions_is_named(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    path = tmp_path / "predictions.npz"
    spoil(path)
    with pytest.raises(DataError, match=r"predictions\.npz: (not there|damaged)"):
        verdicts.Predictions.read(path)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs the script on the embedded toy reviews; gives its exit code and what it wrote."""
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "cache"))

    def run(*words: str) -> tuple[int, dict[str, Any], Any]:
        out, result = tmp_path / "out", tmp_path / "linear.json"
        code = script.main(["data=reviews_toy", f"out={out}", f"result={result}", f"runs={tmp_path / 'runs'}", *words])
        written = json.loads(result.read_text()) if result.exists() else {}
        return code, written, out / "predictions.npz"

    return run


def test_the_script_writes_what_a_run_writes(toy: Callable[..., Any]) -> None:
    code, written, path = toy("ngrams=3")
    assert code == 0
    arrays = np.load(path)
    assert {name: arrays[name].dtype.name for name in arrays} == {
        "index": "int64", "label": "int64", "scores": "float32",
    }  # fmt: skip
    assert arrays["scores"].sum(1) == pytest.approx(1, abs=1e-5)
    assert written["test"]["accuracy"] == pytest.approx((arrays["scores"].argmax(1) == arrays["label"]).mean())
    assert written["C"] == float(max(written["validation_accuracy"], key=written["validation_accuracy"].__getitem__))
    assert {"precision_macro", "recall_macro", "f1_macro", "roc_auc", "ece", "ece_scaled"} <= set(written["test"])
    assert written["command"] == "python scripts/linear_baseline.py data=reviews_toy ngrams=3"


def test_a_run_with_the_same_predictions_differs_by_nothing(
    toy: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, path = toy()
    run = tmp_path / "runs" / "bigru-reviews_toy" / "one"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("")
    path.rename(run / "predictions.npz")
    code, written, _ = toy("against=latest", str(run))
    assert code == 0
    assert [(found["run"], found["mcnemar_p"]) for found in written["against"]] == [("bigru-reviews_toy/one", 1)]
    assert "chance may explain it" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ngrams=4"], "ngrams must be 1, 2 or 3"),
        (["against=nothing"], "nothing: there are no runs"),
        (["data=digits"], "data: it gives images of 10 classes; name a set of labelled texts"),
    ],
)
def test_a_wrong_word_is_one_line(
    toy: Callable[..., Any], words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, written, _ = toy(*words)
    assert (code, written) == (2, {})
    assert said in capsys.readouterr().err
