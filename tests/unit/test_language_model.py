"""The language model task: which word is predicted from where, and both cross entropies against torch's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dlcourse.errors import ConfigError
from dlcourse.tasks import sampled_softmax
from dlcourse.tasks.language_model import LanguageModel, PerplexityStats, as_predicting, predictions
from dlcourse.tasks.sampled_softmax import Sample, draw, exact_losses, inclusion_chances, total_loss

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Texts:
    tokens: Tensor
    lengths: Tensor

    @property
    def indices(self) -> Tensor:
        return torch.arange(len(self.lengths))

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.tokens, self.lengths

    @property
    def weight(self) -> float:
        return float(len(self.lengths))


@dataclass(frozen=True)
class Shifted:
    """The same texts at other places of their split."""

    texts: Texts
    by: int

    @property
    def indices(self) -> Tensor:
        return self.texts.indices + self.by

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.texts.inputs

    @property
    def weight(self) -> float:
        return self.texts.weight


class Encoder(nn.Module):
    def __init__(self, *, words: int, size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, size)


class Echo(nn.Module):
    """Its states are the embedded words themselves, for both directions; padding is not zero but 1000."""

    def __init__(self, *, words: int = 40, size: int = 6, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.encoder = Encoder(words=words, size=size)
        self.ahead = nn.Linear(size, size)
        self.behind = nn.Linear(size, size)
        self.output_bias = nn.Parameter(torch.randn(words))

    def states(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        words = self.encoder.embedding(tokens)
        here = torch.arange(tokens.shape[1]) < lengths[:, None]
        return torch.cat([words, words], -1).masked_fill(~here[..., None], 1e3)

    def heads(self, states: Tensor) -> tuple[Tensor, Tensor]:
        forward, backward = states.chunk(2, -1)
        return self.ahead(forward), self.behind(backward)


def texts(count: int = 5, *, width: int = 7, words: int = 40, seed: int = 0) -> Texts:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, width + 1, (count,), generator=generator)
    tokens = torch.randint(1, words, (count, width), generator=generator)
    return Texts(tokens * (torch.arange(width) < lengths[:, None]), lengths)


def by_documents(model: Echo, batch: Texts) -> tuple[Tensor, Tensor]:
    """The losses of both directions, document by document, word by word, by torch."""
    forward: list[Tensor] = []
    backward: list[Tensor] = []
    for tokens, length in zip(batch.tokens, batch.lengths.tolist(), strict=True):
        words = tokens[:length]
        ahead, behind = model.heads(model.states(words[None], torch.tensor([length])))
        table, bias = model.encoder.embedding.weight, model.output_bias
        forward.append(cross_entropy(ahead[0, :-1] @ table.T + bias, words[1:], reduction="none"))
        backward.append(cross_entropy(behind[0, 1:] @ table.T + bias, words[:-1], reduction="none"))
    return torch.cat(forward), torch.cat(backward)


def problem(count: int = 30, *, words: int = 50, size: int = 8, seed: int = 0) -> tuple[Tensor, ...]:
    """Hidden, targets, weight and bias."""
    generator = torch.Generator().manual_seed(seed)
    hidden, weight = (torch.randn(n, size, generator=generator) for n in (count, words))
    bias = torch.randn(words, generator=generator)
    targets = torch.randint(words, (count,), generator=generator)
    return hidden.requires_grad_(), targets, weight.requires_grad_(), bias.requires_grad_()


def test_two_documents_by_hand() -> None:
    model = Echo()
    tokens = torch.tensor([[5, 6, 7, 0], [8, 0, 0, 0]])
    ahead, following, behind, preceding = predictions(as_predicting(model), tokens, torch.tensor([3, 1]))
    words = model.encoder.embedding.weight
    # 5 and 6 say what comes next, 6 and 7 what came before; a single word has no neighbour.
    assert following.tolist() == [6, 7]
    assert preceding.tolist() == [5, 6]
    torch.testing.assert_close(ahead, model.ahead(words[[5, 6]]))
    torch.testing.assert_close(behind, model.behind(words[[6, 7]]))


@pytest.mark.parametrize("samples", [0, 40, 4000])
def test_the_loss_over_the_whole_vocabulary_is_torchs(samples: int) -> None:
    model, batch = Echo(), texts()
    forward, backward = by_documents(model, batch)
    loss = LanguageModel(samples=samples).loss(model, batch)
    torch.testing.assert_close(loss, torch.cat([forward, backward]).mean())


def test_evaluation_is_exact_whatever_training_samples() -> None:
    model, batch = Echo(), texts(9)
    forward, backward = by_documents(model, batch)
    summary = LanguageModel(samples=3).evaluate(model, batch).summary()
    assert summary["loss"] == pytest.approx(torch.cat([forward, backward]).mean().item(), rel=1e-5)
    assert summary["perplexity"] == pytest.approx(math.exp(summary["loss"]))
    assert summary["perplexity_forward"] == pytest.approx(forward.mean().exp().item(), rel=1e-5)
    assert summary["perplexity_backward"] == pytest.approx(backward.mean().exp().item(), rel=1e-5)
    assert LanguageModel.best[0] in summary


@given(seed=st.integers(0, 2**31), extra=st.integers(0, 5))
def test_padding_and_batches_change_no_number(seed: int, extra: int) -> None:
    model, batch, task = Echo(), texts(6, seed=seed), LanguageModel()
    whole = task.evaluate(model, batch)
    wide = Texts(nn.functional.pad(batch.tokens, (0, extra)), batch.lengths)
    cut = [task.evaluate(model, Texts(wide.tokens[rows], wide.lengths[rows])) for rows in ([0, 4], [1], [2, 3, 5])]
    parts = cut[0] + cut[1] + cut[2]
    assert parts.words == whole.words == int((batch.lengths - 1).sum())
    assert parts.summary() == pytest.approx(whole.summary(), rel=1e-5)


@pytest.mark.parametrize("every", [2, 3, 10])
def test_the_parts_of_the_words_that_are_scored_add_up_to_all(every: int) -> None:
    model, batch = Echo(), texts(8, width=9)
    parts = [LanguageModel(score_every=every).evaluate(model, Shifted(batch, by=start)) for start in range(every)]
    whole = LanguageModel().evaluate(model, batch)
    assert sum(part.words for part in parts) == whole.words
    torch.testing.assert_close(torch.stack([part.losses for part in parts]).sum(0), whole.losses)


def test_the_gradient_reaches_every_weight_and_is_torchs() -> None:
    ours, theirs, batch = Echo(), Echo(), texts(8)
    LanguageModel(samples=0).loss(ours, batch).backward()
    torch.cat(by_documents(theirs, batch)).mean().backward()
    for (name, one), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, msg=name)
        assert one.grad is not None and one.grad.any(), name


def sampled_by_torch(problem: tuple[Tensor, ...], sample: Sample) -> Tensor:
    hidden, targets, weight, bias = problem
    scores = hidden @ weight.T + bias
    own = scores.gather(1, targets[:, None])
    others = (scores[:, sample.ids] - sample.log_chances).masked_fill(sample.ids == targets[:, None], -torch.inf)
    return (torch.cat([own, others], 1).logsumexp(1) - own[:, 0]).sum()


@pytest.mark.parametrize("chunk", [10, 97, 10_000])
@pytest.mark.parametrize("sampled", [True, False])
def test_loss_and_gradients_in_chunks_are_those_in_one_piece(
    chunk: int, sampled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampled_softmax, "CHUNK", chunk)
    monkeypatch.setattr(sampled_softmax, "FEWEST_ROWS", 4)
    torch.manual_seed(0)
    sample = draw(inclusion_chances(50, samples=20), device=CPU) if sampled else None
    ours, theirs = problem(), problem()
    hidden, targets, weight, bias = ours
    loss = total_loss(hidden, targets, weight=weight, bias=bias, sample=sample)
    if sample is None:
        expected = cross_entropy(theirs[0] @ theirs[2].T + theirs[3], theirs[1], reduction="sum")
    else:
        assert bool((sample.columns[targets] >= 0).any()) and bool((sample.columns[targets] < 0).any())
        expected = sampled_by_torch(theirs, sample)
    torch.testing.assert_close(loss, expected)
    (3 * loss).backward()
    (3 * expected).backward()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, other.grad)


def test_the_gradient_is_that_of_finite_differences() -> None:
    torch.manual_seed(0)
    sample = draw(inclusion_chances(50, samples=20), device=CPU)
    hidden, targets, weight, bias = problem(5)
    wide = [one.detach().double() for one in (hidden, weight, bias)]
    total_loss(hidden, targets, weight=weight, bias=bias, sample=sample).backward()
    step = 1e-6
    for place in ((0, 0), (4, 7)):
        shifted = [wide[0].clone(), wide[0].clone()]
        shifted[0][place] += step
        shifted[1][place] -= step
        up, down = (sampled_by_torch((one, targets, wide[1], wide[2]), sample) for one in shifted)
        assert hidden.grad is not None
        assert hidden.grad[place].item() == pytest.approx(((up - down) / (2 * step)).item(), rel=1e-3)


@pytest.mark.parametrize("columns", [1, 7, 50, 64])
def test_the_vocabulary_in_blocks_gives_torchs_losses(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled_softmax, "COLUMNS", columns)
    monkeypatch.setattr(sampled_softmax, "CHUNK", 8 * columns)
    hidden, targets, weight, bias = problem()
    expected = cross_entropy(20 * hidden @ weight.T + bias, targets, reduction="none")
    torch.testing.assert_close(exact_losses(20 * hidden, targets, weight=weight, bias=bias), expected)


@pytest.mark.parametrize(("vocab_size", "samples"), [(30000, 2048), (1000, 999), (1000, 1), (10, 3)])
def test_as_many_words_are_drawn_as_are_asked_for_and_frequent_ones_oftener(vocab_size: int, samples: int) -> None:
    chances = inclusion_chances(vocab_size, samples=samples)
    assert chances.sum().item() == pytest.approx(samples, rel=1e-3)
    assert ((chances > 0) | (samples == 1)).all() and (chances <= 1).all()
    assert (chances.diff() <= 0).all()


def test_a_sample_holds_each_word_as_often_as_its_chance_says() -> None:
    chances = inclusion_chances(60, samples=15)
    torch.manual_seed(0)
    counts = torch.zeros(60)
    for _ in range(4000):
        sample = draw(chances, device=CPU)
        counts[sample.ids] += 1
    assert sample.columns[sample.ids].tolist() == list(range(len(sample.ids)))
    assert int((sample.columns >= 0).sum()) == len(sample.ids)
    torch.testing.assert_close(sample.log_chances.exp(), chances[sample.ids])
    torch.testing.assert_close(counts / 4000, chances, atol=0.03, rtol=0)


def test_the_normaliser_is_right_on_average() -> None:
    hidden, targets, weight, bias = problem(8)
    chances = inclusion_chances(50, samples=12)
    torch.manual_seed(0)
    scores = (hidden @ weight.T + bias).detach()
    total = torch.zeros(8, dtype=torch.float64)
    for _ in range(6000):
        sample = draw(chances, device=CPU)
        weights = (scores[:, sample.ids] - sample.log_chances).exp()
        total += weights.masked_fill(sample.ids == targets[:, None], 0).sum(1)
    estimate = total / 6000 + scores.gather(1, targets[:, None])[:, 0].exp()
    torch.testing.assert_close(estimate.float(), scores.exp().sum(1), rtol=0.15, atol=0)


def test_the_sampled_loss_is_a_little_below_the_exact_one() -> None:
    hidden, targets, weight, bias = problem(400, words=300)
    chances = inclusion_chances(300, samples=150)
    exact = exact_losses(hidden, targets, weight=weight, bias=bias).mean().item()
    torch.manual_seed(0)
    losses = [
        total_loss(hidden, targets, weight=weight, bias=bias, sample=draw(chances, device=CPU)).item() / 400
        for _ in range(40)
    ]
    mean = sum(losses) / len(losses)
    assert mean <= exact + 0.02
    assert mean == pytest.approx(exact, rel=0.1)


def test_the_default_generator_decides_what_is_drawn() -> None:
    model, batch, task = Echo(), texts(9), LanguageModel(samples=5)
    losses: list[float] = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        losses.append(task.loss(model, batch).item())
    assert losses[0] == losses[1] != losses[2]


def test_a_batch_of_single_words_costs_nothing() -> None:
    model, task = Echo(), LanguageModel(samples=5)
    batch = Texts(torch.tensor([[3, 0], [4, 0]]), torch.tensor([1, 1]))
    loss = task.loss(model, batch)
    loss.backward()
    assert loss.item() == 0
    assert task.evaluate(model, batch).summary() == {}


def test_scores_stay_in_single_precision_under_autocast() -> None:
    hidden, targets, weight, bias = problem()
    exact = exact_losses(hidden, targets, weight=weight, bias=bias)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        again = exact_losses(hidden, targets, weight=weight, bias=bias)
        loss = total_loss(hidden, targets, weight=weight, bias=bias, sample=None)
    assert again.equal(exact)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, exact.sum())
    loss.backward()


def test_what_is_not_finite_is_left_out() -> None:
    assert PerplexityStats(torch.tensor([math.nan, 1.0], dtype=torch.float64), 3).summary() == {}
    summary = PerplexityStats(torch.tensor([1e5, 10.0], dtype=torch.float64), 10).summary()
    assert set(summary) == {"loss", "perplexity_backward"}
    assert PerplexityStats(torch.zeros(2, dtype=torch.float64), 0).summary() == {}


def test_perplexity_of_even_chances_is_their_number() -> None:
    model, batch = Echo(words=40), texts(4)
    for parameter in model.parameters():
        parameter.data.zero_()
    summary = LanguageModel().evaluate(model, batch).summary()
    assert summary["perplexity"] == pytest.approx(40, rel=1e-5)


def test_a_model_that_predicts_no_words_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^task: .* Linear has no states, heads, output_bias, encoder; take a model"):
        LanguageModel().loss(nn.Linear(2, 2), texts())


def test_scoring_no_word_is_refused() -> None:
    with pytest.raises(ValueError, match="^score_every must be at least 1, not 0"):
        LanguageModel(score_every=0)


def test_a_negative_number_of_samples_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^samples must be 0 \(the whole vocabulary\) or more, not -1$"):
        LanguageModel(samples=-1)
