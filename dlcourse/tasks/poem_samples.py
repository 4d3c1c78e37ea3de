"""Poems that a model in training writes: some to read, and how many of its free ones keep the rules."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Protocol, cast, runtime_checkable

from torch import Tensor, nn

from dlcourse.data.poems import PoemSplit
from dlcourse.errors import ConfigError
from dlcourse.media import Media, Sketch, Text
from dlcourse.tasks.composing import ROWS, Composition, Writer, compose
from dlcourse.tasks.outlines import Request, outline
from dlcourse.tasks.poem_checks import kept, sounds
from dlcourse.tasks.sampling import Sampling
from dlcourse.text.characters import CharacterEncoder
from dlcourse.verse.forms import FORMS, form_named
from dlcourse.verse.judge import judge
from dlcourse.verse.table import RhymeTable

SEED = 0
JUDGED = "7jue"
"""The form whose free poems are judged while training: one form, since people keep the rules of each to another
extent."""


@runtime_checkable
class _Steps(Protocol):
    """A model that reads token by token."""

    output_bias: Tensor

    def start_state(self, batch: int) -> Any: ...

    def advance(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]: ...


def as_writer(model: nn.Module) -> Writer[Any] | None:
    """The model if it can write poems, token by token."""
    return cast(Writer[Any], model) if isinstance(model, _Steps) else None


def cannot_write(model: nn.Module) -> str:
    """Why a model writes no poems."""
    return f"{type(model).__name__} writes no poems: it has no output_bias, start_state and advance"


def vocabulary_of(encoder: CharacterEncoder) -> list[str]:
    """The tokens in the order of their ids."""
    return [encoder.token(index) for index in range(encoder.size)]


def write(
    writer: Writer[Any],
    request: Request,
    encoder: CharacterEncoder,
    *,
    table: RhymeTable | None,
    count: int,
    seed: int,
    sampling: Sampling | None = None,
    rows: int = ROWS,
) -> list[Composition]:
    """Poems by the model's own probabilities, unless `sampling` says otherwise; `rows` of them at a time.

    Without rules a poem is broken off one token behind where the form would have its end, and so has the form or not
    as if it went on.

    Raises:
        ConfigError: the vocabulary is too small for the rules.
    """
    within = outline(request, vocabulary_of(encoder), table=table)
    if request.rules == "none":
        form = form_named(request.form)
        within = replace(within, steps=within.steps[: form.positions + form.lines + 1])
    return compose(writer, within, count=count, seed=seed, sampling=sampling, rows=rows)


def sketch(model: nn.Module, split: PoemSplit, *, samples: int, judged: int) -> Sketch:
    """`samples` poems of each form as texts, free and by the rules, and the `compliance` of `judged` free quatrains.

    The same random numbers choose the characters each time, so what changes is the model.

    Args:
        model: in evaluation mode.
        split: names the vocabulary, and its poems the script.
        samples: how many of each form; 0 is none.
        judged: how many free quatrains of seven characters a line are held against the rules, leniently; 0 is none.
    """
    if not samples and not judged:
        return Sketch()
    writer = as_writer(model)
    if writer is None:
        return Sketch({"samples": Text(cannot_write(model))})
    table, reason = sounds(split.texts, vocabulary=vocabulary_of(split.encoder))
    counts = {form: max(samples, judged if form == JUDGED else 0) for form in FORMS}
    free = {
        form: write(writer, Request(form, "none"), split.encoder, table=table, count=count, seed=SEED, rows=count)
        for form, count in counts.items()
        if count
    }
    scalars: dict[str, float] = {}
    if judged:
        shares = kept([poem.lines for poem in free[JUDGED][:judged]], form=JUDGED, table=table)
        scalars = {f"compliance/{rule}": share for rule, share in shares.items() if share is not None}
    media: dict[str, Media] = {}
    if samples:
        shown = (poem for poems in free.values() for poem in poems[:samples])
        media["samples/free"] = Text(_written(shown, table=table))
        media["samples/by_the_rules"] = Text(
            reason if table is None else _by_the_rules(writer, split.encoder, table=table, samples=samples)
        )
    return Sketch(media, scalars)


def _by_the_rules(writer: Writer[Any], encoder: CharacterEncoder, *, table: RhymeTable, samples: int) -> str:
    shown: list[str] = []
    for form in FORMS:
        try:
            poems = write(writer, Request(form), encoder, table=table, count=samples, seed=SEED, rows=samples)
        except ConfigError as error:  # a small vocabulary can be trained all the same
            shown.append("  \n".join(error.problems))
        else:
            shown.append(_written(poems, table=table))
    return "\n\n".join(shown)


def _written(poems: Iterable[Composition], *, table: RhymeTable | None) -> str:
    """Markdown: each poem a couplet a line, under it the rules it keeps and how likely the model finds it."""
    shown: list[str] = []
    for poem in poems:
        couplets = poem.text.replace("。", "。  \n").rstrip()
        rules = ""
        if table is not None:
            verdict = judge(poem.lines, form=poem.form, table=table)
            names = [name for name in ("form", "rhyme", "tone") if getattr(verdict, name)]
            rules = f": keeps {', '.join(names) or 'no rule'}"
        shown.append(f"{couplets}  \n{poem.form}{rules}; {poem.character_log_prob:.2f} nats a character")
    return "\n\n".join(shown)
