"""A linear model over hashed word n-grams that stands beside a network (Cheng et al. 2016, arXiv:1606.07792)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

_MASK = 0xFFFFFFFF
# MurmurHash3's multipliers less 2^32: equal modulo 2^32, and small enough that no int64 product overflows.
_MULTIPLIERS = (0x85EBCA6B - 2**32, 0xC2B2AE35 - 2**32)
_START = 0x9E3779B9
MOST_BUCKETS = 2**26


class Ngrams(NamedTuple):
    """The n-grams of B documents, every tensor [B, M]; a document's are sorted by bucket."""

    buckets: Tensor
    """Int64: 0 to `buckets` - 1; `buckets` itself where there is no n-gram."""
    orders: Tensor
    """Int64: how many words, less one."""
    counts: Tensor
    """Float32: 1 where a document has this bucket for the first time, else 0; between them with a presence."""


def scramble(number: Tensor) -> Tensor:
    """MurmurHash3's fmix32 (Appleby 2011, public domain), a bijection of 0 to 2^32 - 1; the same on every device."""
    number = (number ^ (number >> 16)) * _MULTIPLIERS[0] & _MASK
    number = (number ^ (number >> 13)) * _MULTIPLIERS[1] & _MASK
    return number ^ (number >> 16)


def distinct_ngrams(
    tokens: Tensor, lengths: Tensor, *, ngrams: int, buckets: int, presence: Tensor | None = None
) -> Ngrams:
    """The set of n-grams of 1 to `ngrams` words of each document, hashed; what reaches into padding is none.

    Args:
        tokens: int64 [B, T].
        lengths: int64 [B].
        ngrams: the most words of an n-gram.
        buckets: how many values a hash may have, at most 2^26.
        presence: float [B, T], how much of each word is there: an n-gram counts the product of its words', and of
            several in one bucket the largest.
    """
    width = tokens.shape[1]
    ends = lengths[:, None] - torch.arange(width, device=tokens.device)  # words from here to the document's end
    hashes, shares = torch.full_like(tokens, _START), presence
    found: list[Tensor] = []
    held: list[Tensor] = []
    for order in range(min(ngrams, width)):
        span = width - order
        hashes = scramble(hashes[:, :span] ^ tokens[:, order:])
        found.append(torch.where(ends[:, :span] > order, hashes * buckets >> 32, buckets))
        if presence is not None and shares is not None:
            shares = shares[:, :span] * presence[:, order:] if order else presence
            held.append(shares)
    keys, places = torch.cat(found, 1).sort(1)
    order_of = torch.cat([torch.full_like(part[0], order) for order, part in enumerate(found)])
    begins = torch.ones_like(keys, dtype=torch.bool)
    begins[:, 1:] = keys[:, 1:] != keys[:, :-1]
    counts = (begins & (keys < buckets)).float()
    if held:
        counts = counts * _largest(torch.cat(held, 1).gather(1, places), begins)
    return Ngrams(keys, order_of[places], counts)


def _largest(shares: Tensor, begins: Tensor) -> Tensor:
    """Float [B, M]: for each place the largest share of its run; a run begins where `begins` is true."""
    run = begins.cumsum(1) - 1
    largest = torch.zeros_like(shares).scatter_reduce(1, run, shares, "amax", include_self=False)
    return largest.gather(1, run)


class NgramBag(nn.Module):
    """The weights of a document's distinct n-grams, summed: tokens [B, T] -> logits [B, K].

    For two classes the table has one column: its sum is the logit of class 1 less that of class 0. Every order of
    n-grams has a trained factor, and each column a trained bias.

    Args:
        num_classes: K.
        ngrams: the most words of an n-gram, 1 or more.
        buckets: rows of the table that n-grams are hashed into.
        trained: whether the table is a parameter, or fixed once a start value has filled it.
        dropout: probability that a training document is classified without any n-gram, not even the bias.
    """

    table: Tensor
    """Float [buckets, C]: C is 1 for two classes, else K."""
    spread: Tensor
    """Float [K]: what a column's sum means for each class."""

    def __init__(self, *, num_classes: int, ngrams: int, buckets: int, trained: bool, dropout: float) -> None:
        super().__init__()
        if not 2 <= buckets <= MOST_BUCKETS:
            raise ValueError(f"ngram_buckets must be from 2 to {MOST_BUCKETS:,}, not {buckets}")
        if not 0 <= dropout <= 1:
            raise ValueError(f"ngram_dropout must be from 0 to 1, not {dropout}")
        self.ngrams, self.buckets, self.dropout = ngrams, buckets, dropout
        columns = 1 if num_classes == 2 else num_classes
        table = torch.zeros(buckets, columns)
        if trained:
            self.table = nn.Parameter(table)
        else:
            self.register_buffer("table", table)
        self.scale = nn.Parameter(torch.ones(ngrams))
        self.bias = nn.Parameter(torch.zeros(columns))
        spread = torch.tensor([-0.5, 0.5]) if columns == 1 else torch.ones(columns)
        self.register_buffer("spread", spread, persistent=False)

    def forward(self, tokens: Tensor, lengths: Tensor, *, presence: Tensor | None = None) -> Tensor:
        found = distinct_ngrams(tokens, lengths, ngrams=self.ngrams, buckets=self.buckets, presence=presence)
        weights = embedding(found.buckets.clamp(max=self.buckets - 1), self.table)
        score = self.bias
        for order, scale in enumerate(self.scale):
            counts = found.counts * (found.orders == order)
            score = score + scale * (weights * counts[..., None]).sum(1)
        if self.training and self.dropout:
            score = score * (torch.rand(len(tokens), 1, device=tokens.device) >= self.dropout)
        # Products and not a matrix product, which autocast would compute in bf16.
        return score * self.spread
