"""Interpolated Kneser-Ney n-grams over token ids (Kneser and Ney 1995; Chen and Goodman 1999, sections 2.7 and 3).

With c the count of an n-gram h w of order k, c(h) their sum over w, D the discount of that count,

    p_k(w | h) = max(c - D(c), 0) / c(h) + (sum over w of D(c)) / c(h) * p_{k-1}(w | h without its first token),

and p_0 is even over all tokens that can be predicted. In the highest order c is how often the n-gram occurs; below it,
before how many different tokens it occurs, and as nothing stands before a document's beginning, what begins a document
counts as often as it does so. A history that was never seen says nothing: p_k is then p_{k-1}.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from dlcourse.text.ragged import Ragged

Keys = NDArray[np.int64]
Floats = NDArray[np.float64]


class Order(NamedTuple):
    """The n-grams of one order; a run of tokens is a number whose digits they are.

    Args:
        grams: int64 [G], ascending.
        chances: float64 [G], the discounted share of each in its history.
        histories: int64 [H], ascending: the n-grams without their last token.
        left: float64 [H], what the discounts leave to the order below.
        discounts: float64 [4], what is taken from a count of 0, 1, 2, and 3 or more.
    """

    grams: Keys
    chances: Floats
    histories: Keys
    left: Floats
    discounts: Floats

    @classmethod
    def of(cls, grams: Keys, counts: Keys, *, vocabulary: int, modified: bool) -> Self:
        """From n-grams, ascending, and the counts of each."""
        discounts = discounts_of(counts, modified=modified)
        taken = discounts[np.minimum(counts, 3)]
        histories, which = np.unique(grams // vocabulary, return_inverse=True)
        sums = np.bincount(which, counts, minlength=len(histories))
        left = np.bincount(which, taken, minlength=len(histories)) / sums
        return cls(grams, (counts - taken) / sums[which], histories, left, discounts)


@dataclass(frozen=True, eq=False)
class KneserNey:
    """An n-gram model; a document's first token is given and never predicted.

    Args:
        orders: of 1, 2, ... tokens.
        vocabulary: token ids run below it.
        predictable: how many of them can be predicted.
    """

    orders: tuple[Order, ...]
    vocabulary: int
    predictable: int

    @classmethod
    def fit(
        cls, documents: Ragged, *, order: int, vocabulary: int, predictable: int | None = None, modified: bool = True
    ) -> Self:
        """Count the n-grams of `documents` of up to `order` tokens.

        Args:
            documents: token ids below `vocabulary`.
            order: n, 1 or more.
            vocabulary: V.
            predictable: over how many tokens order 0 is even; None is all V.
            modified: a discount each for counts of 1, 2 and 3 or more (Chen and Goodman 1999), in place of one for all.

        Raises:
            ValueError: order is below 1, or runs of so many tokens do not fit into 64 bits.
        """
        if order < 1:
            raise ValueError(f"order must be 1 or more, not {order}")
        if vocabulary**order > 2**63:
            raise ValueError(f"order ({order}) is too much for a vocabulary of {vocabulary} tokens; take a smaller one")
        orders: list[Order] = []
        grams = np.zeros(0, dtype=np.int64)
        for k in range(order, 0, -1):
            keys, ends = runs(documents, k, vocabulary)
            if k < order:
                beginnings = keys[places(documents)[ends] == k - 1]
                keys = np.concatenate([grams % vocabulary**k, beginnings])
            grams, counts = np.unique(keys, return_counts=True)
            orders.append(Order.of(grams, counts, vocabulary=vocabulary, modified=modified))
        orders.reverse()
        return cls(tuple(orders), vocabulary, vocabulary if predictable is None else predictable)

    def log_chances(self, documents: Ragged) -> Floats:
        """Float64, nats: the log-probability of every token but each document's first, one document after the other."""
        chances = np.full(len(documents.values), 1 / self.predictable)
        for k, order in enumerate(self.orders, start=1):
            grams, ends = runs(documents, k, self.vocabulary)
            known, at = _find(grams // self.vocabulary, order.histories)
            grams, ends = grams[known], ends[known]
            chances[ends] *= order.left[at]
            seen, place = _find(grams, order.grams)
            chances[ends[seen]] += order.chances[place]
        return np.log(chances[predicted(documents)])


def runs(documents: Ragged, k: int, vocabulary: int) -> tuple[Keys, Keys]:
    """Every run of k tokens whose last is not a document's first: its number, and where its last token stands."""
    ends = np.flatnonzero(places(documents) >= max(1, k - 1))
    keys = np.zeros(len(ends), dtype=np.int64)
    for back in range(k - 1, -1, -1):
        keys = keys * vocabulary + documents.values[ends - back]
    return keys, ends


def places(documents: Ragged) -> Keys:
    """Int64 [total]: how many tokens stand before each one in its document."""
    return np.arange(len(documents.values)) - np.repeat(documents.offsets[:-1], documents.lengths)


def discounts_of(counts: Keys, *, modified: bool) -> Floats:
    """Float64 [4]: what is taken from a count of 0, 1, 2, and 3 or more (Chen and Goodman 1999, equation 17).

    Where too few n-grams occur once to four times to say, 0.5 is taken.
    """
    once, twice, thrice, often = (int((counts == number).sum()) for number in (1, 2, 3, 4))
    if not once or not twice:
        return np.array([0.0, 0.5, 0.5, 0.5])
    share = once / (once + 2 * twice)
    alike = np.array([0.0, share, share, share])
    if not modified or not thrice or not often:
        return alike
    steps = (twice / once, thrice / twice, often / thrice)
    found = np.array([0.0, *(c - (c + 1) * share * step for c, step in enumerate(steps, start=1))])
    # Few n-grams may say that nothing is taken, or more than there is.
    return found if (found[1:] > 0).all() and (found <= np.arange(4)).all() else alike


def _find(wanted: Keys, known: Keys) -> tuple[NDArray[np.bool_], Keys]:
    """Which of `wanted` stand in `known`, ascending, and where those do."""
    places = np.searchsorted(known, wanted)
    found = known[np.minimum(places, len(known) - 1)] == wanted if len(known) else np.zeros(len(wanted), np.bool_)
    return found, places[found]


def unigram_log_chances(train: Ragged, documents: Ragged, *, vocabulary: int, predictable: int) -> Floats:
    """Float64, nats: of the same tokens as `KneserNey.log_chances`, by their shares in `train`.

    One is added to the count of each of the `predictable` tokens.
    """
    counts = np.bincount(train.values[predicted(train)], minlength=vocabulary)
    shares = (counts + 1) / (counts.sum() + predictable)
    return np.log(shares[documents.values[predicted(documents)]])


def predicted(documents: Ragged) -> NDArray[np.bool_]:
    """Bool [total]: all tokens but each document's first."""
    mask = np.ones(len(documents.values), dtype=np.bool_)
    mask[documents.offsets[:-1][documents.lengths > 0]] = False
    return mask
