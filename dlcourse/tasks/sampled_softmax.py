"""Cross entropy over a vocabulary, exact or from a sample that a batch shares (Jean et al. 2015, arXiv:1412.2007).

The exact loss of a word is log Z less its score, Z being the sum of exp(score) over the vocabulary. A sample holds
each word w with a chance pi(w) of its own, independently (Poisson sampling), and Z is estimated by

    exp(score of the target) + sum over the sample without the target of exp(score of w) / pi(w),

whose expectation is Z (Horvitz and Thompson 1952). So each sampled score is lowered by log pi(w), the target's is not,
and the target is struck from the sample, where it would count twice. The numbers are nats that compare with the exact
ones; the logarithm makes them a little too small. Lowering the target's score by log pi as well, as is done where the
sample is taken for the vocabulary, learned equally well in a trial, and its numbers compare with nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 2**21  # scores held at once: 8 MB, about what a core's caches hold
COLUMNS = 2048  # of them, words of the vocabulary
FEWEST_ROWS = 256  # of a chunk: with fewer the multiplications wait for memory


class Sample(NamedTuple):
    """Words to normalise over.

    Args:
        ids: int64 [S], all different.
        columns: int64 [V], where a word stands in `ids`; -1 if it does not.
        log_chances: float32 [S], the logarithm of each one's chance to be drawn, at most 0.
    """

    ids: Tensor
    columns: Tensor
    log_chances: Tensor


def inclusion_chances(vocab_size: int, *, samples: int) -> Tensor:
    """Float32 [V]: each word's chance to be drawn, as if its frequency fell with its id as in Zipf's law.

    They are min(1, c log((id + 1) / id)), with c such that `samples` are expected; a vocabulary gives low ids to
    frequent words. Id 0 is always drawn, so that no sample is empty.
    """
    ids = torch.arange(1, vocab_size, dtype=torch.float64)
    shares = ((ids + 1) / ids).log()
    low, high = 0.0, float(vocab_size) * 2 * samples
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if 1 + (middle * shares).clamp(max=1).sum() > samples else (middle, high)
    return torch.cat([torch.ones(1), (high * shares).clamp(max=1).float()])


def draw(chances: Tensor, *, device: torch.device) -> Sample:
    """A sample by the CPU's default generator; `chances` stands on the CPU, so that nothing waits for the device."""
    ids = (torch.rand(len(chances)) < chances).nonzero()[:, 0]
    columns = torch.full((len(chances),), -1, dtype=torch.int64)
    columns[ids] = torch.arange(len(ids))
    return Sample(*(part.to(device, non_blocking=True) for part in (ids, columns, chances[ids].log())))


def total_loss(hidden: Tensor, targets: Tensor, *, weight: Tensor, bias: Tensor, sample: Sample | None) -> Tensor:
    """The sum over words of the cross entropy, float32, nats, to be differentiated.

    Args:
        hidden: [M, E], what predicts each word.
        targets: int64 [M].
        weight: [V, E], the rows of the output layer.
        bias: [V].
        sample: what to normalise over; None is the whole vocabulary.
    """
    hidden, own = _with_own_scores(hidden, targets, weight=weight, bias=bias)
    if sample is None:
        return _Total.apply(hidden, weight, bias, own, targets)
    rows, offsets = weight.index_select(0, sample.ids), bias.index_select(0, sample.ids) - sample.log_chances
    return _Total.apply(hidden, rows, offsets, own, sample.columns[targets])


def exact_losses(hidden: Tensor, targets: Tensor, *, weight: Tensor, bias: Tensor) -> Tensor:
    """Float32 [M], nats: the cross entropy of each word over the whole vocabulary, not to be differentiated."""
    with torch.no_grad():
        hidden, own = _with_own_scores(hidden, targets, weight=weight, bias=bias)
        normaliser = torch.full_like(own, -torch.inf)
        buffer = hidden.new_empty(CHUNK)
        for part in _parts(len(hidden), size=CHUNK // COLUMNS):
            # By columns too, so that what is multiplied is still in the cache when its exponential is taken.
            for rows, offsets in zip(weight.split(COLUMNS), bias.split(COLUMNS), strict=True):
                weights, peak = _exponentials(hidden[part], rows, offsets, buffer)
                normaliser[part] = torch.logaddexp(normaliser[part], peak + weights.sum(1).log())
    return normaliser - own


def _with_own_scores(hidden: Tensor, targets: Tensor, *, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """`hidden` in float32, and the score [M] of each target."""
    hidden = hidden.float()
    return hidden, (hidden * weight.index_select(0, targets)).sum(1) + bias.index_select(0, targets)


def _parts(count: int, *, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _exponentials(
    hidden: Tensor, rows: Tensor, offsets: Tensor, buffer: Tensor, *, struck: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """exp(score - peak) [m, S], which lies in `buffer`, and each row's peak [m].

    `struck` int64 [m] is the column whose score does not count, -1 for none.
    """
    scores = buffer[: len(hidden) * len(rows)].view(len(hidden), len(rows))
    # Written into a given tensor it stays in float32 under autocast: bf16 has too few digits for a logarithm.
    torch.addmm(offsets, hidden, rows.T, out=scores)
    if struck is not None:
        at = struck.clamp(min=0)[:, None]
        scores.scatter_(1, at, scores.gather(1, at).masked_fill_((struck >= 0)[:, None], -torch.inf))
    # A row of nothing but a struck score has no peak; any number does.
    peak = scores.amax(1).clamp(min=torch.finfo(scores.dtype).min)
    return scores.sub_(peak[:, None]).exp_(), peak


class _Total(torch.autograd.Function):
    """The sum of the losses, whose gradient is made beside it, so that all scores are never held at once."""

    @staticmethod
    def forward(ctx: Any, *operands: Tensor) -> Tensor:
        """From hidden [M, E], rows [S, E], offsets [S], the targets' scores [M] and their columns int64 [M] or -1."""
        hidden, rows, offsets, own, columns = operands
        to_hidden, to_own = torch.empty_like(hidden), torch.empty_like(own)
        to_rows, to_offsets = torch.zeros_like(rows), torch.zeros_like(offsets)
        size = max(FEWEST_ROWS, CHUNK // len(rows))
        buffer = hidden.new_empty(size * len(rows))
        loss = hidden.new_zeros(())
        for part in _parts(len(hidden), size=size):
            weights, peak = _exponentials(hidden[part], rows, offsets, buffer, struck=columns[part])
            normaliser = torch.logaddexp(peak + weights.sum(1).log(), own[part])
            loss += (normaliser - own[part]).sum()
            to_own[part] = (own[part] - normaliser).exp() - 1
            # What makes probabilities of the weights; a smaller tensor than they are takes it.
            scale = (peak - normaliser).exp()
            torch.mm(weights, rows, out=to_hidden[part]).mul_(scale[:, None])
            to_rows.addmm_(weights.T, hidden[part] * scale[:, None])
            to_offsets.addmv_(weights.T, scale)
        ctx.save_for_backward(to_hidden, to_rows, to_offsets, to_own)
        return loss

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]  the decorator hides its names
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        """Those of all operands but the columns."""
        (grad,) = grad_outputs
        return (*(grad * one for one in ctx.saved_tensors), None)
