"""What a poem that is to be written may hold, token by token: by form, rhyme and tone, or by none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dlcourse.errors import ConfigError
from dlcourse.text.characters import COMMA_ID, EOP_ID, RESERVED, STOP_ID
from dlcourse.verse.constraints import plans
from dlcourse.verse.forms import HAN, Form, form_named
from dlcourse.verse.table import RhymeTable
from dlcourse.verse.wishes import in_script, refuse_unknown, wished_characters

Rules = Literal["none", "form", "rhyme", "all"]
LONGEST = 128
"""Tokens behind the form token after which a poem without rules is broken off; a 7lv has 65."""
_Masks = tuple[NDArray[np.bool_], NDArray[np.int64]]
"""A bank and, for each plan and position without punctuation, which of its rows holds: int64 [plans, positions]."""
_NO_ROWS = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Request:
    """What poems are asked for.

    Args:
        form: the name of the form.
        rules: what is held: nothing, so that the form is a hint to the model; the form; the rhyme, too; the tones, too.
        strict: under rhyme and all, line ends take only characters whose readings all have the tone needed there.
        acrostic: the first characters of the lines, one for each line.
        start: the poem's first characters.

    Raises:
        ConfigError: there is no such form, or it cannot be written so.
    """

    form: str
    rules: Rules = "all"
    strict: bool = False
    acrostic: str | None = None
    start: str | None = None

    def __post_init__(self) -> None:
        if self.rules == "none" and self.acrostic is not None:
            raise ConfigError("acrostic: without rules nobody knows where lines begin; choose rules=form, rhyme or all")
        _ = self.wishes

    @cached_property
    def wishes(self) -> Mapping[int, str]:
        """The characters that are settled beforehand, by their position without punctuation."""
        return wished_characters(form_named(self.form), acrostic=self.acrostic, start=self.start)

    def within(self, vocabulary: Sequence[str]) -> tuple[Request, Mapping[str, str]]:
        """The same wishes in the script of a vocabulary, and which characters are written otherwise there."""
        others = in_script("".join(self.wishes.values()), vocabulary)
        acrostic, start = (
            text and "".join(others.get(char, char) for char in text) for text in (self.acrostic, self.start)
        )
        return replace(self, acrostic=acrostic, start=start), others


@dataclass(frozen=True, eq=False)
class Step:
    """One token of a poem.

    Args:
        token: the id that stands there; None if it is to be chosen.
        rows: of a token to be chosen, which mask of the outline holds in each plan: int64 [plans].
        ends: whether a line ends with it.
        fresh: whether it must differ from the ends of all lines before, as rhyme words do.
    """

    token: int | None = None
    rows: NDArray[np.int64] = field(default_factory=_NO_ROWS.copy)
    ends: bool = False
    fresh: bool = False


@dataclass(frozen=True, eq=False)
class Outline:
    """The steps of a poem and the plans between which its characters decide.

    A plan is a way to keep all rules: a mask for each step. A poem may begin by all of them, follows those that allow
    each of its characters, and can always be ended by every plan that is left, because no mask of a plan is empty.

    Args:
        form: the name of the form.
        vocabulary: the tokens in the order of their ids.
        bank: every mask that any plan needs: bool [masks, V].
        plans: how many there are.
        steps: one for each token behind the form token, the end included.
    """

    form: str
    vocabulary: Sequence[str]
    bank: NDArray[np.bool_]
    plans: int
    steps: Sequence[Step]


def outline(request: Request, vocabulary: Sequence[str], *, table: RhymeTable | None) -> Outline:
    """What the poems asked for may hold.

    Args:
        request: form, rules and wishes.
        vocabulary: the tokens that the model knows, in the order of their ids, the reserved ones first.
        table: the rhyme table in the script of the vocabulary; None if it does not know these characters.

    Raises:
        ConfigError: a wish cannot be fulfilled, or the vocabulary is too small for the rules.
    """
    ids = {token: index for index, token in enumerate(vocabulary) if index >= len(RESERVED)}
    if request.rules == "none":
        return _free(request, vocabulary, ids=ids)
    if table is None and request.rules != "form":
        raise ConfigError(
            f"rules={request.rules}: rhyme and tone of this run's characters are not known; choose rules=form or none"
        )
    bank, rows = _BY[request.rules](request, vocabulary, RhymeTable({}) if table is None else table)
    steps = _bound_steps(request, rows, ids=ids)
    return Outline(request.form, vocabulary, bank, len(rows), list(steps))


def characters(vocabulary: Sequence[str]) -> NDArray[np.bool_]:
    """Which tokens are Chinese characters: bool [V]."""
    return np.array([bool(HAN.fullmatch(token)) for token in vocabulary], dtype=np.bool_)


def _free(request: Request, vocabulary: Sequence[str], *, ids: Mapping[str, int]) -> Outline:
    """All that follows the start is chosen among characters, punctuation and the end."""
    refuse_unknown(request.wishes, vocabulary, table=None)
    mask = characters(vocabulary)
    mask[[COMMA_ID, STOP_ID, EOP_ID]] = True
    form = form_named(request.form)
    settled: list[Step] = []
    for place, char in request.wishes.items():
        if place and place % form.length == 0:
            settled.append(Step(_mark(place // form.length - 1)))
        settled.append(Step(ids[char]))
    chosen = Step(rows=np.zeros(1, dtype=np.int64))
    return Outline(request.form, vocabulary, mask[None], 1, [*settled, *[chosen] * (LONGEST - len(settled))])


def _bound_steps(request: Request, rows: NDArray[np.int64], *, ids: Mapping[str, int]) -> Iterator[Step]:
    """Every position of the form with its plans' masks, punctuation behind each line, the end."""
    form = form_named(request.form)
    rhymed = request.rules != "form"
    for place in range(form.positions):
        line, ends = place // form.length, place % form.length == form.length - 1
        if place in request.wishes:
            yield Step(ids[request.wishes[place]], ends=ends)
        else:
            yield Step(rows=rows[:, place], ends=ends, fresh=rhymed and ends and line % 2 == 1)
        if ends:
            yield Step(_mark(line))
    yield Step(EOP_ID)


