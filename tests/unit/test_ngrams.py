"""The n-gram path: each distinct n-gram counts once, padding never, and presence weighs it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dlcourse.models.ngrams import NgramBag, distinct_ngrams, scramble

BUCKETS = 2**20


def batch(*documents: list[int], width: int = 8) -> tuple[Tensor, Tensor]:
    tokens = torch.zeros(len(documents), width, dtype=torch.int64)
    for row, document in enumerate(documents):
        tokens[row, : len(document)] = torch.tensor(document)
    return tokens, torch.tensor([len(document) for document in documents])


def bag(*, classes: int = 2, ngrams: int = 2, trained: bool = True, dropout: float = 0.0) -> NgramBag:
    made = NgramBag(num_classes=classes, ngrams=ngrams, buckets=BUCKETS, trained=trained, dropout=dropout)
    with torch.no_grad():
        made.table.copy_(torch.randn(made.table.shape, generator=torch.Generator().manual_seed(3)))
    return made.eval()


def counted(document: list[int], *, ngrams: int, presence: list[float] | None = None) -> dict[int, float]:
    tokens, lengths = batch(document)
    share = None if presence is None else torch.tensor([presence + [1.0] * (8 - len(presence))])
    found = distinct_ngrams(tokens, lengths, ngrams=ngrams, buckets=BUCKETS, presence=share)
    kept = found.counts[0] > 0
    return dict(zip(found.buckets[0, kept].tolist(), found.counts[0, kept].tolist(), strict=True))


def test_fmix32_is_as_published() -> None:
    # Of MurmurHash3's finaliser, computed with Python's unbounded integers.
    def reference(number: int) -> int:
        number = (number ^ number >> 16) * 0x85EBCA6B % 2**32
        number = (number ^ number >> 13) * 0xC2B2AE35 % 2**32
        return number ^ number >> 16

    numbers = [0, 1, 2, 29_999, 2**31, 2**32 - 1]
    assert scramble(torch.tensor(numbers)).tolist() == [reference(number) for number in numbers]


def test_a_repeated_ngram_counts_once() -> None:
    # 5 6 5 6: the words 5 and 6, the pairs 5-6 and 6-5.
    assert list(counted([5, 6, 5, 6], ngrams=2).values()) == [1.0] * 4


def test_the_order_of_words_makes_another_pair() -> None:
    assert counted([5, 6], ngrams=1) == counted([6, 5], ngrams=1)
    assert counted([5, 6], ngrams=2) != counted([6, 5], ngrams=2)


@pytest.mark.parametrize("ngrams", [1, 2, 3])
def test_the_buckets_of_a_document_are_those_of_its_set_of_ngrams(ngrams: int) -> None:
    document = [3, 4, 3, 4, 9, 9, 9]
    distinct = {tuple(document[i : i + n]) for n in range(1, ngrams + 1) for i in range(len(document) - n + 1)}
    assert len(counted(document, ngrams=ngrams)) == len(distinct)


def test_padding_makes_no_ngram() -> None:
    short, long = batch([7, 8], width=2), batch([7, 8], width=64)
    one, other = (distinct_ngrams(*each, ngrams=3, buckets=BUCKETS) for each in (short, long))
    assert one.buckets[one.counts > 0].tolist() == other.buckets[other.counts > 0].tolist()
    assert int((other.buckets < BUCKETS).sum()) == 3


def test_orders_say_how_many_words() -> None:
    tokens, lengths = batch([3, 4, 5])
    found = distinct_ngrams(tokens, lengths, ngrams=3, buckets=BUCKETS)
    assert sorted(found.orders[found.counts > 0].tolist()) == [0, 0, 0, 1, 1, 2]


def test_an_ngram_counts_the_product_of_its_words_presence() -> None:
    full = counted([5, 6], ngrams=2)
    assert sorted(counted([5, 6], ngrams=2, presence=[0.5, 0.25]).values()) == [0.125, 0.25, 0.5]
    assert counted([5, 6], ngrams=2, presence=[1.0, 1.0]) == full


def test_taking_a_word_out_everywhere_takes_its_ngrams_out() -> None:
    left = counted([5, 6, 7], ngrams=2, presence=[1.0, 0.0, 1.0])
    assert left == counted([5], ngrams=1) | counted([7], ngrams=1)


def test_an_ngram_stays_while_one_of_its_occurrences_does() -> None:
    assert counted([5, 5], ngrams=1, presence=[0.0, 1.0]) == counted([5], ngrams=1)


def test_presence_has_a_gradient_where_the_document_has_words() -> None:
    tokens, lengths = batch([5, 6, 5])
    presence = torch.ones(1, 8, requires_grad=True)
    bag()(tokens, lengths, presence=presence)[0, 1].backward()
    assert presence.grad is not None
    assert (presence.grad[0, :3] != 0).all() and (presence.grad[0, 3:] == 0).all()


def test_the_logits_are_the_sum_over_the_set() -> None:
    path = bag(classes=3)
    tokens, lengths = batch([5, 6, 5, 6], [9])
    for row, document in enumerate(([5, 6, 5, 6], [9])):
        wanted = sum(path.table[bucket] for bucket in counted(document, ngrams=2))
        assert torch.allclose(path(tokens, lengths)[row], torch.as_tensor(wanted))


def test_two_classes_share_one_column() -> None:
    path = bag()
    assert path.table.shape == (BUCKETS, 1)
    logits = path(*batch([5, 6]))
    wanted = sum(path.table[bucket, 0] for bucket in counted([5, 6], ngrams=2))
    assert torch.allclose(logits[:, 1] - logits[:, 0], torch.as_tensor(wanted))


def test_a_fixed_table_is_no_parameter_and_is_saved() -> None:
    path = bag(trained=False)
    assert sorted(name for name, _ in path.named_parameters()) == ["bias", "scale"]
    assert "table" in path.state_dict()


def test_dropout_takes_the_whole_path_from_some_training_documents() -> None:
    path = bag(dropout=0.5)
    tokens, lengths = batch(*[[5, 6]] * 200)
    assert (path(tokens, lengths) != 0).all()
    torch.manual_seed(0)
    left = path.train()(tokens, lengths)
    assert 60 < int((left[:, 0] == 0).sum()) < 140
    assert torch.unique(left[:, 0]).numel() == 2  # nothing is scaled up
    assert (bag(dropout=1.0).train()(tokens, lengths) == 0).all()


@pytest.mark.parametrize(
    ("wrong", "said"), [({"buckets": 1}, "ngram_buckets must be"), ({"dropout": 1.5}, "ngram_dropout must be")]
)
def test_what_is_out_of_range_is_named(wrong: dict[str, float], said: str) -> None:
    given = {"num_classes": 2, "ngrams": 2, "buckets": 8, "trained": True, "dropout": 0.0}
    with pytest.raises(ValueError, match=f"^{said}"):
        NgramBag(**(given | wrong))  # type: ignore[arg-type]
