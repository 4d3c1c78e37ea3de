"""Weights of n-grams from naive Bayes and a linear model over them (Wang and Manning 2012, "Baselines and Bigrams")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dlcourse.data.base import Split
from dlcourse.errors import ConfigError
from dlcourse.models.ngrams import NgramBag, distinct_ngrams
from dlcourse.text.ragged import Ragged

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_TOKENS = 2**18  # padded, in one piece of work
Floats = NDArray[np.float64]


@runtime_checkable
class HasDocuments(Protocol):
    """A split of texts with labels."""

    @property
    def documents(self) -> Ragged:
        """Token ids, untruncated."""
        ...

    @property
    def labels(self) -> Tensor:
        """Int64 [N], -1 where there is none."""
        ...


def nb_ngrams(
    model: nn.Module,
    train: Split[Any],
    generator: torch.Generator,
    *,
    alpha: float = 1.0,
    fit: bool = True,
    c: float = 1.0,
    min_documents: int = 1,
    factor: float = 1.0,
) -> str:
    """Fill the n-gram table of `model` from the labelled training documents; gives what was done.

    Every bucket gets the logarithm of how much more often documents of a class have it than others do, and with `fit`
    times its weight in a logistic regression over these. With more than two classes each is held against the rest.

    Args:
        model: what is started; it has n-grams (`model.ngrams=2`).
        train: texts with labels.
        generator: seeds the order in which the regression sees documents.
        alpha: documents of each class that every n-gram is counted in beforehand.
        fit: whether a logistic regression weighs the ratios.
        c: how freely it fits: the inverse of its L2 penalty.
        min_documents: n-grams (buckets) of fewer documents get no weight.
        factor: what the weights are multiplied by: below 1 the network has more to say.

    Raises:
        ValueError: an argument is out of range.
        ConfigError: the model has no n-grams, or the data no labelled documents.
    """
    for name, value in (("alpha", alpha), ("c", c), ("factor", factor), ("min_documents", min_documents)):
        if not 0 < value < float("inf"):
            raise ValueError(f"{name} must be positive, not {value}")
    wide = getattr(model, "wide", None)
    if not isinstance(wide, NgramBag):
        raise ConfigError("init: nb_ngrams fills a table of n-grams, and the model has none; say model.ngrams=2")
    if not isinstance(train, HasDocuments) or not bool((train.labels >= 0).any()):
        raise ConfigError("init: nb_ngrams needs texts with labels, and the data has none")
    labels = train.labels.cpu().numpy()
    known = np.flatnonzero(labels >= 0)
    labels = labels[known]
    found = features(train.documents.select(known), ngrams=wide.ngrams, buckets=wide.buckets)
    seen = np.flatnonzero(np.bincount(found.indices, minlength=wide.buckets) >= min_documents)
    found = found[:, seen]
    seed = int(torch.randint(2**31, (), generator=generator))
    columns = wide.table.shape[1]
    weights, biases = np.zeros((wide.buckets, columns)), np.zeros(columns)
    for column in range(columns):
        positive = labels == (1 if columns == 1 else column)
        ratios = log_ratios(found, positive, alpha=alpha)
        slopes, biases[column] = regression(found * ratios, positive, c=c, seed=seed) if fit else (1.0, 0.0)
        weights[seen, column] = ratios * slopes
    with torch.no_grad():
        wide.table.copy_(torch.from_numpy(weights * factor))
        wide.bias.copy_(torch.from_numpy(biases * factor))
        wide.scale.fill_(1.0)
    return f"{len(seen):,} of {wide.buckets:,} buckets from {len(labels):,} documents"


def features(documents: Ragged, *, ngrams: int, buckets: int) -> csr_array:
    """Float64 [N, buckets]: 1 where a document has an n-gram of that bucket."""
    from scipy.sparse import csr_array

    order = np.argsort(documents.lengths, kind="stable")  # of similar length, so that little is padding
    # In 32 bits, which is all that scikit-learn takes.
    rows: list[NDArray[np.int32]] = []
    columns: list[NDArray[np.int32]] = []
    for part in pieces(order, documents.lengths):
        tokens, lengths = padded(documents.select(part))
        found = distinct_ngrams(tokens, lengths, ngrams=ngrams, buckets=buckets)
        counted = found.counts > 0
        rows.append(part.astype(np.int32).repeat(counted.sum(1).numpy()))
        columns.append(found.buckets[counted].int().numpy())
    places = (np.concatenate(rows), np.concatenate(columns))
    return csr_array((np.ones(len(places[0])), places), shape=(len(documents), buckets))


def pieces(order: NDArray[np.int64], lengths: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """`order` cut where the padded documents of a piece would have more than MOST_TOKENS tokens."""
    begun = 0
    for place in range(len(order)):
        if place > begun and (place + 1 - begun) * lengths[order[place]] > MOST_TOKENS:
            yield order[begun:place]
            begun = place
    yield order[begun:]


def padded(documents: Ragged) -> tuple[Tensor, Tensor]:
    """Tokens int64 [N, T] with 0 behind each end, and lengths int64 [N]."""
    lengths = documents.lengths
    tokens = np.zeros((len(documents), max(1, int(lengths.max(initial=0)))), dtype=np.int64)
    tokens[np.arange(tokens.shape[1]) < lengths[:, None]] = documents.values
    return torch.from_numpy(tokens), torch.from_numpy(lengths)


def log_ratios(found: csr_array, positive: NDArray[np.bool_], *, alpha: float) -> Floats:
    """Float64 [columns]: log((p / |p|) / (q / |q|)), p and q the smoothed counts of both sides (section 2)."""
    p = alpha + found.T @ positive.astype(np.float64)
    q = alpha + found.T @ (~positive).astype(np.float64)
    return np.log(p / p.sum()) - np.log(q / q.sum())


def regression(found: csr_array, positive: NDArray[np.bool_], *, c: float, seed: int) -> tuple[Floats, float]:
    """Slopes [columns] and bias of a logistic regression, by dual coordinate descent (Yu et al. 2011)."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=c, solver="liblinear", dual=True, random_state=seed, max_iter=1000)
    fitted.fit(found, positive)
    return np.asarray(fitted.coef_)[0], float(np.asarray(fitted.intercept_)[0])
