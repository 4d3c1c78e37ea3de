"""What becomes of a prediction when its most important words are deleted (DeYoung et al. 2020, arXiv:1911.03429, 4.1).

Jain and Wallace 2019 (arXiv:1902.10186) asked so whether attention explains; a random choice of words is the control.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcourse.data.texts import PAD_MULTIPLE
from dlcourse.tasks.attribution import is_word
from dlcourse.text.vocab import PAD_ID, UNK_ID

SHARES = (0.05, 0.1, 0.2, 0.5)


@dataclass(frozen=True)
class Deletions:
    """N documents, S shares of their words: one method's effect on the class that the whole document gets.

    Args:
        comprehensiveness: float [N, S], how far the class's probability falls without its top words; high is good.
        sufficiency: float [N, S], how far it falls if only those words are left; low is good.
        flips: bool [N, S], whether another class wins without them.
    """

    comprehensiveness: Tensor
    sufficiency: Tensor
    flips: Tensor

    @classmethod
    def join(cls, parts: Sequence[Deletions]) -> Deletions:
        """The documents of all parts, one part after the other."""
        return cls(
            torch.cat([part.comprehensiveness for part in parts]),
            torch.cat([part.sufficiency for part in parts]),
            torch.cat([part.flips for part in parts]),
        )


def delete(
    model: nn.Module,
    tokens: Tensor,
    lengths: Tensor,
    *,
    scores: Tensor,
    generator: torch.Generator,
    shares: Sequence[float] = SHARES,
) -> Deletions:
    """Delete each document's top words, and all others, and ask the model again; the results stand on the CPU.

    Args:
        model: gives logits [B, K]; it is left in evaluation mode.
        tokens: int64 [B, T], padded with 0.
        lengths: int64 [B].
        scores: float [B, T], which words come first.
        generator: of the CPU; it breaks ties.
        shares: parts of the words, above 0 and at most 1, rounded up to whole words.
    """
    model.eval()
    before = probabilities(model, tokens, lengths)
    confidence, label = before.max(1)
    falls: list[Tensor] = []
    shortfalls: list[Tensor] = []
    flips: list[Tensor] = []
    for share in shares:
        ties = torch.rand(scores.shape, generator=generator).to(scores.device)
        top = most(scores, lengths, share=share, ties=ties)
        without = probabilities(model, *keep(tokens, lengths, ~top))
        alone = probabilities(model, *keep(tokens, lengths, top))
        falls.append(confidence - without.gather(1, label[:, None])[:, 0])
        shortfalls.append(confidence - alone.gather(1, label[:, None])[:, 0])
        flips.append(without.argmax(1) != label)
    return Deletions(torch.stack(falls, 1).cpu(), torch.stack(shortfalls, 1).cpu(), torch.stack(flips, 1).cpu())


def delete_by_each(
    model: nn.Module,
    tokens: Tensor,
    lengths: Tensor,
    *,
    scores: Mapping[str, Tensor],
    generator: torch.Generator,
    shares: Sequence[float] = SHARES,
) -> dict[str, Deletions]:
    """`delete` by the scores of every method."""
    return {
        name: delete(model, tokens, lengths, scores=values, generator=generator, shares=shares)
        for name, values in scores.items()
    }


def probabilities(model: nn.Module, tokens: Tensor, lengths: Tensor) -> Tensor:
    """What the model gives each class, float [B, K]."""
    with torch.no_grad():
        logits: Tensor = model(tokens, lengths)
    return logits.float().softmax(1)


def most(scores: Tensor, lengths: Tensor, *, share: float, ties: Tensor) -> Tensor:
    """Bool [B, T]: the words with the highest scores, `share` of each document rounded up.

    Args:
        scores: float [B, T].
        lengths: int64 [B].
        share: above 0 and at most 1.
        ties: float [B, T], which of equal scores comes first: drawn at random, so that flat attention is as good as
            none and not as good as the first words.

    Raises:
        ValueError: the share is out of range.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, not {share}")
    chance = ties.argsort(1)
    ranked = scores.masked_fill(~is_word(scores, lengths), -torch.inf).gather(1, chance)
    order = chance.gather(1, ranked.argsort(dim=1, descending=True, stable=True))
    wanted = (lengths.double() * share - 1e-9).ceil()  # 0.07 of 100 is 7.000000000000001
    first = torch.arange(scores.shape[1], device=scores.device) < wanted[:, None]
    return torch.zeros_like(first).scatter(1, order, first)


def keep(tokens: Tensor, lengths: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
    """The shorter documents that are left of `tokens` where `kept` (bool [B, T]) is true, and their lengths.

    Nothing left is a document of one unknown word, as it is in the data.
    """
    kept = kept & is_word(tokens, lengths)
    left = kept.sum(1)
    order = (~kept).to(torch.uint8).argsort(dim=1, stable=True)
    width = min(tokens.shape[1], -(-max(int(left.max()), 1) // PAD_MULTIPLE) * PAD_MULTIPLE)
    shorter = tokens.gather(1, order)[:, :width].masked_fill(
        torch.arange(width, device=tokens.device) >= left[:, None], PAD_ID
    )
    shorter[:, 0] = shorter[:, 0].where(left > 0, UNK_ID)
    return shorter, left.clamp(min=1)
