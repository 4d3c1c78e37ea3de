"""Draws tokens by their weights, and from a nucleus (Holtzman et al. 2020, arXiv:1904.09751), without sorting them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BLOCK = 64
"""Tokens that are added up together before one is drawn."""
BELOW_ONE = math.nextafter(1.0, 0.0)


def choose(weights: Tensor, uniforms: Tensor, *, top_p: float) -> Tensor:
    """A token for each row, among the most likely ones that together have the share `top_p`: int64 [B].

    Nothing is sorted. A token drawn among all belongs to these if the more likely ones have less than that share; else
    one of the more likely ones is drawn, as long as there are numbers to draw by, and then the likeliest is taken.

    Args:
        weights: float [B, V], none negative and at least one of each row above 0.
        uniforms: float64 [B, N], in [0, 1); the first one draws, the others draw again.
        top_p: the share; 1 is all.
    """
    return draw(weights, uniforms[:, 0]) if top_p == 1 else _among(weights, uniforms, top_p * weights.sum(1))


def _among(weights: Tensor, uniforms: Tensor, enough: Tensor) -> Tensor:
    """A token than which no others, of together `enough` weight [B] or more, are likelier."""
    tokens = draw(weights, uniforms[:, 0])
    likelier = weights * (weights > weights.gather(1, tokens[:, None]))
    outside = (likelier.sum(1) >= enough).nonzero()[:, 0]
    if len(outside):
        left, numbers = likelier[outside], uniforms[outside, 1:]
        tokens[outside] = _among(left, numbers, enough[outside]) if numbers.shape[1] else left.argmax(1)
    return tokens


def draw(weights: Tensor, uniforms: Tensor) -> Tensor:
    """A token for each row with chances in proportion to its weights.

    Args:
        weights: float [B, V], none negative and at least one of each row above 0.
        uniforms: float64 [B], in [0, 1).

    Returns:
        Int64 [B].
    """
    # First a block of tokens, then a token of it: sums of blocks are fast to make, running sums of all tokens are not.
    count = weights.shape[1]
    edge = count - count % BLOCK
    whole = weights[:, :edge].unflatten(1, (edge // BLOCK, BLOCK)).sum(2)
    block, rest = _part(torch.cat([whole, weights[:, edge:].sum(1, keepdim=True)], 1), uniforms)
    tokens = block[:, None] * BLOCK + torch.arange(BLOCK, device=block.device)
    within = weights.gather(1, tokens.clamp(max=count - 1)) * (tokens < count)
    return block * BLOCK + _part(within, rest)[0]


def _part(weights: Tensor, uniforms: Tensor) -> tuple[Tensor, Tensor]:
    """In which part of each row a number falls, int64 [B], and how far into that part, float64 [B] in [0, 1)."""
    sums = weights.double().cumsum(1)
    wanted = uniforms[:, None] * sums[:, -1:]
    places = torch.searchsorted(sums, wanted, right=True).clamp(max=weights.shape[1] - 1)
    # Rounding may lead past the last weight, and a GPU, which adds in parts, between two: never to what has no weight.
    places = places.where(weights.gather(1, places) > 0, weights.argmax(1, keepdim=True))
    own = weights.gather(1, places)
    rest = (wanted - sums.gather(1, places) + own) / own
    return places[:, 0], rest[:, 0].clamp(0.0, BELOW_ONE)
