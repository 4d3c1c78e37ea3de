"""How much each word counts for a prediction: attention, gradient x input, integrated gradients, a random control."""

from __future__ import annotations

import importlib.util
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from dlcourse.errors import ConfigError

STEPS = 32
WORDS = 64 * 400  # that go through the model at once, whatever the number of documents and steps


class Scores(Protocol):
    """One number for each word of each document: the larger, the more the word speaks for the target class."""

    def __call__(self, model: nn.Module, tokens: Tensor, lengths: Tensor, *, target: Tensor) -> Tensor:
        """Float [B, T], 0 at padding.

        `tokens` are int64 [B, T] padded with 0, `lengths` int64 [B] and at least 1, `target` int64 [B].
        """
        ...


@runtime_checkable
class Attentive(Protocol):
    """A model that says where it looked."""

    def attention(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Float [B, T]: every row sums to 1 over its words and is 0 at padding."""
        ...


def attention(model: nn.Module, tokens: Tensor, lengths: Tensor, *, target: Tensor) -> Tensor:
    """The weights with which the model pools its states, the same for every target."""
    with _still(model), torch.no_grad():
        return cast(Attentive, model).attention(tokens, lengths)


def gradient_x_input(model: nn.Module, tokens: Tensor, lengths: Tensor, *, target: Tensor) -> Tensor:
    """Each word's embedding times the margin's gradient, summed (Shrikumar et al. 2016, arXiv:1605.01713).

    It is the gradient with respect to `presence`, the factor of the embedding, at 1: d/dp f(p e) = sum_i e_i df/de_i.
    So it also holds what a model makes of words by other ways than the embedding, such as n-grams.
    """
    presence = _presence(model, tokens, lengths, value=1.0).requires_grad_()
    with _still(model), torch.enable_grad():
        total = margin(model(tokens, lengths, presence=presence), target).sum()
        (gradient,) = torch.autograd.grad(total, presence)
    return gradient * is_word(tokens, lengths)


def integrated_gradients(
    model: nn.Module, tokens: Tensor, lengths: Tensor, *, target: Tensor, steps: int = STEPS
) -> Tensor:
    """The margin's gradient along the way from no words to all words (Sundararajan et al. 2017, arXiv:1703.01365).

    The baseline is the document with every embedding at zero; all words grow together. The numbers of a document sum
    to what its words change about the margin, in nats, as far as `steps` suffice: `completeness_gap` says how far.

    Args:
        model: called as `model(tokens, lengths, presence=...)`.
        tokens: int64 [B, T].
        lengths: int64 [B].
        target: int64 [B].
        steps: points of the way at which the gradient is taken (Gauss-Legendre).

    Raises:
        ConfigError: captum is not installed.
    """
    require_captum()
    from captum.attr import IntegratedGradients

    def along(presence: Tensor, tokens: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        return margin(model(tokens, lengths, presence=presence), target)

    with _still(model), torch.enable_grad():
        scores: Tensor = IntegratedGradients(along).attribute(
            _presence(model, tokens, lengths, value=1.0).requires_grad_(),
            baselines=_presence(model, tokens, lengths, value=0.0),
            additional_forward_args=(tokens, lengths, target),
            n_steps=steps,
            internal_batch_size=max(len(tokens), WORDS // tokens.shape[1]),
        )
    return scores.detach().to(torch.get_default_dtype()) * is_word(tokens, lengths)


def random_order(
    model: nn.Module, tokens: Tensor, lengths: Tensor, *, target: Tensor, generator: torch.Generator
) -> Tensor:
    """Even numbers from 0 to 1, the control that says what any words would do.

    `generator` stands on the CPU, so that every device gets the same numbers.
    """
    return torch.rand(tokens.shape, generator=generator).to(tokens.device) * is_word(tokens, lengths)


def margin(logits: Tensor, target: Tensor) -> Tensor:
    """The target's log-odds [B], nats: its logit less the logsumexp of all others; with two classes their difference.

    What adding a number to all logits leaves as it is, as it leaves the probabilities; a single logit does not stay.
    And unlike the probability it does not go flat where the model is sure, where every gradient would vanish.
    """
    chosen = target[:, None]
    others = logits.scatter(1, chosen, -torch.inf)
    return logits.gather(1, chosen)[:, 0] - others.logsumexp(1)


def completeness_gap(model: nn.Module, tokens: Tensor, lengths: Tensor, *, target: Tensor, scores: Tensor) -> Tensor:
    """How far each document's scores are from summing to f(all words) - f(no words), nats [B]."""
    with _still(model), torch.no_grad():
        ends = [
            margin(model(tokens, lengths, presence=_presence(model, tokens, lengths, value=value)), target)
            for value in (1.0, 0.0)
        ]
    return scores.sum(1) - (ends[0] - ends[1])


def normalised_entropy(weights: Tensor, lengths: Tensor) -> Tensor:
    """Each row's entropy over log(length) [B]: 1 is flat, 0 is all on one word; one word alone counts as flat."""
    entropy = torch.special.entr(weights).sum(1) / lengths.log().clamp(min=torch.finfo(weights.dtype).tiny)
    return entropy.where(lengths > 1, 1.0).clamp(0.0, 1.0)


def is_word(tokens: Tensor, lengths: Tensor) -> Tensor:
    """Bool [B, T]: where there is a word and no padding."""
    return torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]


def has_captum() -> bool:
    """Whether integrated gradients can be computed here."""
    return importlib.util.find_spec("captum") is not None


def require_captum() -> None:
    """Raise ConfigError unless captum is installed."""
    if not has_captum():
        raise ConfigError('integrated gradients need captum, which is not installed; pip install "dlcourse[explain]"')


def _presence(model: nn.Module, tokens: Tensor, lengths: Tensor, *, value: float) -> Tensor:
    """Float [B, T]: `value` for every word, 0 at padding, so that none of it takes part in a gradient."""
    return value * is_word(tokens, lengths).to(next(model.parameters()).dtype)


@contextmanager
def _still(model: nn.Module) -> Generator[None]:
    """The model as it predicts, without dropout; every module's mode is put back."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    for module in modes:
        if isinstance(module, nn.RNNBase) and not module.dropout:
            module.training = True  # changes no number, and cuDNN has no backward pass in evaluation
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
