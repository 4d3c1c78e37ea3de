"""What a trained model of poems writes, held against what people wrote: rules, variety and copying, likelihood.

The quatrains of five and of seven characters a line stand apart, not mixed: people keep the rules of tone in most of
one and in half of the other, so a mix would say more of its shares than of the poems. Eight-line verse is left out,
which would take twice the time and is held to the same rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from dlcourse.data.base import mix
from dlcourse.data.poems import PoemBatch, PoemSplit
from dlcourse.errors import ConfigError
from dlcourse.media import Cell, Table
from dlcourse.metrics import Stats
from dlcourse.tasks.composing import Writer
from dlcourse.tasks.outlines import Request
from dlcourse.tasks.poem_checks import copied, distinct, kept, lines_of, mean, repeated, sounds
from dlcourse.tasks.poem_samples import as_writer, cannot_write, vocabulary_of, write
from dlcourse.tasks.sampling import USUAL, Sampling
from dlcourse.text.characters import RESERVED
from dlcourse.text.spans import Spans
from dlcourse.verse.forms import recognise
from dlcourse.verse.table import RhymeTable

QUATRAINS = ("5jue", "7jue")
SEED = 0
FREE, BOUND, USED, HUMAN = "free", "by rules", "generate", "human"
"""Poems by the model's own chances; among them those that keep the rules; by the rules and with the settings that
`dlcourse generate` has unless told otherwise; people's."""
VARIED = 150
"""Poems of each row that distinct-1 and distinct-2 are counted over, or as many as the row with the fewest has."""
BATCH = 64


@dataclass(frozen=True)
class Group:
    """Poems of one origin that should have one form.

    Args:
        form: the name of the form.
        origin: FREE, BOUND, USED or HUMAN.
        poems: the lines of each.
        log_prob: nats by the model, the mean over the characters of the poems that have the form; None if none has it.
        price: nats a character, minus the logarithm of what the rules leave of the model's probability.
    """

    form: str
    origin: str
    poems: Sequence[Sequence[str]]
    log_prob: float | None
    price: float | None = None

    @property
    def label(self) -> str:
        """What its row is called."""
        return f"{self.form} {self.origin}"


Evaluate = Callable[[nn.Module, PoemBatch], Stats]


def tables(
    model: nn.Module, train: PoemSplit, judged: PoemSplit, *, name: str, count: int, evaluate: Evaluate
) -> list[Table]:
    """Three tables with a row for each form and origin.

    Args:
        model: in evaluation mode.
        train: what may be copied.
        judged: whose human poems are looked at.
        name: of the split `judged`.
        count: poems of each row; of people's as many as there are.
        evaluate: the task's statistics of a batch of people's poems.
    """
    writer = as_writer(model)
    if writer is None:
        return [Table("poems", (), (), (f"left out: {cannot_write(model)}",))]
    table, reason = sounds(judged.texts, vocabulary=vocabulary_of(judged.encoder))
    notes = [f"left out, rhyme, tone and poems by the rules: {reason}"] if table is None else []
    groups: list[Group] = []
    for form in QUATRAINS:
        written = partial(_written, writer, split=judged, table=table, count=count)
        groups.append(written(FREE, Request(form, "none")))
        try:
            if table is not None:
                groups += [written(BOUND, Request(form)), written(USED, Request(form), sampling=USUAL)]
        except ConfigError as error:  # a vocabulary too small for the rules
            notes += [f"left out, {form} by the rules: {problem}" for problem in error.problems]
        human = _human(model, judged, form=form, count=count, evaluate=evaluate)
        groups += [human] if human.poems else []
        notes += [] if human.poems else [f"left out: the {name} split holds no {form}"]
    return [
        _rules(groups, table=table, name=name, notes=notes),
        _variety(groups, train=train),
        _likelihood(groups),
    ]


def _written(
    writer: Writer[Any],
    origin: str,
    request: Request,
    *,
    split: PoemSplit,
    table: RhymeTable | None,
    count: int,
    sampling: Sampling | None = None,
) -> Group:
    poems = write(writer, request, split.encoder, table=table, count=count, seed=SEED, sampling=sampling)
    chances = [
        (free, within)
        for poem in poems
        if recognise(poem.lines) == request.form
        for token, free, within in zip(poem.tokens, poem.log_probs, poem.allowed_log_probs, strict=True)
        if token >= len(RESERVED)
    ]
    return Group(
        request.form,
        origin,
        [poem.lines for poem in poems],
        mean([free for free, _ in chances]),
        mean([within - free for free, within in chances]) if request.rules != "none" else None,
    )


