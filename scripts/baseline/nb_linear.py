"""NB-weighted n-grams under a linear classifier (Wang and Manning 2012, "Baselines and Bigrams", section 2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags_array
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from dlcourse.text.ragged import Ragged

Labels = NDArray[np.int64]
Floats = NDArray[np.float64]

SMOOTHING = 1.0  # added to every count of documents, as in the paper


@dataclass(frozen=True)
class Classifier:
    """A liblinear classifier.

    Args:
        make: from C, the cost of the training errors against the size of the weights.
        strengths: the values of C that are tried on validation.
    """

    make: Callable[..., Any]
    strengths: tuple[float, ...]


# The dual solvers visit documents in an order that they draw, hence the seed.
MODELS: Mapping[str, Classifier] = {
    "logistic": Classifier(
        partial(LogisticRegression, solver="liblinear", dual=True, max_iter=1000, random_state=0),
        (0.03, 0.1, 0.3, 1.0, 3.0),
    ),
    "svm": Classifier(partial(LinearSVC, dual=True, max_iter=2000, random_state=0), (0.003, 0.01, 0.03, 0.1)),
}


@dataclass(frozen=True, eq=False)
class Grams:
    """The n-grams of the training documents; each is a feature.

    Args:
        known: for n = 1, 2, ... the n-grams as numbers, ascending.
        vocabulary: token ids run below it.
    """

    known: tuple[NDArray[np.int64], ...]
    vocabulary: int

    @classmethod
    def of(cls, documents: Ragged, *, longest: int, vocabulary: int) -> Self:
        """Every n-gram of up to `longest` tokens in `documents`.

        Raises:
            ValueError: n-grams of so many tokens do not fit into 64 bits.
        """
        if vocabulary**longest > 2**63:
            raise ValueError(
                f"longest ({longest}) is too much for a vocabulary of {vocabulary} tokens; take a smaller one"
            )
        return cls(
            tuple(np.unique(occurrences(documents, n, vocabulary)[0]) for n in range(1, longest + 1)), vocabulary
        )

    @property
    def count(self) -> int:
        """How many features."""
        return sum(map(len, self.known))

    def presence(self, documents: Ragged) -> csr_matrix:
        """Float64 [documents, features]: 1 where a document has the n-gram, however often; others are left out."""
        rows: list[NDArray[np.int64]] = []
        columns: list[NDArray[np.int64]] = []
        starts = accumulate(map(len, self.known), initial=0)
        for n, (known, start) in enumerate(zip(self.known, starts, strict=False), start=1):
            numbers, owners = occurrences(documents, n, self.vocabulary)
            # Each different n-gram is looked up once, in ascending order, which stays in the cache.
            different, which = np.unique(numbers, return_inverse=True)
            places = np.searchsorted(known, different)
            found = np.isin(different, known, assume_unique=True)[which]
            rows.append(owners[found])
            columns.append(places[which][found] + start)
        at = (np.concatenate(rows), np.concatenate(columns))
        present = csr_matrix((np.ones(len(at[0])), at), shape=(len(documents), self.count))
        present.data[:] = 1  # building it has added up the repetitions
        return present


def occurrences(documents: Ragged, n: int, vocabulary: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every run of n tokens inside a document: the n-gram as a number, and the document it stands in."""
    owners = np.repeat(np.arange(len(documents)), documents.lengths)
    starts = np.flatnonzero(owners[n - 1 :] == owners[: max(0, len(owners) - n + 1)])
    numbers = np.zeros(len(starts), dtype=np.int64)
    for offset in range(n):
        numbers = numbers * vocabulary + documents.values[starts + offset]
    return numbers, owners[starts]


def log_count_ratio(present: csr_matrix, positive: NDArray[np.bool_]) -> Floats:
    """Float64 [features]: the log of how much likelier each n-gram is in the positive documents than in the others."""
    inside, outside = (SMOOTHING + present.T @ chosen.astype(np.float64) for chosen in (positive, ~positive))
    return np.log(inside / inside.sum()) - np.log(outside / outside.sum())


@dataclass(frozen=True, eq=False)
class NBLinear:
    """One linear function for each class against the rest, for two classes one of the second against the first.

    Args:
        weights: float64 [features, functions], the log-count ratios multiplied in.
        biases: float64 [functions].
    """

    weights: Floats
    biases: Floats

    @classmethod
    def fit(cls, present: csr_matrix, labels: Labels, *, classes: int, model: str, strength: float) -> Self:
        """Weigh the n-grams by their ratios and fit a classifier on them.

        Args:
            present: float64 [documents, features].
            labels: int64 [documents], 0 to classes - 1.
            classes: how many there are, at least 2.
            model: a name in MODELS.
            strength: its C.
        """
        weights: list[Floats] = []
        biases: list[float] = []
        for place in range(classes) if classes > 2 else [1]:
            ratio = log_count_ratio(present, labels == place)
            found = MODELS[model].make(C=strength).fit(csr_matrix(present @ diags_array(ratio)), labels == place)
            weights.append(found.coef_[0] * ratio)
            biases.append(found.intercept_[0])
        return cls(np.stack(weights, axis=1), np.array(biases))

    def logits(self, present: csr_matrix) -> Floats:
        """Float64 [documents, classes]; their softmax is the chance of each class.

        With more than two classes each function's own chance is taken, and each document's chances are divided by
        their sum.
        """
        margins = present @ self.weights + self.biases
        if margins.shape[1] == 1:
            return np.hstack([np.zeros_like(margins), margins])
        return np.log(np.maximum(expit(margins), np.finfo(np.float64).tiny))
