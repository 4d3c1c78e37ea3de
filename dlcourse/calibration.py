"""Whether a classifier is as often right as it says: calibration error, and the one temperature that mends most."""

from __future__ import annotations

import torch
from torch import Tensor

COLDEST, HOTTEST = 0.01, 100.0
"""Temperatures outside say that validation does not determine one, as where every item is right."""
HALVINGS = 45  # of log(HOTTEST / COLDEST) = 9.2: down to 3e-13


def expected_calibration_error(confidence: Tensor, *, hits: Tensor, bins: int = 15) -> float:
    """How far confidence and accuracy lie apart, the mean over items (Guo et al. 2017, arXiv:1706.04599, equation 3).

    `confidence` is float64 [N] in 0..1, `hits` bool [N]; the bins have equal widths, each with its upper edge.
    """
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)[1:-1]
    gap = torch.bincount(torch.bucketize(confidence, edges), weights=hits.double() - confidence, minlength=bins)
    return gap.abs().sum().item() / len(confidence)


def fit_temperature(logits: Tensor, labels: Tensor) -> float | None:
    """The T > 0 for which softmax(logits / T) gives the labels the highest likelihood (Guo et al. 2017, section 4.2).

    It changes how sure a model is and no prediction. The likelihood is concave in 1/T, so the root of its derivative
    is halved in on, in float64: the same numbers give the same T.

    Args:
        logits: floats [N, K].
        labels: int64 [N].

    Returns:
        None where no T between 0.01 and 100 is best: no items, all of them right, no better than chance, a logit
        that is not finite.
    """
    logits = logits.double()
    if not len(logits) or not bool(logits.isfinite().all()):
        return None
    logits = logits - logits.amax(1, keepdim=True)
    own = logits.gather(1, labels[:, None])[:, 0].mean()
    if own == 0:  # every item is right, so the colder the better
        return None

    def too_hot(temperature: float) -> bool:
        """Whether the likelihood falls with T here: the logits expected are below those of the labels."""
        return bool(((logits / temperature).softmax(1) * logits).sum(1).mean() < own)

    low, high = COLDEST, HOTTEST
    if too_hot(low) or not too_hot(high):
        return None
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5  # the mean of the logarithms
        low, high = (low, middle) if too_hot(middle) else (middle, high)
    return (low * high) ** 0.5
