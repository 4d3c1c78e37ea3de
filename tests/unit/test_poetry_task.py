"""The poetry task: what is predicted and counted, and a cross entropy that is torch's to the last gradient."""

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
from dlcourse.tasks import full_softmax
from dlcourse.tasks.full_softmax import total_loss
from dlcourse.tasks.poetry import Poetry, PoetryStats, are_characters, predicted_places
from dlcourse.text.characters import COMMA_ID, EOP_ID, FORM_IDS, STOP_ID

V = 40
POEMS = st.lists(st.lists(st.integers(7, V - 1), min_size=1, max_size=9), min_size=1, max_size=6)


@dataclass(frozen=True)
class Poems:
    """What a split of poems gives."""

    tokens: Tensor
    lengths: Tensor

    @classmethod
    def of(cls, *poems: list[int], padding: int = 0) -> Poems:
        width = max(map(len, poems)) + padding
        rows = [[*poem, *[0] * (width - len(poem))] for poem in poems]
        return cls(torch.tensor(rows), torch.tensor(list(map(len, poems))))

    @property
    def indices(self) -> Tensor:
        return torch.arange(len(self.lengths))

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self.tokens[:, :-1], self.lengths - 1

    @property
    def targets(self) -> Tensor:
        return self.tokens[:, 1:]

    @property
    def weight(self) -> float:
        return float((self.lengths - 1).sum())


