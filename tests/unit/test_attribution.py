"""How much words count: by hand on a linear model, against captum on the embedding, and what must always hold."""

from __future__ import annotations

import importlib.util
import math
from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from dlcourse.errors import ConfigError
from dlcourse.models.bigru_attention import BiGRUAttention
from dlcourse.tasks.attribution import (
    attention,
    completeness_gap,
    gradient_x_input,
    has_captum,
    integrated_gradients,
    is_word,
    margin,
    normalised_entropy,
    random_order,
    require_captum,
)


class Reader(nn.Module):
    """A small model with a recurrent layer, dropout and attention, and as little else as the scores need."""

    def __init__(self, *, seed: int, classes: int = 2, words: int = 20) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.embedding = nn.Embedding(words, 6, padding_idx=0)
        self.recurrent = nn.GRU(6, 5, batch_first=True)
        self.look = nn.Linear(5, 1)
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(5, classes)

    def forward(self, tokens: Tensor, lengths: Tensor, *, presence: Tensor | None = None) -> Tensor:
        embedded = self.embedding(tokens)
        return self.classify(embedded if presence is None else embedded * presence[..., None], lengths)

    def classify(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        states = self.recurrent(embedded)[0]
        return self.classifier(self.dropout((self.weights(states, lengths)[..., None] * states).sum(1)))

    def attention(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        return self.weights(self.recurrent(self.embedding(tokens))[0], lengths)

    def weights(self, states: Tensor, lengths: Tensor) -> Tensor:
        scores = 3 * self.look(states)[..., 0]
        return scores.masked_fill(~is_word(scores, lengths), -torch.inf).softmax(1)


class Sum(nn.Module):
    """Logits are sums of one number a word and class, so every word's share is known."""

    def __init__(self, table: list[list[float]]) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.tensor(table))

    def forward(self, tokens: Tensor, lengths: Tensor, *, presence: Tensor | None = None) -> Tensor:
        there = is_word(tokens, lengths).float()
        return (self.table[tokens] * (there if presence is None else presence)[..., None]).sum(1)


def documents(seed: int, *, classes: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens [4, 9] with padding, lengths, and targets."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([9, 1, 4, 7])
    tokens = torch.randint(1, 20, (4, 9), generator=generator)
    return tokens * is_word(tokens, lengths), lengths, torch.randint(classes, (4,), generator=generator)


METHODS = [attention, gradient_x_input, integrated_gradients]


def test_of_a_sum_every_word_gets_what_it_adds() -> None:
    model = Sum([[9, -9], [0.5, 0.0], [1.0, 3.0], [0.0, -2.0]])
    tokens, lengths = torch.tensor([[1, 2, 3, 2], [3, 0, 0, 0]]), torch.tensor([4, 1])
    target = torch.tensor([1, 0])
    expected = torch.tensor([[-0.5, 2, -2, 2], [2, 0, 0, 0]])
    torch.testing.assert_close(gradient_x_input(model, tokens, lengths, target=target), expected)
    torch.testing.assert_close(integrated_gradients(model, tokens, lengths, target=target), expected)
    gap = completeness_gap(model, tokens, lengths, target=target, scores=expected)
    torch.testing.assert_close(gap, torch.zeros(2), msg="padding must not take part")


@given(seed=st.integers(0, 10**6), classes=st.integers(2, 4))
def test_gradient_x_input_is_captums_on_the_embedding(seed: int, classes: int) -> None:
    from captum.attr import InputXGradient

    model = Reader(seed=seed, classes=classes).eval()
    tokens, lengths, target = documents(seed, classes=classes)
    embedded = model.embedding(tokens).detach().requires_grad_()
    oracle = InputXGradient(lambda words: margin(model.classify(words, lengths), target)).attribute(embedded)
    found = gradient_x_input(model, tokens, lengths, target=target)
    torch.testing.assert_close(found, oracle.sum(-1), rtol=1e-4, atol=1e-6)


@given(seed=st.integers(0, 10**6), classes=st.integers(2, 4))
def test_integrated_gradients_sum_to_what_the_words_change(seed: int, classes: int) -> None:
    model = Reader(seed=seed, classes=classes).eval()
    tokens, lengths, target = documents(seed, classes=classes)
    scores = integrated_gradients(model, tokens, lengths, target=target)
    gap = completeness_gap(model, tokens, lengths, target=target, scores=scores)
    assert gap.abs().max() < 1e-3
    words = margin(model(tokens, lengths), target) - margin(
        model(tokens, lengths, presence=torch.zeros(tokens.shape)), target
    )
    torch.testing.assert_close(scores.sum(1), words, rtol=0, atol=1e-3)
    assert completeness_gap(model, tokens, lengths, target=target, scores=scores + 0.1).abs().min() > 0.5


@pytest.mark.parametrize("pooling", ["attention", "max", "all"])
@pytest.mark.parametrize("ngrams", [1, 2])
def test_they_are_complete_for_the_real_model_and_its_ngrams(
    pooling: Literal["attention", "max", "all"], ngrams: int
) -> None:
    torch.manual_seed(ngrams)
    model = BiGRUAttention(
        vocab_size=20, num_classes=3, embedding_size=6, hidden_size=5, pooling=pooling, ngrams=ngrams, ngram_buckets=32
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape))
    tokens, lengths, target = documents(ngrams, classes=3)
    tokens = torch.nn.functional.pad(tokens, (0, 23))
    scores = integrated_gradients(model, tokens, lengths, target=target, steps=200)
    gap = completeness_gap(model, tokens, lengths, target=target, scores=scores)
    assert gap.abs().max() < 0.01 < scores.abs().max()  # not 0: a maximum has kinks


def test_one_step_is_too_few_to_be_complete() -> None:
    model = Reader(seed=3).eval()
    tokens, lengths, target = documents(3)
    gaps = [
        completeness_gap(
            model, tokens, lengths, target=target,
            scores=integrated_gradients(model, tokens, lengths, target=target, steps=steps),
        ).abs().max()
        for steps in (1, 32)
    ]  # fmt: skip
    assert gaps[1] < gaps[0]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_scores_are_zero_at_padding_and_leave_the_model_as_it_was(method) -> None:
    model = Reader(seed=1).train()
    model.recurrent.eval()
    tokens, lengths, target = documents(1)
    scores = method(model, tokens, lengths, target=target)
    assert scores.shape == tokens.shape and scores.dtype == torch.float32 and not scores.requires_grad
    assert not scores[~is_word(tokens, lengths)].any() and scores[is_word(tokens, lengths)].any()
    assert torch.equal(scores, method(model, tokens, lengths, target=target)), "dropout must be off"
    assert model.training and model.dropout.training and not model.recurrent.training
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
def test_a_document_is_scored_alike_alone_and_beside_others(method) -> None:
    model = Reader(seed=2).eval()
    tokens, lengths, target = documents(2)
    together = method(model, tokens, lengths, target=target)
    alone = method(model, tokens[2:3, :4], lengths[2:3], target=target[2:3])
    torch.testing.assert_close(together[2:3, :4], alone, rtol=1e-4, atol=1e-6)


@given(seed=st.integers(0, 10**6), classes=st.integers(2, 6))
def test_the_margin_is_the_log_odds_and_blind_to_a_shift(seed: int, classes: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(5, classes, generator=generator, dtype=torch.float64)
    target = torch.randint(classes, (5,), generator=generator)
    chance = logits.softmax(1).gather(1, target[:, None])[:, 0]
    torch.testing.assert_close(margin(logits, target), (chance / (1 - chance)).log())
    torch.testing.assert_close(margin(logits + 7, target), margin(logits, target))
    if classes == 2:
        torch.testing.assert_close(margin(logits, target), logits.diff(dim=1)[:, 0] * (2 * target - 1))


def test_the_random_order_is_the_seeds() -> None:
    tokens, lengths, target = documents(0)
    draws = [
        random_order(Sum([[0.0]]), tokens, lengths, target=target, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    ]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
    assert not draws[0][~is_word(tokens, lengths)].any()


def test_entropy_is_one_where_flat_and_nothing_where_all_is_on_one_word() -> None:
    weights = torch.tensor([[0.25, 0.25, 0.25, 0.25], [1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0], [1, 0, 0, 0]])
    entropy = normalised_entropy(weights, torch.tensor([4, 4, 4, 2, 1]))
    torch.testing.assert_close(entropy, torch.tensor([1, 0, math.log(2) / math.log(4), 1, 1]))


def test_without_captum_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    require_captum()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert not has_captum()
    with pytest.raises(ConfigError, match=r'pip install "dlcourse\[explain\]"'):
        integrated_gradients(Reader(seed=0), *documents(0)[:2], target=documents(0)[2])
