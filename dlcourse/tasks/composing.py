"""Writes poems with a character model, many at a time, each token among those that its outline allows.

A poem is not tied to one tone pattern and rhyme category beforehand: it keeps the set of all plans that its characters
so far allow, may go on by any of them, and so the model decides which it is, as a finite automaton would be followed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from dlcourse.data.base import mix
from dlcourse.tasks.drawing import choose
from dlcourse.tasks.outlines import Outline
from dlcourse.tasks.sampling import Sampling
from dlcourse.text.characters import EOP_ID, FORM_IDS, PUNCTUATION, RESERVED
from dlcourse.text.vocab import PAD_ID

ROWS = 128
"""Poems written at a time. Always as many, so that no poem depends on how many were asked for: products of matrices
are rounded differently where there are fewer rows."""
DRAWS = 8
"""Random numbers for each token: where a nucleus is wanted, the first draw may fall outside."""

S = TypeVar("S")


class Writer(Protocol[S]):
    """A model that reads poems token by token; S is what it knows of those that it has read."""

    @property
    def output_bias(self) -> Tensor:
        """[V], on the device where the model is."""
        ...

    def start_state(self, batch: int) -> S:
        """Nothing is read yet."""
        ...

    def advance(self, tokens: Tensor, state: S) -> tuple[Tensor, S]:
        """Read one more token of each poem, int64 [B]: the logits [B, V] of the next one, and the state behind it."""
        ...


@dataclass(frozen=True)
class Composition:
    """A poem and how likely the model finds it.

    Args:
        form: the name of the form that was asked for.
        tokens: what stands behind the form token, the end included unless it was broken off.
        text: lines with punctuation.
        log_probs: nats, of each token by the model alone: no rules, no sampling settings.
        allowed_log_probs: the same after renormalising over what the rules allow; 0 where nothing is chosen.
    """

    form: str
    tokens: tuple[int, ...]
    text: str
    log_probs: tuple[float, ...]
    allowed_log_probs: tuple[float, ...]

    @property
    def lines(self) -> list[str]:
        """Without punctuation; two marks in a row have an empty line between them."""
        comma, stop = PUNCTUATION
        return re.split(f"[{comma}{stop}]", self.text.removesuffix(stop))

    @property
    def log_prob(self) -> float:
        """Nats, the sum over all tokens."""
        return math.fsum(self.log_probs)

    @property
    def mean_log_prob(self) -> float:
        """Nats a token; its negative is the logarithm of what training calls `perplexity`."""
        return self.log_prob / len(self.log_probs)

    @property
    def character_log_prob(self) -> float:
        """Nats a character, over characters alone, as `perplexity_characters` has it; nan if there is none."""
        own = [found for found, token in zip(self.log_probs, self.tokens, strict=True) if token >= len(RESERVED)]
        return math.fsum(own) / len(own) if own else math.nan

    @property
    def price(self) -> float:
        """Nats that the rules cost, at least 0: minus the logarithm of the probability that the model keeps to what
        they allow wherever it has come to, summed over the tokens."""
        return math.fsum(self.allowed_log_probs) - self.log_prob


@torch.no_grad()
def compose(
    model: Writer[S],
    outline: Outline,
    *,
    count: int,
    seed: int,
    sampling: Sampling | None = None,
    best_of: int = 1,
    rows: int = ROWS,
) -> list[Composition]:
    """Write poems; the i-th is a function of (seed, i), and of `count` only in that it must be above i.

    Args:
        model: in training or not; `advance` knows no dropout.
        outline: what the poems may hold.
        count: how many.
        seed: names them.
        sampling: how tokens are chosen; None is by the model's own probabilities.
        best_of: how many candidates are written for each poem; the one with the highest log-probability a token stays.
        rows: how many are written at a time; where another number rounds differently, other poems come out.

    Raises:
        ValueError: count, best_of or rows is below 1.
    """
    for name, number in (("count", count), ("best_of", best_of), ("rows", rows)):
        if number < 1:
            raise ValueError(f"{name} must be 1 or more, not {number}")
    # No inference mode above, in which a run of low precision would convert its weights anew for every token.
    sheet, chosen_by = _Sheet(outline, bias=model.output_bias), sampling or Sampling()
    keys = [mix(seed, row // best_of, row % best_of) for row in range(-(-count * best_of // rows) * rows)]
    written = [
        poem
        for first in range(0, len(keys), rows)
        for poem in _write(model, outline, sheet, keys=keys[first : first + rows], sampling=chosen_by)
    ]
    groups = (written[number * best_of : (number + 1) * best_of] for number in range(count))
    return [max(group, key=lambda poem: poem.mean_log_prob) for group in groups]


class _Sheet:
    """The masks of an outline as tensors, for poems that each follow a set of its plans."""

    def __init__(self, outline: Outline, *, bias: Tensor) -> None:
        device = bias.device
        # Tokens that no mask tells apart are one class: there are 7,000 tokens and fewer than 200 classes.
        bank, classes = np.unique(outline.bank, axis=1, return_inverse=True)
        # A model may have room for more tokens than its vocabulary has; they have no names, so no mask allows them.
        self._classes = torch.full((len(bias),), bank.shape[1], device=device)
        self._classes[: classes.size] = torch.from_numpy(classes.reshape(-1)).to(device)
        self._bank = pad(torch.from_numpy(bank).to(device), (0, 1))
        self._rows = [torch.from_numpy(step.rows).to(device) for step in outline.steps]
        self._plans = outline.plans

    def all_plans(self, rows: int) -> Tensor:
        """Nothing is decided: bool [rows, plans]."""
        return torch.ones(rows, self._plans, dtype=torch.bool, device=self._bank.device)

    def allowed(self, number: int, followed: Tensor, *, out: Tensor) -> Tensor:
        """Float [B, V], in `out`: 1 for a token that one of the plans which the poem follows allows, else 0."""
        kinds = followed.float() @ self._bank[self._rows[number]].float() > 0
        return torch.index_select(kinds.float(), 1, self._classes, out=out)

    def follow(self, number: int, followed: Tensor, tokens: Tensor) -> Tensor:
        """The plans that allow the tokens chosen, too: bool [B, plans]."""
        kinds = self._classes.index_select(0, tokens)
        return followed & self._bank.index_select(1, kinds).index_select(0, self._rows[number]).T


def _write(
    model: Writer[S], outline: Outline, sheet: _Sheet, *, keys: Sequence[int], sampling: Sampling
) -> list[Composition]:
    """A poem for each key."""
    bias, rows = model.output_bias, len(keys)
    state = model.start_state(rows)
    numbers = torch.stack([_uniforms(key, count=len(outline.steps)) for key in keys]).to(bias.device)
    tokens = torch.full((rows,), FORM_IDS[outline.form], device=bias.device)
    followed, ended = sheet.all_plans(rows), torch.zeros_like(tokens, dtype=torch.bool)
    # These are made once, since to ask for memory of this size takes longer than what is done with it.
    chances, allowed = bias.new_empty(2, rows, len(bias), dtype=torch.float32)
    poem: list[Tensor] = []
    free: list[Tensor] = []
    within: list[Tensor] = []
    ends: list[Tensor] = []
    for number, step in enumerate(outline.steps):
        logits, state = model.advance(tokens, state)
        logits = logits.float()
        torch.softmax(logits, 1, out=chances)
        total = logits.amax(1) - chances.amax(1).log()  # the logarithm of the sum of the exponentials
        if step.token is None:
            sheet.allowed(number, followed, out=allowed)
            if step.fresh:
                allowed.scatter_(1, torch.stack(ends, 1), 0.0)
            kept = _keep(chances, allowed, logits=logits, total=total)
            used = torch.stack(poem, 1) if poem else tokens[:, None]
            # Punctuation may repeat: what stands for it here is never allowed anyway.
            used = used.where(used >= len(RESERVED), PAD_ID)
            tokens = choose(sampling.weights(chances, used=used), numbers[:, number], top_p=sampling.top_p)
            followed = sheet.follow(number, followed, tokens)
        else:
            tokens = torch.full_like(tokens, step.token)
            kept = None
        free.append(logits.gather(1, tokens[:, None])[:, 0] - total)
        within.append(torch.zeros_like(total) if kept is None else free[-1] - kept)
        poem.append(tokens)
        if step.ends:
            ends.append(tokens)
        ended |= tokens == EOP_ID
        if bool(ended.all()):
            break
    columns = (torch.stack(part, 1).tolist() for part in (poem, free, within))
    return [_composition(outline, *row) for row in zip(*columns, strict=True)]


def _keep(chances: Tensor, allowed: Tensor, *, logits: Tensor, total: Tensor) -> Tensor:
    """Leave chances [B, V] to what is allowed alone, and tell the logarithm of what they come to: float [B]."""
    chances *= allowed
    kept = chances.sum(1).log()
    lost = kept.isinf().nonzero()[:, 0]
    if len(lost):  # all that is allowed is so unlikely that its chances are 0 in single precision
        left = logits[lost].masked_fill(allowed[lost] == 0, -math.inf)
        chances[lost] = left.softmax(1)
        kept[lost] = left.logsumexp(1) - total[lost]
    return kept


def _uniforms(key: int, *, count: int) -> Tensor:
    """Numbers in [0, 1), DRAWS for each step of a poem; drawn on the CPU, so that every device has the same."""
    return torch.rand(count, DRAWS, dtype=torch.float64, generator=torch.Generator().manual_seed(key))


def _composition(
    outline: Outline, tokens: list[int], log_probs: list[float], allowed_log_probs: list[float]
) -> Composition:
    """One row of what was written, cut behind its end."""
    end = tokens.index(EOP_ID) if EOP_ID in tokens else len(tokens)
    text = "".join(outline.vocabulary[token] for token in tokens[:end])
    kept = slice(0, end + 1)
    return Composition(outline.form, tuple(tokens[kept]), text, tuple(log_probs[kept]), tuple(allowed_log_probs[kept]))
