"""An exponential moving average of the weights (Polyak and Juditsky 1992; Tarvainen and Valpola 2017)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Average:
    """A second model whose parameters follow those of the trained one; buffers are copied, not averaged.

    Args:
        model: the trained model; the average starts at its weights.
        decay: share of the average kept at each step, reached gradually: step t keeps min(decay, (1 + t) / (10 + t)),
            so that a short run does not average its random start.
    """

    def __init__(self, model: nn.Module, *, decay: float) -> None:
        self.decay = decay
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self._averaged: list[Tensor] = list(self.model.parameters())
        self._trained: list[Tensor] = list(model.parameters())
        self._buffers = list(zip(self.model.buffers(), model.buffers(), strict=True))

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Follow the trained weights after optimizer step `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._averaged, self._trained, 1 - decay)

    @torch.no_grad()
    def copy_buffers(self) -> None:
        """Take over running statistics; due before the averaged model is used or saved."""
        for averaged, trained in self._buffers:
            averaged.copy_(trained)
