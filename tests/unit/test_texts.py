"""Documents in memory: what a batch holds, what truncation keeps, what an epoch draws."""

from dataclasses import replace

import pytest
import torch

from dlcourse.data.texts import TextBatch, TextSplit, without_empty
from dlcourse.text.encoders import Encoder, build_encoder
from dlcourse.text.ragged import Ragged

ENCODER: Encoder = build_encoder(["a b c d e f g h"], tokenizer="words", max_tokens=100, min_freq=1)


def split(*texts: str, encoder: Encoder = ENCODER, **options: object) -> TextSplit:
    """Documents of words, labelled 0, 1, 0, 1, ..."""
    labels = torch.arange(len(texts)) % 2
    return TextSplit(encoder.encode_all(texts), labels, ("neg", "pos"), encoder, **options)  # type: ignore[arg-type]


def words(count: int) -> str:
    return " ".join("abcdefgh"[number % 8] for number in range(count))


def test_a_batch_is_padded_with_zeros_to_a_multiple_of_32() -> None:
    batch = split("a b c", "d", words(33)).fetch(torch.tensor([1, 0]))
    assert batch.tokens.shape == (2, 32)
    assert batch.tokens.dtype == batch.lengths.dtype == batch.labels.dtype == batch.indices.dtype == torch.int64
    assert batch.tokens[0].tolist() == [5] + [0] * 31
    assert batch.tokens[1].tolist() == [2, 3, 4] + [0] * 29
    assert (batch.lengths.tolist(), batch.labels.tolist(), batch.indices.tolist()) == ([1, 3], [1, 0], [1, 0])
    assert batch.inputs == (batch.tokens, batch.lengths)
    assert split(words(33)).fetch(torch.tensor([0])).tokens.shape == (1, 64)


@pytest.mark.parametrize(("truncate", "kept"), [("head", "a b c d"), ("tail", "e f g h"), ("head_tail", "a f g h")])
def test_truncation_keeps_the_first_the_last_or_a_quarter_and_three_quarters(truncate: str, kept: str) -> None:
    part = split("a b c d e f g h", "c d", max_length=4, truncate=truncate)
    batch = part.fetch(torch.tensor([0, 1]))
    assert batch.tokens[0, :5].tolist() == [*ENCODER.encode(kept), 0]
    assert batch.tokens[1, :3].tolist() == [*ENCODER.encode("c d"), 0]
    assert part.document(0) == ENCODER.encode(kept)
    assert part.document(1) == ENCODER.encode("c d")
    assert part.text(0) == list("abcdefgh")


def test_head_and_tail_of_510_tokens_are_128_and_382_as_in_the_paper() -> None:
    part = split(words(1000), max_length=510, truncate="head_tail")
    whole = ENCODER.encode(words(1000))
    assert part.document(0) == whole[:128] + whole[-382:]


def test_an_empty_document_is_one_unknown_word() -> None:
    part = split("", "a", "", "")
    batch = part.fetch(torch.arange(4))
    assert batch.tokens[:, 0].tolist() == [1, 2, 1, 1]
    assert batch.lengths.tolist() == [1, 1, 1, 1]
    assert (part.document(0), part.text(2)) == ([1], ["<unk>"])
    assert [list(one) for one in without_empty(Ragged.of([[], [], [7]]))] == [[1], [1], [7]]


def test_the_weight_is_the_number_of_labelled_documents_or_of_all_if_none_is() -> None:
    tokens, lengths, indices = torch.ones(3, 32).long(), torch.ones(3).long(), torch.arange(3)
    assert TextBatch(tokens, lengths, torch.tensor([1, -1, 0]), indices).weight == 2.0
    assert TextBatch(tokens, lengths, torch.tensor([-1, -1, -1]), indices).weight == 3.0
    part = replace(split("a", "b"), labels=torch.tensor([-1, 1]))
    assert part.fetch(torch.arange(2)).weight == 1.0
    assert part.fetch(torch.tensor([0, 0])).weight == 2.0


