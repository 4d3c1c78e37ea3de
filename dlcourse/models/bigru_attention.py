"""Bidirectional GRU whose states additive attention weighs (Bahdanau et al. 2015, arXiv:1409.0473, section A.1.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from dlcourse.models.ngrams import NgramBag
from dlcourse.models.recurrent import Cell, word_mask
from dlcourse.models.text_encoder import TextEncoder, check_dropouts, check_sizes

Pooling = Literal["attention", "max", "mean", "last", "all"]


class BiGRUAttention(nn.Module):
    """Classifies documents: tokens [B, T], lengths [B] -> logits [B, K]. Padding changes none.

    With `ngrams` a linear model over the document's distinct word n-grams adds its logits (Wang and Manning 2012; its
    table is filled by `init=nb_ngrams`).

    Args:
        vocab_size: how many words the table has; the data set says it.
        num_classes: K, how many logits; the data set says it.
        embedding_size: numbers that stand for a word.
        hidden_size: units of each direction.
        layers: how many bidirectional layers.
        cell: gru, lstm or elman.
        gate_bias: start value of the bias of the gates that keep the past; 0 is torch's, 1 to 3 remember longer.
        pooling: how states become one vector: weighed by attention, their max, their mean, the last of each
            direction, or all of these side by side.
        attention_size: units of the attention's hidden layer.
        dropout: probability that one number of the pooled document is taken out in training.
        embedding_dropout: probability that a word is taken out of a training document everywhere.
        word_dropout: probability that a single occurrence of a word is taken out.
        locked_dropout: probability that one number of embedding or states is taken out at all words of a document.
        ngrams: the most words of an n-gram; 1 leaves the n-grams out.
        ngram_buckets: rows of the table that n-grams are hashed into.
        ngram_train: whether that table is trained, or stays what `init=nb_ngrams` made it.
        ngram_dropout: probability that a training document is classified without n-grams, from 0 to 1; at 1 the
            network learns alone and both vote afterwards.

    Raises:
        ValueError: an argument is out of range.
    """

    takes: ClassVar[str] = "texts"

    def __init__(
        self,
        *,
        vocab_size: int,
        num_classes: int,
        embedding_size: int = 128,
        hidden_size: int = 128,
        layers: int = 1,
        cell: Cell = "gru",
        gate_bias: float = 0.0,
        pooling: Pooling = "attention",
        attention_size: int = 128,
        dropout: float = 0.3,
        embedding_dropout: float = 0.0,
        word_dropout: float = 0.0,
        locked_dropout: float = 0.0,
        ngrams: int = 1,
        ngram_buckets: int = 2**20,
        ngram_train: bool = True,
        ngram_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_sizes(attention_size=attention_size, ngrams=ngrams)
        check_dropouts(dropout=dropout)
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, not {num_classes}")
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, not {pooling!r}")
        self.pooling: Pooling = pooling
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
        pools = POOLINGS[pooling]
        self.attend = AdditiveAttention(2 * hidden_size, attention_size) if attended in pools else None
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(2 * hidden_size * len(pools), num_classes)
        nn.init.xavier_uniform_(self.classifier.weight)  # Glorot and Bengio 2010
        nn.init.zeros_(self.classifier.bias)
        self.wide = (
            NgramBag(
                num_classes=num_classes,
                ngrams=ngrams,
                buckets=ngram_buckets,
                trained=ngram_train,
                dropout=ngram_dropout,
            )
            if ngrams > 1
            else None
        )

    def forward(
        self, tokens: Tensor, lengths: Tensor, *, presence: Tensor | None = None, nudge: Tensor | None = None
    ) -> Tensor:
        """Logits [B, K].

        Args:
            tokens: int64 [B, T], 0 behind a document's end.
            lengths: int64 [B].
            presence: float [B, T], how much of each word is there: 1 leaves it, 0 takes it out.
            nudge: float [B, T, E], added to the embedded words.
        """
        states = self.encoder(tokens, lengths, presence=presence, nudge=nudge)
        words = word_mask(lengths, tokens.shape[1])
        weights = self._weights(states, words)
        pooled = torch.cat([pool(states, words, weights) for pool in POOLINGS[self.pooling]], -1)
        logits = self.classifier(self.dropout(pooled))
        return logits if self.wide is None else logits + self.wide(tokens, lengths, presence=presence)

    def attention(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Float32 [B, T]: each word's share, 0 at padding; the same for all words if the pooling has no attention."""
        return self._weights(self.encoder(tokens, lengths), word_mask(lengths, tokens.shape[1]))

    def embed(self, tokens: Tensor) -> Tensor:
        """Float [B, T, E]: the words as numbers; zeros at padding."""
        return self.encoder.embed(tokens)

    def _weights(self, states: Tensor, words: Tensor) -> Tensor:
        return (
            self.attend(states, words) if self.attend is not None else words / words.sum(1, keepdim=True).clamp(min=1)
        )


class AdditiveAttention(nn.Module):
    """Shares of words by a small network: states [B, T, C] -> v . tanh(W state + b), softmax over a document's words.

    Args:
        size: C.
        hidden_size: rows of W.
    """

    def __init__(self, size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(size, hidden_size)
        self.score = nn.Linear(hidden_size, 1, bias=False)  # the softmax would cancel a bias
        nn.init.xavier_uniform_(self.hidden.weight)
        nn.init.zeros_(self.hidden.bias)
        nn.init.xavier_uniform_(self.score.weight)

    def forward(self, states: Tensor, words: Tensor) -> Tensor:
        """Float32 [B, T]: every row sums to 1 over its words (bool [B, T]); a row without any is all zeros."""
        scores = self.score(torch.tanh(self.hidden(states)))[..., 0].float()
        shares = scores.masked_fill(~words, torch.finfo(scores.dtype).min).softmax(-1)
        return shares * words


def attended(states: Tensor, words: Tensor, weights: Tensor) -> Tensor:
    """The sum of states [B, T, C] by their weights [B, T]."""
    return torch.einsum("bt,btc->bc", weights.to(states.dtype), states)


def largest(states: Tensor, words: Tensor, weights: Tensor) -> Tensor:
    """The largest of each number over a document's words; 0 without words."""
    lowest = states.masked_fill(~words[..., None], torch.finfo(states.dtype).min).amax(1)
    return lowest * words.any(1, keepdim=True)


def average(states: Tensor, words: Tensor, weights: Tensor) -> Tensor:
    """The mean over a document's words; padding's states are zeros."""
    return states.sum(1) / words.sum(1, keepdim=True).clamp(min=1)


def last(states: Tensor, words: Tensor, weights: Tensor) -> Tensor:
    """What each direction read last: forward at the last word, backward at the first."""
    half = states.shape[-1] // 2
    end = (words.sum(1) - 1).clamp(min=0)
    return torch.cat([states[torch.arange(len(end), device=end.device), end, :half], states[:, 0, half:]], -1)


Pool = Callable[[Tensor, Tensor, Tensor], Tensor]
"""States [B, T, C], words bool [B, T] and weights [B, T] -> [B, C]."""

POOLINGS: Mapping[Pooling, tuple[Pool, ...]] = {
    "attention": (attended,),
    "max": (largest,),
    "mean": (average,),
    "last": (last,),
    "all": (attended, largest, average, last),
}
