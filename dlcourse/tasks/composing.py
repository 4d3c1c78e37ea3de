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

import torch
from torch import Tensor
from torch.nn.functional import pad

from dlcourse.data.base import mix
from dlcourse.tasks.outlines import Outline
from dlcourse.tasks.sampling import Sampling
from dlcourse.text.characters import EOP_ID, FORM_IDS, PUNCTUATION, RESERVED
from dlcourse.text.vocab import PAD_ID

ROWS = 64
"""Poems written at a time. Always as many, so that no poem depends on how many were asked for: products of matrices
are rounded differently where there are fewer rows."""

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


@torch.inference_mode()
def compose(
    model: Writer[S],
    outline: Outline,
    *,
    count: int,
    seed: int,
    sampling: Sampling | None = None,
    best_of: int = 1,
) -> list[Composition]:
    """Write poems; the i-th is a function of (seed, i), and of `count` only in that it must be above i.

    Args:
        model: in training or not; `advance` knows no dropout.
        outline: what the poems may hold.
        count: how many.
        seed: names them.
        sampling: how tokens are chosen; None is by the model's own probabilities.
        best_of: how many candidates are written for each poem; the one with the highest log-probability a token stays.

    Raises:
        ValueError: count or best_of is below 1.
    """
    for name, number in (("count", count), ("best_of", best_of)):
        if number < 1:
            raise ValueError(f"{name} must be 1 or more, not {number}")
    sheet, chosen_by = _Sheet(outline, bias=model.output_bias), sampling or Sampling()
    rows = range(-(-count * best_of // ROWS) * ROWS)
    keys = [mix(seed, row // best_of, row % best_of) for row in rows]
    written = [
        poem
        for first in rows[::ROWS]
        for poem in _write(model, outline, sheet, keys=keys[first : first + ROWS], sampling=chosen_by)
    ]
    groups = (written[number * best_of : (number + 1) * best_of] for number in range(count))
    return [max(group, key=lambda poem: poem.mean_log_prob) for group in groups]


def draw(weights: Tensor, uniforms: Tensor) -> Tensor:
    """A token for each row with chances in proportion to its weights [B, V]: int64 [B], from uniform numbers [B]."""
    sums = weights.cumsum(1)
    places = torch.searchsorted(sums, uniforms[:, None] * sums[:, -1:], right=True).clamp(max=weights.shape[1] - 1)
    # Rounding may lead past the last weight, and a GPU, which adds in parts, between two: never to what has no weight.
    missed = weights.gather(1, places) <= 0
    if bool(missed.any()):
        places = places.where(~missed, weights.argmax(1, keepdim=True))
    return places[:, 0]


class _Sheet:
    """The masks of an outline as tensors, for poems that each follow a set of its plans."""

    def __init__(self, outline: Outline, *, bias: Tensor) -> None:
        # A model may have room for more tokens than its vocabulary has; they have no names, so no mask allows them.
        bank = torch.from_numpy(outline.bank).to(bias.device)
        self._bank = pad(bank, (0, len(bias) - bank.shape[1]))
        self._rows = [torch.from_numpy(step.rows).to(bias.device) for step in outline.steps]
        self._kinds = [rows.unique() for rows in self._rows]
        self._plans = outline.plans

    def all_plans(self) -> Tensor:
        """Nothing is decided: bool [ROWS, plans]."""
        return torch.ones(ROWS, self._plans, dtype=torch.bool, device=self._bank.device)

    def barred(self, number: int, followed: Tensor) -> Tensor:
        """What to add to the log-probabilities at a step, float [ROWS, V]: 0 for a token that one of the plans which
        the poem follows allows, else -inf."""
        kinds = self._kinds[number]
        needed = followed.float() @ (self._rows[number][:, None] == kinds).float() > 0
        # Poems are many and the sets of masks that they need are few, so that each union is made once.
        sets, which = needed.unique(dim=0, return_inverse=True)
        allowed = sets.float() @ self._bank[kinds].float() > 0
        return torch.zeros_like(allowed, dtype=torch.float32).masked_fill(~allowed, -math.inf).index_select(0, which)

    def follow(self, number: int, followed: Tensor, tokens: Tensor) -> Tensor:
        """The plans that allow the tokens chosen, too: bool [ROWS, plans]."""
        return followed & self._bank.index_select(1, tokens).index_select(0, self._rows[number]).T


def _write(
    model: Writer[S], outline: Outline, sheet: _Sheet, *, keys: Sequence[int], sampling: Sampling
) -> list[Composition]:
    """A poem for each key."""
    device, state = model.output_bias.device, model.start_state(ROWS)
    uniforms = torch.stack([_uniforms(key, count=len(outline.steps)) for key in keys]).to(device)
    tokens = torch.full((ROWS,), FORM_IDS[outline.form], device=device)
    followed, ended = sheet.all_plans(), torch.zeros_like(tokens, dtype=torch.bool)
    poem: list[Tensor] = []
    free: list[Tensor] = []
    within: list[Tensor] = []
    ends: list[Tensor] = []
    for number, step in enumerate(outline.steps):
        logits, state = model.advance(tokens, state)
        log_probs = logits.float().log_softmax(1)
        if step.token is None:
            left = log_probs + sheet.barred(number, followed)
            if step.fresh:
                left = left.scatter(1, torch.stack(ends, 1), -math.inf)
            used = torch.stack(poem, 1) if poem else tokens[:, None]
            # Punctuation may repeat: what stands for it here is never allowed anyway.
            used = used.where(used >= len(RESERVED), PAD_ID)
            tokens = draw(sampling.weights(left, used=used), uniforms[:, number])
            followed = sheet.follow(number, followed, tokens)
            within.append(left.log_softmax(1).gather(1, tokens[:, None])[:, 0])
        else:
            tokens = torch.full_like(tokens, step.token)
            within.append(torch.zeros(ROWS, device=device))
        poem.append(tokens)
        free.append(log_probs.gather(1, tokens[:, None])[:, 0])
        if step.ends:
            ends.append(tokens)
        ended |= tokens == EOP_ID
        if bool(ended.all()):
            break
    columns = (torch.stack(part, 1).tolist() for part in (poem, free, within))
    return [_composition(outline, *row) for row in zip(*columns, strict=True)]


def _uniforms(key: int, *, count: int) -> Tensor:
    """Numbers in [0, 1), one for each step of a poem; drawn on the CPU, so that every device has the same."""
    return torch.rand(count, generator=torch.Generator().manual_seed(key))


def _composition(
    outline: Outline, tokens: list[int], log_probs: list[float], allowed_log_probs: list[float]
) -> Composition:
    """One row of what was written, cut behind its end."""
    end = tokens.index(EOP_ID) if EOP_ID in tokens else len(tokens)
    text = "".join(outline.vocabulary[token] for token in tokens[:end])
    kept = slice(0, end + 1)
    return Composition(outline.form, tuple(tokens[kept]), text, tuple(log_probs[kept]), tuple(allowed_log_probs[kept]))