def test_a_training_batch_holds_documents_of_similar_length() -> None:
    part = split(*(words(1 + number * 37 % 100) for number in range(160)))
    batches = part.epoch_batches(4, seed=1, epoch=0)
    lengths = [part.fetch(batch).lengths for batch in batches]
    assert max(int(one.max() - one.min()) for one in lengths) <= 10
    order = torch.tensor([float(one.float().mean()) for one in lengths])
    assert not order.equal(order.sort().values), "batches go from short to long"


def test_without_buckets_an_epoch_is_shuffled_as_that_of_any_other_split() -> None:
    part = split(*(words(1 + number) for number in range(40)), bucket=False)
    lengths = part.fetch(part.epoch_batches(8, seed=1, epoch=0)[0]).lengths
    assert int(lengths.max() - lengths.min()) > 10
    assert [len(batch) for batch in part.epoch_batches(7, seed=1, epoch=0)] == [7] * 5


def test_a_split_smaller_than_a_batch_is_one_batch() -> None:
    (batch,) = split("a", "b c", "d").epoch_batches(64, seed=1, epoch=0)
    assert sorted(batch.tolist()) == [0, 1, 2]


def test_evaluation_sees_every_document_once_the_shortest_first() -> None:
    batches = split("a b c", "a", "a b", "b").batches_in_order(3)
    assert [batch.tolist() for batch in batches] == [[1, 3, 2], [0]]


def test_unlabelled_documents_stand_behind_the_split_and_between_its_own_in_every_micro_batch() -> None:
    pool = ENCODER.encode_all(["c"] * 7 + ["d d"] * 5)
    part = split(*["a"] * 8, unlabelled=pool, unlabelled_share=0.5)
    assert (len(part), part.steps(4)) == (8, 2)
    for batch in part.epoch_batches(4, seed=1, epoch=0):
        micro = [part.fetch(half) for half in batch.tensor_split(2)]
        assert [one.weight for one in micro] == [2.0, 2.0]
        for one in micro:
            behind = one.indices >= len(part)
            assert one.labels[behind].tolist() == [-1]
            assert one.tokens[behind, 0].tolist()[0] in ENCODER.encode("c d")
    assert part.document(8 + 7) == ENCODER.encode("d d")


def test_a_pool_that_is_too_small_for_an_epoch_is_drawn_from_again() -> None:
    pool = ENCODER.encode_all(["c", "d"])
    part = split(*["a"] * 8, unlabelled=pool, unlabelled_share=1.0)
    drawn = torch.cat(list(part.epoch_batches(4, seed=1, epoch=0)))
    assert torch.bincount(drawn[drawn >= 8] - 8).tolist() == [4, 4]


def test_the_corpus_is_the_untruncated_documents_and_the_pool() -> None:
    pool = ENCODER.encode_all(["c d"])
    part = split("a b e", "b", max_length=1, unlabelled=pool)
    assert [one.tolist() for one in part.corpus()] == [ENCODER.encode(text) for text in ("a b e", "b", "c d")]
    assert [one.tolist() for one in replace(part, unlabelled=None).corpus()] == [[2, 3, 6], [3]]


def test_moving_a_split_changes_neither_batches_nor_fingerprint() -> None:
    part = split("a b", "c")
    moved = part.to(torch.device("cpu"))
    assert torch.equal(moved.fetch(torch.arange(2)).tokens, part.fetch(torch.arange(2)).tokens)
    assert moved.fingerprint == part.fingerprint


def test_the_weight_of_a_fetched_batch_waits_for_no_device() -> None:
    batch = replace(split("a", "b").fetch(torch.arange(2)), labels=torch.empty(2, device="meta"))
    assert batch.weight == 2.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 0}, r"^max_length must be 1 or more tokens"),
        ({"truncate": "middle"}, r"^truncate must be one of head, tail, head_tail, not 'middle'"),
        ({"unlabelled_share": -0.5}, r"^unlabelled_share must be 0 or more"),
        ({"unlabelled_share": float("nan")}, r"^unlabelled_share must be 0 or more"),
        ({"unlabelled_share": 1.0}, r"^unlabelled_share is 1.0, but there are no unlabelled documents"),
    ],
)
def test_impossible_settings_are_refused_by_name(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split("a", **options)


def test_every_document_needs_a_label() -> None:
    with pytest.raises(ValueError, match=r"^labels must be as many as documents \(2\), not 1"):
        replace(split("a", "b"), labels=torch.tensor([0]))