def _human(model: nn.Module, split: PoemSplit, *, form: str, count: int, evaluate: Evaluate) -> Group:
    """At most `count` poems of the split, picked by a seed of their own."""
    places = torch.tensor([place for place, name in enumerate(split.forms) if name == form], dtype=torch.int64)
    order = torch.randperm(len(places), generator=torch.Generator().manual_seed(mix(SEED)))[:count]
    chosen = places[order]
    stats = [evaluate(model, split.fetch(part)) for part in chosen.split(BATCH)] if len(chosen) else []
    numbers = sum(stats[1:], stats[0]).summary() if stats else {}
    perplexity = numbers.get("perplexity_characters")
    poems = [lines_of(split.texts[int(place)]) for place in chosen]
    return Group(form, HUMAN, poems, None if perplexity is None else -math.log(perplexity))


def _rules(groups: Sequence[Group], *, table: RhymeTable | None, name: str, notes: Sequence[str]) -> Table:
    """`form`, `rhyme`, `tone` and `all` of them: the share of poems that keep it, a character with several readings
    counting wherever one fits; `strict`: at line ends only characters whose readings all have the tone needed there.
    """
    rows: list[tuple[Cell, ...]] = []
    for group in groups:
        lenient, strict = (kept(group.poems, form=group.form, table=table, strict=strict) for strict in (False, True))
        of_rules = (*lenient.values(), *(strict[rule] for rule in ("rhyme", "tone", "all")))
        rows.append((group.label, len(group.poems), *of_rules))
    return Table(
        f"rules kept: shares of the poems, beside people's of the {name} split",
        ("poems", "number", "form", "rhyme", "tone", "all", "strict rhyme", "strict tone", "strict all"),
        tuple(rows),
        (
            "a poem without its form keeps no rule; strict: at line ends only characters whose readings all have the "
            "tone needed there; people's poems were picked by their form",
            *notes,
        ),
    )


def _variety(groups: Sequence[Group], *, train: PoemSplit) -> Table:
    """`distinct-1` and `distinct-2`: different characters, or pairs of neighbours in a line, over all of as many poems
    in each row; `repeated`: characters of a poem that stand in it before; `copied lines`: the share of lines that are
    a line of a training poem; `span` and `longest span`: characters of the longest run, across lines but without
    punctuation, that also stands in a training poem, the mean and the maximum over poems.
    """
    varied = min(VARIED, *(len(group.poems) for group in groups))
    lines = [lines_of(text) for text in train.texts]
    known, index = {line for poem in lines for line in poem}, Spans(["".join(poem) for poem in lines])
    rows: list[tuple[Cell, ...]] = []
    for group in groups:
        spans = index.longest(["".join(poem) for poem in group.poems])
        rows.append(
            (
                group.label,
                *(distinct(group.poems[:varied], n=n) for n in (1, 2)),
                repeated(group.poems),
                copied(group.poems, known=known),
                float(spans.mean()),
                int(spans.max()),
            )
        )
    return Table(
        "variety, and what is copied from the training poems",
        ("poems", "distinct-1", "distinct-2", "repeated", "copied lines", "span", "longest span"),
        tuple(rows),
        (
            f"distinct-n: different n-grams of characters over all of {varied} poems; repeated: characters of a poem "
            "that stand in it before; copied lines: the share that is a line of a training poem; span: characters of a "
            "poem's longest run that a training poem holds, too",
        ),
    )


def _likelihood(groups: Sequence[Group]) -> Table:
    """`log prob`: nats a character by the model alone, of poems that have their form: a character in the place of
    punctuation is so unlikely that broken ones would hide what rhyme and tone cost; `difference`: how far it lies above
    the free poems'; `price`: minus the logarithm of the probability that the model leaves to what the rules allow
    wherever the poem has come to, nats a character, choices of punctuation and end not counted.
    """
    free = {group.form: group.log_prob for group in groups if group.origin == FREE}
    rows: list[tuple[Cell, ...]] = []
    for group in groups:
        base = None if group.origin == FREE else free[group.form]
        difference = None if base is None or group.log_prob is None else group.log_prob - base
        rows.append((group.label, group.log_prob, difference, group.price))
    return Table(
        "likelihood: nats a character",
        ("poems", "log prob", "difference", "price"),
        tuple(rows),
        (
            "log prob: by the model alone, of the poems that have their form; difference: from that of free poems; "
            "price: minus the logarithm of the chance that the model leaves to what the rules allow; generate: by the "
            "rules, with the settings that `dlcourse generate` has unless told otherwise",
        ),
    )
