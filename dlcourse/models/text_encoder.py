"""Documents to states: word embeddings, then bidirectional recurrent layers, each with its kind of dropout."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from dlcourse.models.ngrams import scramble
from dlcourse.models.recurrent import BiRecurrent, Cell

PAD = 0
EMBEDDING_RANGE = 0.1  # uniform from -0.1 to 0.1 (Merity et al. 2018, arXiv:1708.02182, section 5)


class TextEncoder(nn.Module):
    """Word embeddings and bidirectional recurrent layers: tokens [B, T], lengths [B] -> states [B, T, 2H].

    Padding (token 0) changes no state and its own are zeros.

    Args:
        vocab_size: how many words the table has, padding and the unknown word among them.
        embedding_size: E, the numbers that stand for a word.
        hidden_size: H, the units of each direction.
        layers: how many bidirectional layers.
        cell: gru, lstm or elman.
        gate_bias: start value of the bias of the gates that keep the past.
        embedding_dropout: probability that a word is taken out of a training document everywhere, as if the table had
            no row for it; the others grow to make up (Gal and Ghahramani 2016, arXiv:1512.05287, section 4.2).
        word_dropout: probability that a single occurrence of a word is taken out (Iyyer et al. 2015).
        locked_dropout: probability that one number of the embedding or of a layer's output is taken out at all words
            of a training document (Merity et al. 2018, arXiv:1708.02182, section 4.2).

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        *,
        vocab_size: int,
        embedding_size: int,
        hidden_size: int,
        layers: int,
        cell: Cell,
        gate_bias: float,
        embedding_dropout: float,
        word_dropout: float,
        locked_dropout: float,
    ) -> None:
        super().__init__()
        check_sizes(vocab_size=vocab_size, embedding_size=embedding_size, hidden_size=hidden_size, layers=layers)
        check_dropouts(embedding_dropout=embedding_dropout, word_dropout=word_dropout, locked_dropout=locked_dropout)
        self.embedding_dropout, self.word_dropout = embedding_dropout, word_dropout
        self.embedding = nn.Embedding(vocab_size, embedding_size, padding_idx=PAD)
        with torch.no_grad():
            self.embedding.weight.uniform_(-EMBEDDING_RANGE, EMBEDDING_RANGE)[PAD] = 0.0
        sizes = [embedding_size, *[2 * hidden_size] * (layers - 1)]
        self.layers = nn.ModuleList(
            BiRecurrent(input_size=size, hidden_size=hidden_size, cell=cell, gate_bias=gate_bias) for size in sizes
        )
        self.locked = LockedDropout(locked_dropout)

    def forward(
        self, tokens: Tensor, lengths: Tensor, *, presence: Tensor | None = None, nudge: Tensor | None = None
    ) -> Tensor:
        """States [B, T, 2H], the forward direction's first.

        Args:
            tokens: int64 [B, T], 0 behind a document's end.
            lengths: int64 [B].
            presence: float [B, T], what each word's embedding is multiplied by.
            nudge: float [B, T, E], added to the embedded words.
        """
        words = self.embed(tokens)
        for share in (presence, *self._shares(tokens)):
            words = words if share is None else words * share[..., None]
        if nudge is not None:
            words = words + nudge
        states = self.locked(words)
        for layer in self.layers:
            states = self.locked(layer(states, lengths))
        return states

    def embed(self, tokens: Tensor) -> Tensor:
        """The table's rows, float [B, T, E]; zeros at padding."""
        # A language model that is tied to the table moves the row of padding too.
        return self.embedding(tokens) * (tokens != PAD)[..., None]

    def _shares(self, tokens: Tensor) -> Iterator[Tensor]:
        """Float [B, T] each: what dropout leaves of every word of a training batch."""
        if self.training and self.embedding_dropout:
            # Drawing a mask for every word of the table would take longer than hashing those that are there.
            salt = torch.randint(2**32, (len(tokens), 1), device=tokens.device)
            kept = scramble(scramble(tokens) ^ salt) >= self.embedding_dropout * 2**32
            yield kept / (1 - self.embedding_dropout)
        if self.training and self.word_dropout:
            yield (torch.rand(tokens.shape, device=tokens.device) >= self.word_dropout).float()


class LockedDropout(nn.Module):
    """Dropout of [B, T, C] whose mask is the same at every time (Merity et al. 2018, arXiv:1708.02182, section 4.2)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, states: Tensor) -> Tensor:
        if not (self.training and self.p):
            return states
        kept = torch.rand_like(states[:, :1]) >= self.p
        return states * (kept / (1 - self.p)).to(states.dtype)


def check_sizes(**sizes: int) -> None:
    """Raise ValueError unless each is 1 or more."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be 1 or more, not {size}")


def check_dropouts(**shares: float) -> None:
    """Raise ValueError unless each is at least 0 and below 1."""
    for name, share in shares.items():
        if not 0 <= share < 1:
            raise ValueError(f"{name} must be at least 0 and below 1, not {share}")