def _mark(line: int) -> int:
    """What stands behind a line, counted from 0."""
    return (COMMA_ID, STOP_ID)[line % 2]


def _by_form(request: Request, vocabulary: Sequence[str], table: RhymeTable) -> _Masks:
    """Any character anywhere."""
    refuse_unknown(request.wishes, vocabulary, table=None)
    form = form_named(request.form)
    return characters(vocabulary)[None], np.zeros((1, form.positions), dtype=np.int64)


def _by_rhyme(request: Request, vocabulary: Sequence[str], table: RhymeTable) -> _Masks:
    """A plan for each rhyme category: its level characters where every second line ends, any character elsewhere."""
    form = form_named(request.form)
    ends = _even_ends(form)
    # The last position rhymes in every tone pattern; wishes are left out here because they would have to fit its tones.
    known = {plan.rhyme: plan for plan in plans(request.form, vocabulary, table, strict=request.strict)}
    refuse_unknown(request.wishes, vocabulary, table=None)
    masks = [plan.bank[plan.rows[-1]] for plan in known.values()]
    wished = [vocabulary.index(request.wishes[place]) for place in ends if place in request.wishes]
    if not (masks := [mask for mask in masks if mask[wished].all()]):
        raise ConfigError(
            f"start={request.start}: its even lines do not rhyme in a level tone; change it, or choose rules=form"
        )
    rows = np.zeros((len(masks), form.positions), dtype=np.int64)
    rows[:, ends] = np.arange(1, len(masks) + 1)[:, None]
    return np.stack([characters(vocabulary), *masks]), rows


def _by_all(request: Request, vocabulary: Sequence[str], table: RhymeTable) -> _Masks:
    """A plan for each tone pattern and rhyme category."""
    found = plans(
        request.form, vocabulary, table, strict=request.strict, acrostic=request.acrostic, start=request.start
    )
    return found[0].bank, np.stack([plan.rows for plan in found])


def _even_ends(form: Form) -> list[int]:
    return [line * form.length - 1 for line in range(2, form.lines + 1, 2)]


_BY: Mapping[str, Callable[[Request, Sequence[str], RhymeTable], _Masks]] = {
    "form": _by_form,
    "rhyme": _by_rhyme,
    "all": _by_all,
}
