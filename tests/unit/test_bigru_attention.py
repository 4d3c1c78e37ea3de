"""BiGRU with attention: shapes, poolings, presence, dropouts and what is out of range."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from dlcourse.models.bigru_attention import AdditiveAttention, BiGRUAttention, Pooling
from dlcourse.models.text_encoder import LockedDropout

POOLINGS = get_args(Pooling)
LENGTHS = torch.tensor([7, 3, 1])
TOKENS = torch.tensor([[4, 5, 6, 7, 8, 9, 4, 0], [5, 4, 5, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0]])


def model(**changed: Any) -> BiGRUAttention:
    torch.manual_seed(0)
    given = {"vocab_size": 12, "num_classes": 2, "embedding_size": 6, "hidden_size": 5, "attention_size": 4}
    return BiGRUAttention(**(given | changed)).eval()


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("cell", ["gru", "lstm", "elman"])
def test_every_pooling_and_cell_gives_logits(pooling: str, cell: str) -> None:
    logits = model(pooling=pooling, cell=cell, num_classes=3, layers=2, ngrams=2, ngram_buckets=64)(TOKENS, LENGTHS)
    assert logits.shape == (3, 3)
    assert logits.isfinite().all()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_attention_sums_to_one_over_words(pooling: str) -> None:
    shares = model(pooling=pooling).attention(TOKENS, LENGTHS)
    assert torch.allclose(shares.sum(1), torch.ones(3))
    assert (shares[TOKENS == 0] == 0).all()
    assert shares.dtype == torch.float32


def test_attention_is_uniform_without_an_attention_layer() -> None:
    assert torch.allclose(model(pooling="max").attention(TOKENS, LENGTHS)[1, :3], torch.full((3,), 1 / 3))


def test_attention_is_that_of_the_paper() -> None:
    attend = AdditiveAttention(4, 3)
    states = torch.randn(2, 5, 4)
    words = torch.tensor([[True] * 5, [True] * 2 + [False] * 3])
    found = attend(states, words)
    for row, count in ((0, 5), (1, 2)):
        scores = torch.stack([
            attend.score.weight[0] @ torch.tanh(attend.hidden.weight @ state + attend.hidden.bias)
            for state in states[row, :count]
        ])  # fmt: skip
        assert torch.allclose(found[row, :count], scores.softmax(0), atol=1e-6)


def test_a_row_of_padding_alone_gets_no_attention() -> None:
    shares = AdditiveAttention(4, 3)(torch.randn(2, 5, 4), torch.tensor([[False] * 5, [True] * 5]))
    assert (shares[0] == 0).all()
    assert torch.allclose(shares[1].sum(), torch.tensor(1.0))


def pooled(states: Tensor, words: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Row by row, with loops."""
    kept = [state[word] for state, word in zip(states, words, strict=True)]
    half = states.shape[2] // 2
    return {
        "attention": torch.stack([w[k] @ s for w, k, s in zip(weights, words, kept, strict=True)]),
        "max": torch.stack([s.max(0).values for s in kept]),
        "mean": torch.stack([s.mean(0) for s in kept]),
        "last": torch.stack([torch.cat([s[-1, :half], s[0, half:]]) for s in kept]),
    }


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_classifier_sees_what_its_pooling_says(pooling: str) -> None:
    network = model(pooling=pooling)
    states, words = network.encoder(TOKENS, LENGTHS), TOKENS > 0
    found = pooled(states, words, network.attention(TOKENS, LENGTHS))
    wanted = torch.cat(list(found.values()), 1) if pooling == "all" else found[pooling]
    assert torch.allclose(network(TOKENS, LENGTHS), network.classifier(wanted), atol=1e-6)


def test_a_word_that_is_not_there_is_as_one_of_zeros() -> None:
    network = model(ngrams=2, ngram_buckets=64)
    presence = torch.ones(TOKENS.shape)
    assert torch.equal(network(TOKENS, LENGTHS, presence=presence), network(TOKENS, LENGTHS))
    presence[0, 2] = 0.0
    nudge = torch.zeros(*TOKENS.shape, 6)
    nudge[0, 2] = -network.embed(TOKENS)[0, 2]
    without = network.encoder(TOKENS, LENGTHS, presence=presence)
    assert torch.allclose(without, network.encoder(TOKENS, LENGTHS, nudge=nudge), atol=1e-6)


def test_presence_and_nudge_get_gradients_only_at_words() -> None:
    presence = torch.ones(TOKENS.shape, requires_grad=True)
    nudge = torch.zeros(*TOKENS.shape, 6, requires_grad=True)
    model(pooling="all")(TOKENS, LENGTHS, presence=presence, nudge=nudge).sum().backward()
    for grad in (presence.grad, nudge.grad):
        assert grad is not None
        assert (grad[TOKENS == 0] == 0).all() and (grad[TOKENS > 0] != 0).any()


def test_the_row_of_padding_is_zero_and_stays_so() -> None:
    network = model().train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.1)
    network(TOKENS, LENGTHS).sum().backward()
    optimizer.step()
    assert (network.encoder.embedding.weight[0] == 0).all()
    with torch.no_grad():
        network.encoder.embedding.weight[0] = 5.0
    assert (network.embed(TOKENS)[TOKENS == 0] == 0).all()


def test_embedding_dropout_takes_a_word_out_of_a_document_everywhere() -> None:
    encoder = model(embedding_dropout=0.5).encoder.train()
    torch.manual_seed(1)
    tokens = torch.arange(1, 12).repeat(500, 2)
    (share,) = encoder._shares(tokens)
    assert torch.equal(share[:, :11], share[:, 11:])  # both occurrences of a word
    assert set(share.unique().tolist()) == {0.0, 2.0}
    assert (share[:, 0] == 0).float().mean() == pytest.approx(0.5, abs=0.08)
    assert share[0].ne(share[1]).any()  # each document loses words of its own


def test_word_dropout_takes_single_occurrences_out() -> None:
    encoder = model(word_dropout=0.25).encoder.train()
    torch.manual_seed(1)
    (share,) = encoder._shares(torch.full((50, 40), 3))
    assert set(share.unique().tolist()) == {0.0, 1.0}
    assert float(share.mean()) == pytest.approx(0.75, abs=0.05)


def test_locked_dropout_keeps_one_mask_over_time() -> None:
    torch.manual_seed(1)
    kept = LockedDropout(0.5)(torch.ones(4, 9, 50))
    assert torch.equal(kept, kept[:, :1].expand_as(kept))
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert kept[0].ne(kept[1]).any()


def test_nothing_is_dropped_in_evaluation() -> None:
    everything = {
        "dropout": 0.5, "embedding_dropout": 0.5, "word_dropout": 0.5, "locked_dropout": 0.5, "ngrams": 2,
        "ngram_buckets": 64, "ngram_dropout": 0.5,
    }  # fmt: skip
    assert torch.equal(model(**everything)(TOKENS, LENGTHS), model(ngrams=2, ngram_buckets=64)(TOKENS, LENGTHS))
    torch.manual_seed(2)
    network = model(**everything).train()
    assert not torch.equal(network(TOKENS, LENGTHS), network(TOKENS, LENGTHS))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_classes", 1), ("vocab_size", 0), ("embedding_size", 0), ("hidden_size", 0), ("layers", 0),
        ("attention_size", 0), ("ngrams", 0), ("dropout", 1.0), ("embedding_dropout", -0.1), ("word_dropout", 1.0),
        ("locked_dropout", 2.0), ("pooling", "sum"), ("cell", "rnn"),
    ],
)  # fmt: skip
def test_what_is_out_of_range_is_named(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be"):
        model(**{name: value})
