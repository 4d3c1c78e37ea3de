"""Output bias from how often each token stands in the training texts (Karpathy 2019, "Init well")."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.data.base import Split
from dlcourse.errors import ConfigError
from dlcourse.training.starts.ppmi_svd import HasCorpus


def log_unigram(
    model: nn.Module,
    train: Split[Any],
    generator: torch.Generator,
    *,
    smoothing: float = 1.0,
) -> str:
    """Set the output bias of `model` to the logarithm of each token's share in all training documents; says how.

    Before the first step, when the other scores are about alike, the model then predicts the unigrams.

    Args:
        model: what is started; its bias over tokens is `output_bias`.
        train: texts.
        generator: not drawn from.
        smoothing: what is added to the count of every token, so that none has a share of 0.

    Raises:
        ValueError: smoothing is out of range.
        ConfigError: the model has no such bias, or the data no texts.
    """
    if not 0 < smoothing < float("inf"):
        raise ValueError(f"smoothing must be positive, not {smoothing}")
    bias = getattr(model, "output_bias", None)
    if not isinstance(bias, Tensor):
        raise ConfigError("init: log_unigram fills a bias over tokens, and the model has none (output_bias)")
    if not isinstance(train, HasCorpus):
        raise ConfigError("init: log_unigram needs texts, and the data has none")
    counts = np.bincount(train.corpus().values, minlength=len(bias))
    shares = (counts + smoothing) / (counts.sum() + smoothing * len(counts))
    with torch.no_grad():
        bias.copy_(torch.from_numpy(np.log(shares)))
    entropy = -float(shares @ np.log(shares))
    seen = int((counts > 0).sum())
    return f"{seen:,} of {len(bias):,} tokens occur; their perplexity is {np.exp(entropy):,.0f}"
