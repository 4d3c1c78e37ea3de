"""Virtual adversarial training on a tiny model: the push by hand, its norm, and what it leaves alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import kl_div

from dlcourse.errors import ConfigError
from dlcourse.tasks.text_classification import TextClassification
from dlcourse.tasks.virtual_adversarial import check_takes_nudge, unit, with_divergence, word_scale


class Tiny(nn.Module):
    """The mean of embedded words through a layer; remembers every nudge that it was given."""

    def __init__(self, *, classes: int = 2, size: int = 5, dropout: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = nn.Parameter(torch.randn(30, size, generator=generator))
        self.layer = nn.Parameter(torch.randn(size, classes, generator=generator))
        self.dropout = nn.Dropout(dropout)
        self.nudges: list[Tensor | None] = []

    def embed(self, tokens: Tensor) -> Tensor:
        return self.table[tokens]

    def forward(self, tokens: Tensor, lengths: Tensor, *, nudge: Tensor | None = None) -> Tensor:
        self.nudges.append(None if nudge is None else nudge.detach())
        words = self.embed(tokens) if nudge is None else self.embed(tokens) + nudge
        here = torch.arange(tokens.shape[1]) < lengths[:, None]
        pooled = (torch.tanh(self.dropout(words)) * here[..., None]).sum(1) / lengths[:, None]
        return pooled @ self.layer


class Deaf(nn.Module):
    """Takes no nudge."""

    def embed(self, tokens: Tensor) -> Tensor:
        return tokens

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        return tokens


def documents(count: int = 6, *, width: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, width + 1, (count,), generator=generator)
    tokens = torch.randint(1, 30, (count, width), generator=generator)
    return tokens * (torch.arange(width) < lengths[:, None]), lengths


def spread(model: Tiny, tokens: Tensor, lengths: Tensor) -> Tensor:
    """Float [E]: the standard deviation over the words of the batch, by torch."""
    words = torch.cat([tokens[row, :length] for row, length in enumerate(lengths.tolist())])
    return model.table.detach()[words].std(0, correction=0)


def test_the_push_has_the_radius_in_standard_deviations_and_none_at_padding() -> None:
    model, (tokens, lengths) = Tiny(), documents()
    with_divergence(model, tokens, lengths, radius=5.0, xi=0.1)
    clean, tried, pushed = model.nudges
    assert clean is None and tried is not None and pushed is not None
    for nudge, radius in ((tried, 0.1), (pushed, 5.0)):
        norms = (nudge / spread(model, tokens, lengths)).flatten(1).norm(dim=1)
        torch.testing.assert_close(norms, torch.full_like(norms, radius))
        assert not nudge[torch.arange(8) >= lengths[:, None]].any()


def test_a_model_that_reads_its_padding_is_pushed_at_words_alone() -> None:
    class Careless(Tiny):
        def forward(self, tokens: Tensor, lengths: Tensor, *, nudge: Tensor | None = None) -> Tensor:
            return super().forward(tokens, torch.full_like(lengths, tokens.shape[1]), nudge=nudge)

    model, (tokens, lengths) = Careless(), documents()
    with_divergence(model, tokens, lengths, radius=5.0, xi=0.1)
    pushed = model.nudges[-1]
    assert pushed is not None and pushed.any()
    assert not pushed[torch.arange(8) >= lengths[:, None]].any()


def test_words_are_weighed_by_how_often_they_occur() -> None:
    model, (tokens, lengths) = Tiny(), documents(20)
    words = (torch.arange(8) < lengths[:, None])[..., None]
    torch.testing.assert_close(word_scale(model, tokens, words), spread(model, tokens, lengths))


def test_embeddings_ten_times_as_large_are_pushed_ten_times_as_far() -> None:
    small, large, (tokens, lengths) = Tiny(), Tiny(), documents()
    large.table.data *= 10
    for model in (small, large):
        torch.manual_seed(3)
        with_divergence(model, tokens, lengths, radius=2.0, xi=0.1)
    norms = [model.nudges[-1].flatten(1).norm(dim=1) for model in (small, large) if model.nudges[-1] is not None]
    assert ((norms[1] / norms[0] > 5) & (norms[1] / norms[0] < 20)).all()


def test_one_word_and_two_classes_by_hand() -> None:
    # A linear model of one word has one direction in which its two classes part: the difference of the columns.
    class Linear(Tiny):
        def forward(self, tokens: Tensor, lengths: Tensor, *, nudge: Tensor | None = None) -> Tensor:
            self.nudges.append(None if nudge is None else nudge.detach())
            return (self.embed(tokens) + (0 if nudge is None else nudge))[:, 0] @ self.layer

    model = Linear()
    tokens, lengths = torch.tensor([[3], [4], [5]]), torch.ones(3, dtype=torch.int64)
    logits, divergence = with_divergence(model, tokens, lengths, radius=0.5, xi=1.0)
    scale = spread(model, tokens, lengths)
    direction = (model.layer[:, 0] - model.layer[:, 1]).detach() * scale
    by_hand = 0.5 * direction / direction.norm() * scale
    pushed = model.nudges[-1]
    assert pushed is not None
    for row in pushed[:, 0]:
        torch.testing.assert_close(row.abs(), by_hand.abs(), rtol=1e-3, atol=1e-5)
        assert torch.nn.functional.cosine_similarity(row, by_hand, 0).abs() > 0.9999
    expected = kl_div(
        (logits + pushed[:, 0] @ model.layer).log_softmax(1), logits.log_softmax(1), log_target=True, reduction="none"
    )
    torch.testing.assert_close(divergence, expected.sum(1))


def test_the_push_moves_the_prediction_further_than_a_random_one() -> None:
    model, (tokens, lengths) = Tiny(classes=3), documents(200)
    torch.manual_seed(0)
    logits, divergence = with_divergence(model, tokens, lengths, radius=1.0, xi=0.1)
    words = (torch.arange(8) < lengths[:, None])[..., None]
    random = unit(torch.randn(200, 8, 5) * words) * spread(model, tokens, lengths)
    moved = model(tokens, lengths, nudge=random).log_softmax(1)
    by_chance = kl_div(moved, logits.log_softmax(1), log_target=True, reduction="none").sum(1)
    assert divergence.mean() > 3 * by_chance.mean()
    assert (divergence > by_chance).float().mean() > 0.9


@given(
    seed=st.integers(0, 2**31), radius=st.floats(0, 50), classes=st.integers(2, 5), dropout=st.sampled_from([0.0, 0.5])
)
def test_the_divergence_is_never_below_zero(seed: int, radius: float, classes: int, dropout: float) -> None:
    tokens, lengths = documents(4, seed=seed)
    torch.manual_seed(seed)
    model = Tiny(classes=classes, dropout=dropout, seed=seed % 1000)
    _, divergence = with_divergence(model, tokens, lengths, radius=radius, xi=0.1)
    assert torch.isfinite(divergence).all()
    assert (divergence > -1e-6).all()


def test_without_a_push_nothing_moves_whatever_dropout_does() -> None:
    model, (tokens, lengths) = Tiny(dropout=0.5), documents()
    logits, divergence = with_divergence(model, tokens, lengths, radius=0.0, xi=0.1)
    assert not divergence.any()
    assert not logits.equal(model(tokens, lengths))  # there was dropout


def test_the_generator_alone_decides() -> None:
    model, (tokens, lengths) = Tiny(dropout=0.3), documents()
    seen: list[Tensor] = []
    for seed in (7, 7, 8):
        torch.manual_seed(seed)
        seen.append(with_divergence(model, tokens, lengths, radius=3.0, xi=0.1)[1])
    assert seen[0].equal(seen[1])
    assert not seen[0].equal(seen[2])


def test_finding_the_push_leaves_no_gradient_and_the_loss_is_differentiated_once() -> None:
    model, (tokens, lengths) = Tiny(), documents()
    logits, divergence = with_divergence(model, tokens, lengths, radius=1.0, xi=0.1)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    divergence.sum().backward()
    pushed = model.nudges[-1]
    fresh = Tiny()
    again = kl_div(
        fresh(tokens, lengths, nudge=pushed).log_softmax(1), logits.detach().log_softmax(1), log_target=True,
        reduction="sum",
    )  # fmt: skip
    again.backward()  # what it is pushed from stands as a constant, and so does the push
    torch.testing.assert_close(model.table.grad, fresh.table.grad)
    torch.testing.assert_close(model.layer.grad, fresh.layer.grad)


def test_a_document_that_gives_way_nowhere_is_not_pushed() -> None:
    model, (tokens, lengths) = Tiny(), documents()
    model.layer.data.zero_()
    _, divergence = with_divergence(model, tokens, lengths, radius=5.0, xi=0.1)
    assert not divergence.any()
    assert model.nudges[-1] is not None and not model.nudges[-1].any()


def test_it_works_under_autocast() -> None:
    model, (tokens, lengths) = Tiny(classes=3), documents()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, divergence = with_divergence(model, tokens, lengths, radius=5.0, xi=1.0)
    assert logits.dtype == torch.bfloat16
    assert divergence.dtype == torch.float32
    divergence.mean().backward()
    assert model.table.grad is not None and bool(model.table.grad.isfinite().all())


@pytest.mark.parametrize("model", [Deaf(), nn.Linear(2, 2)])
def test_a_model_whose_words_cannot_be_pushed_is_refused(model: nn.Module) -> None:
    with pytest.raises(ConfigError, match=r"^task\.vat_weight: .* has no embed\(tokens\) or takes no nudge=; say"):
        check_takes_nudge(model)
    check_takes_nudge(Tiny())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"vat_weight": -1.0}, "vat_weight must be finite and at least 0, not -1.0"),
        ({"vat_radius": float("inf")}, "vat_radius must be finite and at least 0, not inf"),
        ({"vat_xi": 0.0}, "vat_xi must be finite and positive, not 0.0"),
        ({"entropy_weight": float("nan")}, "entropy_weight must be finite and at least 0, not nan"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments: dict[str, float], text: str) -> None:
    with pytest.raises(ValueError, match=rf"^{text}$"):
        TextClassification(**arguments)  # pyright: ignore[reportArgumentType]
