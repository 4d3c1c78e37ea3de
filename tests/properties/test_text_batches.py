"""What holds for batches of documents whatever their number, lengths and settings."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.data.texts import TextSplit
from dlcourse.text.encoders import Encoder, build_encoder
from dlcourse.text.ragged import Ragged

ENCODER: Encoder = build_encoder(["a b c"], tokenizer="words", max_tokens=100, min_freq=1)
OTHER: Encoder = build_encoder(["a b d"], tokenizer="words", max_tokens=100, min_freq=1)

documents = st.lists(st.lists(st.integers(1, 99), max_size=70), min_size=1, max_size=40)
truncations = st.sampled_from(["head", "tail", "head_tail"])
limits = st.none() | st.integers(1, 80)


def make(lists: list[list[int]], **options: object) -> TextSplit:
    labels = torch.arange(len(lists)) % 3
    return TextSplit(Ragged.of(lists), labels, ("x", "y", "z"), ENCODER, **options)  # type: ignore[arg-type]


def truncated(ids: list[int], limit: int | None, how: str) -> list[int]:
    """The plain way."""
    ids = ids or [1]
    if limit is None or len(ids) <= limit:
        return ids
    head = {"head": limit, "tail": 0, "head_tail": (limit + 3) // 4}[how]
    tail = limit - head
    return ids[:head] + (ids[-tail:] if tail else [])


@given(documents, limits, truncations, st.data())
def test_a_batch_is_what_a_plain_loop_gathers(
    lists: list[list[int]], limit: int | None, how: str, data: st.DataObject
) -> None:
    split = make(lists, max_length=limit, truncate=how)
    chosen = data.draw(st.lists(st.integers(0, len(lists) - 1), min_size=1, max_size=10))
    batch = split.fetch(torch.tensor(chosen))
    expected = [truncated(lists[index], limit, how) for index in chosen]
    longest = max(map(len, expected))
    assert batch.tokens.shape[1] % 32 == 0 and batch.tokens.shape[1] - 32 < longest <= batch.tokens.shape[1]
    for row, length, ids in zip(batch.tokens.tolist(), batch.lengths.tolist(), expected, strict=True):
        assert row == ids + [0] * (len(row) - len(ids))
        assert length == len(ids)
    assert batch.labels.tolist() == [index % 3 for index in chosen]
    assert [split.document(index) for index in chosen] == expected


@given(documents, limits)
def test_head_and_tail_keep_both_ends(lists: list[list[int]], limit: int | None) -> None:
    split = make(lists, max_length=limit)
    for index, ids in enumerate(lists):
        kept = split.document(index)
        if limit is not None and limit >= 2 and ids:
            assert (kept[0], kept[-1]) == (ids[0], ids[-1])
        assert len(kept) == min(len(ids) or 1, limit or len(ids) or 1)


@given(documents, st.integers(1, 12), st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_an_epoch_is_a_function_of_seed_and_epoch_and_holds_full_batches_of_different_documents(
    lists: list[list[int]], size: int, seed: int, epoch: int, bucket: bool
) -> None:
    split = make(lists, bucket=bucket)
    batches = split.epoch_batches(size, seed=seed, epoch=epoch)
    again = make(lists, bucket=bucket).epoch_batches(size, seed=seed, epoch=epoch)
    assert all(torch.equal(one, other) for one, other in zip(batches, again, strict=True))
    assert len(batches) == split.steps(size)
    assert {len(batch) for batch in batches} == {min(size, len(lists))}
    seen = torch.cat(list(batches)).tolist()
    assert len(set(seen)) == len(seen)
    assert set(seen) <= set(range(len(lists)))


@given(documents, st.integers(1, 12))
def test_evaluation_sees_everything_once(lists: list[list[int]], size: int) -> None:
    split = make(lists)
    seen = torch.cat(list(split.batches_in_order(size)))
    assert sorted(seen.tolist()) == list(range(len(lists)))
    lengths = [len(split.document(index)) for index in seen.tolist()]
    assert lengths == sorted(lengths)


@given(documents, documents, st.integers(1, 9), st.floats(0.1, 3), st.booleans())
def test_an_epoch_with_a_pool_has_the_right_counts(
    lists: list[list[int]], pool: list[list[int]], size: int, share: float, bucket: bool
) -> None:
    split = make(lists, unlabelled=Ragged.of(pool), unlabelled_share=share, bucket=bucket)
    batches = split.epoch_batches(size, seed=1, epoch=2)
    labelled = min(size, len(lists))
    extra = round(labelled * share)
    assert len(batches) == split.steps(size)
    for indices in batches:
        batch = split.fetch(indices)
        assert len(batch.labels) == labelled + extra
        assert batch.weight == labelled == int((batch.labels >= 0).sum())
        assert torch.equal(batch.labels == -1, batch.indices >= len(split))
    drawn = torch.cat(list(batches))
    times = torch.bincount(drawn[drawn >= len(lists)] - len(lists), minlength=len(pool))
    assert int(times.max() - times.min()) <= 1, "each is drawn again only when all were"
    own = drawn[drawn < len(lists)]
    assert len(own.unique()) == len(own)


@given(st.integers(0, 20))
def test_epochs_differ(epoch: int) -> None:
    split = make([[1]] * 64)
    one, other = (torch.cat(list(split.epoch_batches(8, seed=0, epoch=number))) for number in (epoch, epoch + 1))
    assert not torch.equal(one, other)


@given(documents, st.data())
def test_the_fingerprint_changes_when_anything_that_training_sees_changes(
    lists: list[list[int]], data: st.DataObject
) -> None:
    pool = Ragged.of([[1, 2], [3]])
    known = {"max_length": 50, "truncate": "tail", "unlabelled": pool, "unlabelled_share": 1.0, "bucket": True}
    before = make(lists, **known)
    assert make(lists, **known).fingerprint == before.fingerprint
    index = data.draw(st.integers(0, len(lists) - 1))
    ids, labels = before.documents, before.labels
    touched = [[*one, 5] if number == index else one for number, one in enumerate(lists)]
    joined = Ragged(ids.values, np.append(ids.offsets[:-1], [ids.offsets[-1]] * 2))  # one more, empty, document
    others = [
        make(touched, **known),
        TextSplit(ids, labels.flip(0) + 1, before.classes, ENCODER, **known),  # type: ignore[arg-type]
        TextSplit(ids, labels, ("x", "y", "w"), ENCODER, **known),  # type: ignore[arg-type]
        TextSplit(ids, labels, before.classes, OTHER, **known),  # type: ignore[arg-type]
        TextSplit(joined, torch.arange(len(joined)) % 3, before.classes, ENCODER, **known),  # type: ignore[arg-type]
        make(lists, **{**known, "max_length": 51}),
        make(lists, **{**known, "truncate": "head"}),
        make(lists, **{**known, "unlabelled": Ragged.of([[1, 2, 3], []])}),
        make(lists, **{**known, "unlabelled_share": 2.0}),
        make(lists, **{**known, "bucket": False}),
    ]
    assert len({before.fingerprint, *(other.fingerprint for other in others)}) == len(others) + 1
