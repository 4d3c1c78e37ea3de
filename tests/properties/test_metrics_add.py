"""Statistics add: the numbers depend neither on how the items were batched nor on their order."""

from functools import reduce
from operator import add

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score
from torch import Tensor

from dlcourse.metrics import ClassificationStats, roc_auc

SEEDS = st.integers(0, 2**32 - 1)


def drawn(count: int, *, classes: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, classes, generator=generator).mul(2).round() / 2
    return logits, torch.randint(classes, (count,), generator=generator)


def batched(logits: Tensor, labels: Tensor, *, order: Tensor, cuts: list[int]) -> ClassificationStats:
    """The items in `order`, cut into batches at `cuts`."""
    ends = sorted({cut for cut in cuts if cut < len(order)})
    batches = order.tensor_split(ends)
    return reduce(
        add, (ClassificationStats.from_logits(logits[at], labels[at], indices=at) for at in batches if len(at))
    )


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 60), classes=st.integers(2, 8), seed=SEEDS, cuts=st.lists(st.integers(1, 59)), shuffle=SEEDS
)
def test_any_batches_in_any_order_give_the_same_numbers(
    count: int, classes: int, seed: int, cuts: list[int], shuffle: int
) -> None:
    logits, labels = drawn(count, classes=classes, seed=seed)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(shuffle))
    whole = batched(logits, labels, order=torch.arange(count), cuts=[])
    parts = batched(logits, labels, order=order, cuts=cuts)

    assert parts.summary() == whole.summary()  # to the last bit
    assert parts.details() == whole.details()
    assert parts.confusion.equal(whole.confusion)
    assert parts.probabilities.equal(whole.probabilities)
    assert parts.indices.equal(torch.arange(count))


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 40), classes=st.integers(2, 8), seed=SEEDS)
def test_the_numbers_keep_their_bounds(count: int, classes: int, seed: int) -> None:
    logits, labels = drawn(count, classes=classes, seed=seed)
    summary = batched(logits, labels, order=torch.arange(count), cuts=[]).summary()
    assert summary["loss"] >= 0
    assert all(0 <= number <= 1 for name, number in summary.items() if name != "loss")
    assert summary["accuracy"] <= summary.get("top5", 1)
    assert abs(summary["recall_weighted"] - summary["accuracy"]) < 1e-12


@settings(max_examples=60, deadline=None)
@given(items=st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=40))
def test_ranking_with_many_ties_is_scikit_learns(items: list[tuple[int, bool]]) -> None:
    scores = torch.tensor([score / 4 for score, _ in items], dtype=torch.float64)
    hits = torch.tensor([hit for _, hit in items])
    if 0 < hits.sum() < len(hits):
        assert abs(roc_auc(scores, hits=hits) - roc_auc_score(hits.numpy(), scores.numpy())) < 1e-12
