"""Poems in memory: what a batch holds, what an epoch draws, how long poems and streams are cut."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.data.base import Draw
from dlcourse.data.poem_cleaning import Poem
from dlcourse.data.poem_set import PoemSet, pieces
from dlcourse.data.poems import PoemBatch, PoemSplit
from dlcourse.text.characters import EOP_ID, FORM_IDS, CharacterEncoder
from dlcourse.text.ragged import Ragged

CHARS = "山水風月花鳥"
ENCODER = CharacterEncoder.build([CHARS], max_tokens=100, min_freq=1)


def split(*lengths: int, **options: object) -> PoemSplit:
    """Poems of so many characters; poem i begins with character i."""
    texts = [
        "".join(CHARS[(number + at) % len(CHARS)] for at in range(length)) for number, length in enumerate(lengths)
    ]
    documents = Ragged.of([[FORM_IDS["other"], *ENCODER.encode(text), EOP_ID] for text in texts])
    return PoemSplit(documents, texts, ["other"] * len(texts), ENCODER, **options)  # type: ignore[arg-type]


def test_a_batch_is_padded_to_a_multiple_of_8_and_predicts_all_but_the_first_token() -> None:
    part = split(3, 7)
    batch = part.fetch(torch.tensor([1, 0]))
    assert batch.tokens.shape == (2, 16)
    assert batch.tokens.dtype == batch.lengths.dtype == batch.indices.dtype == torch.int64
    assert batch.tokens[1].tolist() == [6, *ENCODER.encode("山水風"), 7] + [0] * 11
    assert (batch.lengths.tolist(), batch.indices.tolist()) == ([9, 5], [1, 0])
    tokens, lengths = batch.inputs
    assert (tokens.tolist(), lengths.tolist()) == (batch.tokens[:, :15].tolist(), [8, 4])
    assert batch.targets.tolist() == batch.tokens[:, 1:].tolist()
    assert batch.weight == 12.0
    assert int((batch.targets > 0).sum()) == 12
    assert part.fetch(torch.tensor([0])).tokens.shape == (1, 8)


def test_the_weight_of_a_fetched_batch_waits_for_no_device() -> None:
    batch = replace(split(3, 7).fetch(torch.tensor([1])), lengths=torch.empty(1, device="meta"))
    assert batch.weight == 8.0
    assert PoemBatch(torch.zeros(2, 8).long(), torch.tensor([3, 8]), torch.arange(2)).weight == 9.0


def test_an_epoch_is_a_function_of_seed_and_epoch_and_its_batches_hold_poems_of_similar_length() -> None:
    part = split(*(2 + number * 37 % 100 for number in range(160)))
    batches = part.epoch_batches(4, seed=1, epoch=0)
    assert [one.tolist() for one in batches] == [one.tolist() for one in part.epoch_batches(4, seed=1, epoch=0)]
    assert [one.tolist() for one in batches] != [one.tolist() for one in part.epoch_batches(4, seed=1, epoch=1)]
    assert sorted(torch.cat(list(batches)).tolist()) == list(range(160))
    spans = [part.fetch(batch).lengths for batch in batches]
    assert max(int(one.max() - one.min()) for one in spans) <= 10
    means = torch.tensor([float(one.float().mean()) for one in spans])
    assert not means.equal(means.sort().values), "batches go from short to long"
    plain = [part.fetch(one).lengths for one in replace(part, bucket=False).epoch_batches(4, seed=1, epoch=0)]
    assert max(int(one.max() - one.min()) for one in plain) > 20


def test_evaluation_sees_every_poem_once_the_shortest_first_even_beside_a_stream() -> None:
    for stream in (False, True):
        part = split(5, 3, 4, stream=stream)
        assert [batch.tolist() for batch in part.batches_in_order(2)] == [[1, 2], [0]]
        assert part.fetch(torch.tensor([0])).tokens[0, :7].tolist() == part.document(0)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=9), st.integers(2, 20), st.integers(0, 3))
def test_the_rows_of_a_stream_predict_every_token_but_the_first_once(
    lengths: list[int], window: int, epoch: int
) -> None:
    part = split(*lengths, stream=True, window=window)
    draw = Draw(seed=5, epoch=epoch)
    rows = torch.cat(list(part.epoch_batches(1, seed=5, epoch=epoch)))
    batch = part.fetch(rows.sort().values, draw=draw)
    width = batch.tokens.shape[1]
    assert width == min(window + 1, len(part.documents.values))
    assert batch.lengths.tolist() == [width] * len(rows)
    assert batch.weight == batch.targets.numel()
    stream = [*batch.tokens[:1, 0].tolist(), *batch.targets.flatten().tolist()]
    total = len(part.documents.values)
    assert total - (width - 1) < len(stream) <= total, "less than a row is left out"
    known = sorted(part.document(index) for index in range(len(part)))
    found = [list(map(int, poem.split())) for poem in " ".join(map(str, stream)).replace(" 7", " 7|").split("|")]
    assert sum(poem in known for poem in found) >= len(found) - 1, "only the last poem may be cut"


def test_the_order_of_a_stream_changes_with_the_epoch_alone() -> None:
    part = split(*range(3, 40), stream=True, window=16)
    rows = torch.arange(3)
    first = part.fetch(rows, draw=Draw(1, 0)).tokens
    second = part.fetch(rows, draw=Draw(1, 1)).tokens
    assert not torch.equal(first, second)
    assert torch.equal(part.fetch(rows, draw=Draw(1, 0)).tokens, first)
    assert part.steps(4) == (len(part.documents.values) - 1) // 16 // 4 == len(part.epoch_batches(4, seed=1, epoch=0))


def test_the_fingerprint_knows_poems_vocabulary_and_how_batches_are_made() -> None:
    part = split(4, 5)
    others = [split(5, 4), replace(part, bucket=False), replace(part, stream=True), replace(part, window=64)]
    prints = {one.fingerprint for one in (part, *others)}
    assert len(prints) == 5
    assert split(4, 5).fingerprint == part.to(torch.device("cpu")).fingerprint == part.fingerprint


def test_long_poems_are_cut_behind_couplets_or_else_lines() -> None:
    text = "山山山山，水水水水。風風風風，月月月月。花花花花，鳥鳥鳥鳥。"
    assert pieces(text, limit=24) == [(text[:20], False), (text[20:], True)]
    assert pieces(text, limit=9) == [(text[at : at + 5], at == 25) for at in range(0, 30, 5)]
    assert pieces(text, limit=30) == pieces(text, limit=None) == [(text, True)]


class LongPoems(PoemSet):
    """Ten poems of 100 lines."""

    def __init__(self, *, stream: bool) -> None:
        super().__init__(
            val_fraction=0.1,
            test_fraction=0.1,
            split_seed=0,
            max_tokens=20,
            min_freq=1,
            max_length=66,
            bucket=True,
            stream=stream,
            window=16,
        )

    def read(self) -> list[Poem]:
        return [Poem("山水，" * number + "風月。" * (100 - number)) for number in range(10)]


def test_only_a_stream_keeps_long_poems_whole_and_only_in_training() -> None:
    cut, whole = LongPoems(stream=False).load(), LongPoems(stream=True).load()
    assert [len(part) for part in (cut.train, cut.val, cut.test)] == [8 * 5, 5, 5]
    assert [len(part) for part in (whole.train, whole.val, whole.test)] == [8, 5, 5]
    joined = [index for number in range(5) for index in cut.train.document(number)]
    assert [index for index in joined if index != 6] == whole.train.document(0)[1:]
    assert [cut.train.document(number)[-1] == EOP_ID for number in range(5)] == [False] * 4 + [True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 1}, r"^window must be 2 or more tokens, not 1"),
        ({"texts": ["山"]}, r"^texts must be as many as documents \(2\), not 1"),
        ({"forms": ["other"]}, r"^forms must be as many"),
        ({"titles": ["a", "b", "c"]}, r"^titles must be as many"),
        ({"documents": Ragged.of([[6, 7], [6]])}, r"^documents must be one or more, each of at least two"),
    ],
)
def test_impossible_settings_are_refused_by_name(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(split(3, 4), **options)  # type: ignore[arg-type]