class Echo(nn.Module):
    """Predicts from the token that stands there alone."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(V, 8)
        self.output_weight = nn.Parameter(torch.randn(V, 8))
        self.output_bias = nn.Parameter(torch.randn(V))

    def outputs(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        assert tokens.shape[0] == len(lengths)
        return self.embedding(tokens)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        return self.outputs(tokens, lengths) @ self.output_weight.T + self.output_bias


FIRST = FORM_IDS["5jue"]
BATCH = Poems.of([FIRST, 12, 13, COMMA_ID, 14, 1, STOP_ID, EOP_ID], [FIRST, 15, STOP_ID, EOP_ID], padding=3)


def by_poems(model: Echo, batch: Poems, *, label_smoothing: float = 0.0) -> Tensor:
    """The loss of every predicted token, one poem at a time."""
    losses = [
        cross_entropy(
            model(poem[None, : length - 1], torch.tensor([length - 1]))[0], poem[1:length], reduction="none",
            label_smoothing=label_smoothing,
        )
        for poem, length in zip(batch.tokens, batch.lengths.tolist(), strict=True)
    ]  # fmt: skip
    return torch.cat(losses)


def test_two_poems_by_hand() -> None:
    places = predicted_places(BATCH)
    assert places.tolist() == [0, 1, 2, 3, 4, 5, 6, 10, 11, 12]
    targets = BATCH.targets.flatten()[places]
    assert targets.tolist() == [12, 13, COMMA_ID, 14, 1, STOP_ID, EOP_ID, 15, STOP_ID, EOP_ID]
    # An unknown character is one; punctuation and the end are none.
    assert are_characters(targets).tolist() == [True, True, False, True, True, False, False, True, False, False]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_torchs_and_so_is_every_gradient(smoothing: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_softmax, "ROWS_CPU", 4)  # the ten tokens fill two parts and a half
    ours, theirs = Echo(), Echo()
    loss = Poetry(label_smoothing=smoothing).loss(ours, BATCH)
    wanted = by_poems(theirs, BATCH, label_smoothing=smoothing).mean()
    torch.testing.assert_close(loss, wanted)
    (3 * loss).backward()
    (3 * wanted).backward()
    for (name, one), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, msg=name)


def test_both_perplexities_by_hand() -> None:
    model = Echo()
    losses = by_poems(model, BATCH).detach()
    summary = Poetry(label_smoothing=0.3).evaluate(model, BATCH).summary()
    of_characters = losses[[0, 1, 3, 4, 7]]
    assert summary == pytest.approx(
        {
            "loss": losses.mean().item(),
            "perplexity": losses.mean().exp().item(),
            "perplexity_characters": of_characters.mean().exp().item(),
        },
        rel=1e-5,
    )
    assert Poetry.best[0] in summary


@given(POEMS, st.integers(0, 9), st.integers(0, 5))
def test_padding_and_batches_change_no_number(poems: list[list[int]], padding: int, cut: int) -> None:
    model, task = Echo(), Poetry()
    poems = [[FIRST, *poem] for poem in poems]
    whole = task.evaluate(model, Poems.of(*poems))
    parts = [task.evaluate(model, Poems.of(*some, padding=padding)) for some in (poems[:cut], poems[cut:]) if some]
    total = parts[0] if len(parts) == 1 else parts[0] + parts[1]
    assert total.counts.tolist() == whole.counts.tolist()
    assert total.summary() == pytest.approx(whole.summary(), rel=1e-5)
    padded = task.loss(model, Poems.of(*poems, padding=padding))
    torch.testing.assert_close(padded, task.loss(model, Poems.of(*poems)))


@given(st.integers(1, 20), st.integers(1, 7), st.floats(0, 0.9), st.integers(0, 2**31))
def test_the_cross_entropy_in_parts_is_torchs(count: int, rows: int, smoothing: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)

    def made() -> list[Tensor]:
        generator.manual_seed(seed)
        shapes = ((count, 6), (11, 6), (11,))
        return [torch.randn(shape, generator=generator).mul_(2).requires_grad_() for shape in shapes]

    targets = torch.randint(11, (count,), generator=generator)
    (outputs, weight, bias), theirs = made(), made()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(full_softmax, "ROWS_CPU", rows)
        loss = total_loss(outputs, targets, weight=weight, bias=bias, label_smoothing=smoothing)
    wanted = cross_entropy(
        theirs[0] @ theirs[1].T + theirs[2], targets, label_smoothing=smoothing, reduction="sum"
    )  # fmt: skip
    torch.testing.assert_close(loss, wanted, rtol=1e-4, atol=1e-4)
    loss.backward()
    wanted.backward()
    for mine, other in zip((outputs, weight, bias), theirs, strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-4, atol=1e-4)


def test_half_precision_outputs_are_multiplied_in_half_precision() -> None:
    torch.manual_seed(0)
    outputs, weight, bias = torch.randn(300, 8), torch.randn(V, 8), torch.randn(V)
    targets = torch.randint(V, (300,))
    narrow = outputs.bfloat16().requires_grad_()
    exact = cross_entropy(narrow.detach().float() @ weight.T + bias, targets, reduction="sum")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = total_loss(narrow, targets, weight=weight.requires_grad_(), bias=bias)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=5e-3)
    assert narrow.grad is not None and narrow.grad.dtype == torch.bfloat16
    assert weight.grad is not None and weight.grad.dtype == torch.float32


def test_every_part_has_as_many_rows() -> None:
    outputs = torch.randn(2 * full_softmax.ROWS_CPU + 3, 4)
    parts = list(full_softmax._parts(outputs))
    assert [len(rows) for _, rows, _ in parts] == [full_softmax.ROWS_CPU] * 3
    assert [int(counted.sum()) for *_, counted in parts] == [full_softmax.ROWS_CPU] * 2 + [3]
    assert torch.equal(torch.cat([rows[counted > 0] for _, rows, counted in parts]), outputs)


def test_poems_of_a_form_token_alone_cost_nothing() -> None:
    model, batch = Echo(), Poems.of([FIRST], [FIRST], padding=2)
    loss = Poetry().loss(model, batch)
    loss.backward()
    assert loss.item() == 0
    assert Poetry().evaluate(model, batch).summary() == {}


def test_what_is_not_defined_is_left_out() -> None:
    punctuation = Poetry().evaluate(Echo(), Poems.of([FIRST, STOP_ID, EOP_ID]))
    assert set(punctuation.summary()) == {"loss", "perplexity"}
    broken = PoetryStats(torch.tensor([math.nan, 1.0], dtype=torch.float64), torch.tensor([3, 2]))
    assert broken.summary() == {}


def test_perplexity_of_even_chances_is_their_number() -> None:
    model = Echo()
    for parameter in model.parameters():
        parameter.data.zero_()
    summary = Poetry().evaluate(model, BATCH).summary()
    assert summary["perplexity"] == pytest.approx(V) == summary["perplexity_characters"]


def test_a_model_that_predicts_no_characters_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^task: .* Linear has no outputs, output_weight, output_bias; take a model"):
        Poetry().loss(nn.Linear(2, 2), BATCH)


@pytest.mark.parametrize("value", [-0.1, 1.0])
def test_smoothing_out_of_range_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="^label_smoothing must be at least 0 and below 1"):
        Poetry(label_smoothing=value)
