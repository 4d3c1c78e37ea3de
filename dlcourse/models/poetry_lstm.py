"""A character LSTM that writes poems, with the dropouts of AWD-LSTM (Merity et al. 2018, arXiv:1708.02182)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, linear

from dlcourse.models.ngrams import scramble
from dlcourse.models.recurrent import GATES, start
from dlcourse.models.text_encoder import EMBEDDING_RANGE, PAD, LockedDropout, check_dropouts, check_sizes


class Memory(NamedTuple):
    """What the model knows of the poems that it is writing.

    Args:
        hidden: [layers, B, H], the units' outputs.
        cell: [layers, B, H], what the cells hold.
    """

    hidden: Tensor
    cell: Tensor


class PoetryLSTM(nn.Module):
    """Tells the next character of a poem from those before it: tokens [B, T] -> logits [B, T, V].

    A layer reads forwards only and padding comes last, so padding reaches no logit of a character.

    Args:
        vocab_size: V, how many tokens the table has; the data set says it.
        embedding_size: E, numbers that stand for a token.
        hidden_size: H, units of each layer; where it differs from E, tied weights are met through a projection.
        layers: how many LSTM layers (Hochreiter and Schmidhuber 1997), one upon the other.
        tied: whether the output layer is the embedding table (Press and Wolf 2017, arXiv:1608.05859).
        gate_bias: start value of the forget gates' bias: 0 is torch's, 1 to 3 remember longer.
        embedding_dropout: probability that a character is taken out of a training poem wherever it stands.
        input_dropout: probability that a number of the embedding is taken out, the same ones throughout a poem.
        layer_dropout: the same of the numbers between two layers.
        output_dropout: the same of the numbers that the last layer gives.
        weight_drop: probability that a recurrent weight is taken out of a training step.

    Raises:
        ValueError: an argument is out of range.
    """

    takes: ClassVar[str] = "poems"

    def __init__(
        self,
        *,
        vocab_size: int,
        embedding_size: int = 256,
        hidden_size: int = 256,
        layers: int = 2,
        tied: bool = True,
        gate_bias: float = 1.0,
        embedding_dropout: float = 0.0,
        input_dropout: float = 0.1,
        layer_dropout: float = 0.1,
        output_dropout: float = 0.1,
        weight_drop: float = 0.0,
    ) -> None:
        super().__init__()
        check_sizes(vocab_size=vocab_size, embedding_size=embedding_size, hidden_size=hidden_size, layers=layers)
        check_dropouts(
            embedding_dropout=embedding_dropout,
            input_dropout=input_dropout,
            layer_dropout=layer_dropout,
            output_dropout=output_dropout,
            weight_drop=weight_drop,
        )
        if not math.isfinite(gate_bias):
            raise ValueError(f"gate_bias must be finite, not {gate_bias}")
        self.embedding_dropout, self.weight_drop = embedding_dropout, weight_drop
        self.embedding = nn.Embedding(vocab_size, embedding_size, padding_idx=PAD)
        with torch.no_grad():
            self.embedding.weight.uniform_(-EMBEDDING_RANGE, EMBEDDING_RANGE)[PAD] = 0.0
        sizes = [embedding_size, *[hidden_size] * (layers - 1)]
        self.layers = nn.ModuleList(nn.LSTM(size, hidden_size, batch_first=True) for size in sizes)
        for layer in self._lstms():
            start(layer, gate=GATES["lstm"], gate_bias=gate_bias)
        shares = [input_dropout, *[layer_dropout] * (layers - 1), output_dropout]
        self.dropouts = nn.ModuleList(LockedDropout(share) for share in shares)
        self.projection = _projection(hidden_size, embedding_size if tied else hidden_size)
        self.output_table = None if tied else nn.Parameter(torch.empty(vocab_size, hidden_size))
        if self.output_table is not None:
            nn.init.uniform_(self.output_table, -EMBEDDING_RANGE, EMBEDDING_RANGE)
        self.output_bias = nn.Parameter(torch.zeros(vocab_size))

    @property
    def output_weight(self) -> Tensor:
        """The rows that outputs are compared with, [V, E] if tied, else [V, H]: logits = outputs @ rows.T + bias."""
        return self.embedding.weight if self.output_table is None else self.output_table

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """The logits [B, T, V] of the token behind each one.

        Args:
            tokens: int64 [B, T], 0 behind a poem's end.
            lengths: int64 [B].
        """
        return self.logits(self.outputs(tokens, lengths))

    def outputs(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """What predicts the token behind each one: [B, T, E], of the size of a row of `output_weight`."""
        lockeds = iter(self.dropouts)
        states: Tensor = next(lockeds)(self._embed(tokens))
        for layer, locked in zip(self._lstms(), lockeds, strict=True):
            states = locked(self._read(layer, states))
        return self.projection(states)

    def logits(self, outputs: Tensor) -> Tensor:
        """The score [..., V] of every token, from outputs [..., E]."""
        return linear(outputs, self.output_weight, self.output_bias)

    def start_state(self, batch: int) -> Memory:
        """That of `batch` poems of which nothing is read yet."""
        zeros = self.output_bias.new_zeros(len(self.layers), batch, next(self._lstms()).hidden_size)
        return Memory(zeros, zeros)

    @torch.no_grad()
    def advance(self, tokens: Tensor, state: Memory) -> tuple[Tensor, Memory]:
        """Read one more token of every poem; without dropout and gradients, whatever the model's mode.

        Args:
            tokens: int64 [B].
            state: what was read before.

        Returns:
            The logits [B, V] of what comes next, and the state after these tokens. The state given stays as it was.
        """
        inputs = self.embedding(tokens)
        after: list[tuple[Tensor, Tensor]] = []
        for layer, hidden, cell in zip(self._lstms(), *state, strict=True):
            after.append(torch.lstm_cell(inputs, (hidden, cell), *_weights(layer)))
            inputs = after[-1][0]
        hidden, cell = (torch.stack(parts) for parts in zip(*after, strict=True))
        return self.logits(self.projection(inputs)), Memory(hidden, cell)

    def _embed(self, tokens: Tensor) -> Tensor:
        """The table's rows [B, T, E]; in training some characters are missing from a poem altogether."""
        words = self.embedding(tokens)
        if not (self.training and self.embedding_dropout):
            return words
        # Drawing a mask for every row of the table would take longer than hashing those that are there.
        salt = torch.randint(2**32, (len(tokens), 1), device=tokens.device)
        kept = scramble(scramble(tokens) ^ salt) >= self.embedding_dropout * 2**32
        return words * (kept / (1 - self.embedding_dropout))[..., None]

    def _read(self, layer: nn.LSTM, inputs: Tensor) -> Tensor:
        """The states [B, T, H] of one layer, in training with some of its recurrent weights left out."""
        if not (self.training and self.weight_drop):
            return layer(inputs)[0]
        zeros = inputs.new_zeros(1, len(inputs), layer.hidden_size)
        from_input, recurrent, *biases = _weights(layer)
        # nn.LSTM reads a list of its weights that it made beforehand, which nothing put in their place would reach.
        weights = [from_input, dropout(recurrent, self.weight_drop), *biases]
        return torch.lstm(inputs, (zeros, zeros), weights, True, 1, 0.0, True, False, True)[0]

    def _lstms(self) -> Iterator[nn.LSTM]:
        for layer in self.layers:
            assert isinstance(layer, nn.LSTM)
            yield layer


def _weights(layer: nn.LSTM) -> list[Tensor]:
    """Those of the input [4H, E], the recurrent ones [4H, H], and the biases [4H] of both."""
    return [layer.get_parameter(f"{kind}_l0") for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


def _projection(size: int, wanted: int) -> nn.Module:
    """A linear map to `wanted` numbers; none where there are as many."""
    if size == wanted:
        return nn.Identity()
    layer = nn.Linear(size, wanted)
    nn.init.xavier_uniform_(layer.weight)  # Glorot and Bengio 2010
    nn.init.zeros_(layer.bias)
    return layer
