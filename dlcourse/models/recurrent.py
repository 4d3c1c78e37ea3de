"""Bidirectional recurrent layers over padded documents: padding changes no state (Schuster & Paliwal 1997)."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

Cell = Literal["gru", "lstm", "elman"]
CELLS: dict[str, type[nn.GRU | nn.LSTM | nn.RNN]] = {"gru": nn.GRU, "lstm": nn.LSTM, "elman": nn.RNN}
GATES: dict[str, slice | None] = {"gru": slice(1, 2), "lstm": slice(1, 2), "elman": None}
"""Which block of the stacked biases keeps the old state: the GRU's update gate, the LSTM's forget gate."""


class BiRecurrent(nn.Module):
    """One recurrent layer in both directions, each starting at its own end of the document.

    Packed sequences do the same and are 2.5 to 4.8 times slower on a CPU. Here the second direction reads each
    document reversed within its own length, so that its padding, too, comes last and reaches no word.

    Args:
        input_size: numbers that each word comes with.
        hidden_size: numbers of each direction's state.
        cell: gru (Cho et al. 2014), lstm (Hochreiter & Schmidhuber 1997) or elman (1990).
        gate_bias: start value of the bias of the gate that keeps the state (update gate of a GRU, forget gate of an
            LSTM); above 0 gradients reach further back (Jozefowicz et al. 2015). An Elman cell has no gate.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, *, input_size: int, hidden_size: int, cell: Cell = "gru", gate_bias: float = 0.0) -> None:
        super().__init__()
        if hidden_size < 1:
            raise ValueError(f"hidden_size must be at least 1, not {hidden_size}")
        if cell not in CELLS:
            raise ValueError(f"cell must be one of {', '.join(CELLS)}, not {cell!r}")
        if gate_bias and GATES[cell] is None:
            raise ValueError(f"gate_bias must be 0 for cell={cell}, which has no gate, not {gate_bias}")
        if not math.isfinite(gate_bias):
            raise ValueError(f"gate_bias must be finite, not {gate_bias}")
        self.hidden_size = hidden_size
        self.ahead = CELLS[cell](input_size, hidden_size, batch_first=True)
        self.back = CELLS[cell](input_size, hidden_size, batch_first=True)
        for direction in (self.ahead, self.back):
            start(direction, gate=GATES[cell], gate_bias=gate_bias)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """The states of both directions.

        Args:
            inputs: [B, T, input_size].
            lengths: int64 [B], 1 to T: how many of each document's places are words.

        Returns:
            [B, T, 2 * hidden_size]: forward states first; zero at padding.
        """
        flipped = mirror(lengths, inputs.shape[1])
        ahead: Tensor = self.ahead(inputs)[0]
        back: Tensor = self.back(Rearranged.apply(inputs, flipped))[0]
        states = torch.cat([ahead, Rearranged.apply(back, flipped)], dim=2)
        return states * word_mask(lengths, inputs.shape[1]).unsqueeze(2)


def start(layer: nn.RNNBase, *, gate: slice | None, gate_bias: float) -> None:
    """Input weights by Glorot & Bengio (2010), recurrent blocks orthogonal (Saxe et al. 2014), biases zero."""
    size = layer.hidden_size
    with torch.no_grad():
        for block in layer.get_parameter("weight_ih_l0").split(size):
            nn.init.xavier_uniform_(block)
        for block in layer.get_parameter("weight_hh_l0").split(size):
            nn.init.orthogonal_(block)
        layer.get_parameter("bias_hh_l0").zero_()
        bias = layer.get_parameter("bias_ih_l0").zero_()
        if gate is not None:
            bias.view(-1, size)[gate] = gate_bias


def word_mask(lengths: Tensor, time: int) -> Tensor:
    """Bool [B, time]: where words stand."""
    return torch.arange(time, device=lengths.device) < lengths.unsqueeze(1)


def mirror(lengths: Tensor, time: int) -> Tensor:
    """Int64 [B * time]: for each place of the flattened documents the place that is read there backwards.

    Words change places within their document and padding stays, so applying it twice changes nothing.
    """
    places = torch.arange(time, device=lengths.device)
    backwards = torch.where(places < lengths.unsqueeze(1), lengths.unsqueeze(1) - 1 - places, places)
    rows = torch.arange(len(lengths), device=lengths.device) * time
    return (backwards + rows.unsqueeze(1)).flatten()


class Rearranged(torch.autograd.Function):
    """Rows of [B, T, C] in another order that is its own inverse.

    The gradient is then the same copy of whole rows; the general one of `gather` adds number by number.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, order: Tensor) -> Tensor:
        ctx.save_for_backward(order)
        return rows.flatten(0, 1).index_select(0, order).view_as(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (order,) = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        return gradient.flatten(0, 1).index_select(0, order).view_as(gradient), None
