"""Cross entropy over a whole vocabulary in the precision of its inputs, a few hundred rows of scores at a time.

With scores s of a row and Z the sum of exp(s), the loss is log Z less (1 - e) times the target's score less e times
the mean score, e being the label smoothing (Szegedy et al. 2016, arXiv:1512.00567, section 7). The last two terms need
no scores of other tokens; the gradient of log Z is made beside it, so that all scores are never held at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear, pad

ROWS_CPU = 256  # with 7,000 tokens 7 MB of scores: what is multiplied is in the cache when its exponential is taken
ROWS = 16384  # elsewhere: few operations, and 500 MB


def total_loss(
    outputs: Tensor, targets: Tensor, *, weight: Tensor, bias: Tensor, label_smoothing: float = 0.0
) -> Tensor:
    """The sum over rows of the cross entropy, float32, nats, to be differentiated.

    The products with the vocabulary are taken in the precision of `outputs`, everything else in float32.

    Args:
        outputs: [M, E], what predicts each token.
        targets: int64 [M].
        weight: float32 [V, E], the rows of the output layer.
        bias: float32 [V].
        label_smoothing: the share of a target that is spread evenly over all V tokens.
    """
    total = _LogNormalisers.apply(outputs, weight, bias)
    exact = outputs.float()
    own = (exact * weight.index_select(0, targets)).sum() + bias.index_select(0, targets).sum()
    total = total - (1 - label_smoothing) * own
    if label_smoothing:
        # Not as a matrix product, which autocast would take in half precision.
        mean = (exact.sum(0) * weight.mean(0)).sum() + len(targets) * bias.mean()
        total = total - label_smoothing * mean
    return total


class _LogNormalisers(torch.autograd.Function):
    """The sum of log Z over the rows, float32."""

    @staticmethod
    def forward(ctx: Any, *operands: Tensor) -> Tensor:
        """From outputs [M, E], weight [V, E] and bias [V]."""
        outputs, weight, bias = operands
        narrow = weight.to(outputs.dtype)
        to_outputs = torch.empty_like(outputs)
        to_weight, to_bias = torch.zeros_like(weight), torch.zeros_like(bias)
        total = bias.new_zeros(())
        for part, rows, counted in _parts(outputs):
            scores = linear(rows, narrow).float().add_(bias)
            peak = scores.amax(1)
            shares = scores.sub_(peak[:, None]).exp_()
            sums = shares.sum(1)
            total += (sums.log() + peak) @ counted
            shares.mul_((counted / sums)[:, None])
            to_bias += shares.sum(0)
            shares = shares.to(outputs.dtype)
            to_outputs[part] = (shares @ narrow)[: len(outputs[part])]
            to_weight += shares.T @ rows
        ctx.save_for_backward(to_outputs, to_weight, to_bias)
        return total

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]  the decorator hides its names
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor, ...]:
        """Those of all operands."""
        (grad,) = grad_outputs
        to_outputs, to_weight, to_bias = ctx.saved_tensors
        return to_outputs * grad.to(to_outputs.dtype), to_weight * grad, to_bias * grad


def _parts(outputs: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Where each part stands, its rows, and float32 [rows]: 1 for a row that counts, 0 for what fills up the last part.

    On a CPU all parts have the same number of rows: oneDNN keeps code and memory for each shape that it has met.
    """
    size = ROWS_CPU if outputs.is_cpu else min(ROWS, max(1, len(outputs)))
    for begun in range(0, len(outputs), size):
        part = slice(begun, min(begun + size, len(outputs)))
        missing = size - (part.stop - begun)
        counted = pad(torch.ones(size - missing, device=outputs.device), (0, missing))
        yield part, pad(outputs[part], (0, 0, 0, missing)), counted
