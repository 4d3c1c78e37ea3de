"""Virtual adversarial training of text models (Miyato, Dai & Goodfellow 2017, arXiv:1605.07725, section 3)."""

from __future__ import annotations

import inspect
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import kl_div

from dlcourse.errors import ConfigError


def with_divergence(
    model: nn.Module, tokens: Tensor, lengths: Tensor, *, radius: float, xi: float
) -> tuple[Tensor, Tensor]:
    """The model's logits, and how far they give way when each document is pushed where they give way most.

    The push is found by one power iteration: the gradient of the divergence at a small random push points there,
    because the divergence has a minimum, so no gradient, at none. The divergence is of the distribution pushed from
    the one unpushed, which stands as a constant; no gradient goes through the push either.

    All passes have the same dropout, as in the authors' code: the divergence is then 0 without a push, and the
    gradient tells of the push, not of which units were dropped. The generators go on from the last pass.

    Args:
        model: called as `model(tokens, lengths, nudge=...)`, nudge being float [B, T, E]; `model.embed(tokens)` is
            what it is added to.
        tokens: int64 [B, T].
        lengths: int64 [B], at least 1.
        radius: the norm of a document's push, in standard deviations of its words' numbers.
        xi: the norm of the random push, likewise.

    Returns:
        Logits [B, K], and the divergence float32 [B], nats, not below 0 but for rounding.

    Raises:
        ConfigError: the model takes no nudge.
    """
    check_takes_nudge(model)
    seed = int(torch.randint(2**62, ()))
    words = (torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None])[:, :, None]
    scale = word_scale(model, tokens, words)
    start = unit(torch.randn(*tokens.shape, len(scale), device=tokens.device) * words)

    torch.manual_seed(seed)
    logits: Tensor = model(tokens, lengths)
    unpushed = logits.detach().float().log_softmax(1)

    # On detached weights, so that what is differentiated is the push alone: it spares the work for the weights.
    still = {name: parameter.detach() for name, parameter in model.named_parameters()}
    push = (xi * start).requires_grad_()
    torch.manual_seed(seed)
    tried: Tensor = functional_call(model, still, (tokens, lengths), {"nudge": push * scale})
    (gradient,) = torch.autograd.grad(divergence(unpushed, tried).sum(), push)

    worst = radius * unit(gradient * words)
    torch.manual_seed(seed)
    pushed: Tensor = model(tokens, lengths, nudge=worst * scale)
    return logits, divergence(unpushed, pushed)


def divergence(unpushed: Tensor, logits: Tensor) -> Tensor:
    """KL(p || q) float32 [B], nats, from log p [B, K] and the logits of q [B, K]."""
    return kl_div(logits.float().log_softmax(1), unpushed, log_target=True, reduction="none").sum(1)


def word_scale(model: nn.Module, tokens: Tensor, words: Tensor) -> Tensor:
    """Float [E]: the standard deviation of each number of the embedded words, over the words of this batch.

    The paper normalises the embeddings over the vocabulary by frequency; otherwise large embeddings would make any
    push small. Here the push is scaled instead, by what a batch knows of the same, and the model stays as it is.
    """
    with torch.no_grad():
        embedded = cast(Tensor, cast(nn.Module, model.embed)(tokens)).float()
        count = words.sum()
        mean = (embedded * words).sum((0, 1)) / count
        return (((embedded - mean) * words).square().sum((0, 1)) / count).sqrt()


def unit(pushes: Tensor) -> Tensor:
    """The same directions [B, T, E] with norm 1 for each document; one of norm 0 stays 0."""
    norms = torch.linalg.vector_norm(pushes, dim=(1, 2), keepdim=True)
    return pushes / norms.clamp(min=torch.finfo(pushes.dtype).tiny)


def check_takes_nudge(model: nn.Module) -> None:
    """Raise ConfigError unless the words of `model` can be pushed."""
    takes = inspect.signature(model.forward).parameters.values()
    named = any(one.name == "nudge" or one.kind is one.VAR_KEYWORD for one in takes)  # a compiled model takes **kwargs
    if not named or not callable(getattr(model, "embed", None)):
        raise ConfigError(
            f"task.vat_weight: virtual adversarial training pushes embedded words, and {type(model).__name__} has no "
            "embed(tokens) or takes no nudge=; say task.vat_weight=0 or take a model that has them"
        )
