"""A bidirectional language model whose encoder a classifier can start from (Peters et al. 2017, arXiv:1705.00108)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from dlcourse.models.recurrent import Cell
from dlcourse.models.text_encoder import TextEncoder


class BiLanguageModel(nn.Module):
    """Tells the next word from those before it and the previous one from those after it.

    The score of word v is the dot product of a head with its row of the embedding table, plus a bias (tied weights,
    Press and Wolf 2017, arXiv:1608.05859): `head @ encoder.embedding.weight.T + output_bias`.

    Args:
        vocab_size: V, how many words the table has; the data set says it.
        embedding_size: E, numbers that stand for a word.
        hidden_size: H, units of each direction.
        layers: 1; in a second layer each direction would have seen the words that it is to tell.
        cell: gru, lstm or elman.
        gate_bias: start value of the bias of the gates that keep the past; 0 is torch's, 1 to 3 remember longer.
        embedding_dropout: probability that a word is taken out of a training document everywhere.
        word_dropout: probability that a single occurrence of a word is taken out.
        locked_dropout: probability that one number of embedding or states is taken out at all words of a document.

    Raises:
        ValueError: an argument is out of range.
    """

    takes: ClassVar[str] = "texts"

    def __init__(
        self,
        *,
        vocab_size: int,
        embedding_size: int = 128,
        hidden_size: int = 128,
        layers: int = 1,
        cell: Cell = "gru",
        gate_bias: float = 0.0,
        embedding_dropout: float = 0.0,
        word_dropout: float = 0.0,
        locked_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if layers != 1:
            raise ValueError(f"layers must be 1 in a bidirectional language model, whose second would see the answer, "
                             f"not {layers}")  # fmt: skip
        self.encoder = TextEncoder(
            vocab_size=vocab_size,
            embedding_size=embedding_size,
            hidden_size=hidden_size,
            layers=layers,
            cell=cell,
            gate_bias=gate_bias,
            embedding_dropout=embedding_dropout,
            word_dropout=word_dropout,
            locked_dropout=locked_dropout,
        )
        self.ahead = nn.Linear(hidden_size, embedding_size)
        self.behind = nn.Linear(hidden_size, embedding_size)
        for projection in (self.ahead, self.behind):
            nn.init.xavier_uniform_(projection.weight)  # Glorot and Bengio 2010
            nn.init.zeros_(projection.bias)
        self.output_bias = nn.Parameter(torch.zeros(vocab_size))

    def forward(
        self, tokens: Tensor, lengths: Tensor, *, presence: Tensor | None = None, nudge: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The heads of both directions at every word, each float [B, T, E]; the scores of V words would not fit."""
        return self.heads(self.encoder(tokens, lengths, presence=presence, nudge=nudge))

    def states(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Float [B, T, 2H]: [..., :H] has read up to and with word t, [..., H:] down to and with it; 0 at padding."""
        return self.encoder(tokens, lengths)

    def heads(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """What is compared with the table's rows, two float [..., E], from states [..., 2H].

        The first, at word t, is for word t + 1; the second, at word t, is for word t - 1.
        """
        forward, backward = states.chunk(2, -1)
        return self.ahead(forward), self.behind(backward)
