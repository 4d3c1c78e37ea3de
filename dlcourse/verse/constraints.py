"""What a poem that keeps every rule may have in each position, for a decoder that chooses among the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dlcourse.errors import ConfigError, suggestion
from dlcourse.verse.forms import form_named
from dlcourse.verse.table import RhymeTable
from dlcourse.verse.tones import EITHER, LEVEL, OBLIQUE, Template, templates
from dlcourse.verse.wishes import refuse_unknown, wished_characters

LEAST = 12
"""Characters that a vocabulary must know of a rhyme category before poems are rhymed in it."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A tone pattern and a rhyme category: whatever is chosen from `allowed` keeps form, rhyme and tone.

    Args:
        template: the tone pattern.
        rhyme: the level-tone category of the rhyming lines.
        bank: every mask that any plan of the same call needs, shared by all of them: bool [masks, V].
        rows: which row of `bank` holds at each position: int64 [positions].
    """

    template: Template
    rhyme: str
    bank: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.int64]

    @property
    def allowed(self) -> npt.NDArray[np.bool_]:
        """The characters allowed at each position: bool [positions, V], no row of it empty; made anew each time."""
        return self.bank[self.rows]


def plans(
    form: str,
    vocabulary: Sequence[str],
    table: RhymeTable,
    *,
    strict: bool,
    acrostic: str | None = None,
    start: str | None = None,
    rhyme: str | None = None,
    least: int = LEAST,
) -> list[Plan]:
    """All ways to write a poem by the rules: of the regular tone patterns, or of those with a rescue if wishes need it.

    A plan allows only characters of the rhyme table, so an entry of the vocabulary that is no single character (a
    punctuation mark, a form token) is never allowed.

    Args:
        form: the name of the form.
        vocabulary: what the decoder chooses from, in the order of its ids.
        table: the rhyme table.
        strict: line ends take only characters whose readings all have the tone that is needed there.
        acrostic: the first characters of the lines, one for each line.
        start: the poem's first characters.
        rhyme: the only rhyme category to use, as 東; null for every one.
        least: how many characters of a category the vocabulary must know for it to be used.

    Raises:
        ConfigError: a wish cannot be fulfilled, or the vocabulary is too small for the form.
    """
    wanted = form_named(form)
    wishes = wished_characters(wanted, acrostic=acrostic, start=start)
    masks = _Masks(vocabulary, table=table, strict=strict)
    rhymes = _usable(rhyme, masks=masks, table=table, least=least)
    # First whether anything can be written at all: another wish would not help where the vocabulary is too small.
    if not any(True for template in templates(form) for _ in _of_template(template, rhymes, {}, masks=masks)):
        raise ConfigError(
            f"form={form}: a vocabulary of {len(vocabulary)} cannot fill its rules, for which it must know {least} "
            "characters of one level-tone rhyme category; choose rules=form, or learn from more poems"
        )
    refuse_unknown(wishes, vocabulary, table=table)
    for rescued in (False, True):
        found = [
            plan
            for template in templates(form)
            if (template.rescues > 0) == rescued
            for plan in _of_template(template, rhymes, wishes, masks=masks)
        ]
        if found:
            bank = masks.bank()
            return [Plan(template, name, bank, rows) for template, name, rows in found]
    asked = [f"{name}={value}" for name, value in (("acrostic", acrostic), ("start", start), ("rhyme", rhyme)) if value]
    raise ConfigError(f"{' '.join(asked)}: no tone pattern of {form} allows it; change it, or choose rules=form")


class _Masks:
    """The rows of a bank of masks, each made once, when a plan first asks for it."""

    def __init__(self, vocabulary: Sequence[str], *, table: RhymeTable, strict: bool) -> None:
        levels = [table.level(char) for char in vocabulary]
        self._known = np.array([bool(level) for level in levels], dtype=np.bool_)
        self._level = np.array([True in level for level in levels], dtype=np.bool_)
        self._oblique = np.array([False in level for level in levels], dtype=np.bool_)
        self._rhymes = [table.rhymes(char) for char in vocabulary]
        self._vocabulary = vocabulary
        self._strict = strict
        self._rows: dict[tuple[str, bool, str | None, str | None], int] = {}
        self._made: list[npt.NDArray[np.bool_]] = []
        self._counts: list[int] = []

    def row(self, tone: str, *, end: bool, rhyme: str | None = None, wish: str | None = None) -> int:
        """The number of the mask for a tone, at a line's end or not, in a rhyme category, for a wished character."""
        key = (tone, end, rhyme, wish)
        if key not in self._rows:
            self._rows[key] = len(self._made)
            self._made.append(self._mask(*key))
            self._counts.append(int(self._made[-1].sum()))
        return self._rows[key]

    def count(self, row: int) -> int:
        """How many characters a row allows."""
        return self._counts[row]

    def bank(self) -> npt.NDArray[np.bool_]:
        """All rows made so far: bool [masks, V]."""
        return np.stack(self._made)

    def _mask(self, tone: str, end: bool, rhyme: str | None, wish: str | None) -> npt.NDArray[np.bool_]:
        mask = {LEVEL: self._level, OBLIQUE: self._oblique, EITHER: self._known}[tone].copy()
        if self._strict and end:
            mask &= ~(self._level & self._oblique)
        if rhyme is not None:
            mask &= np.array([rhyme in rhymes for rhymes in self._rhymes], dtype=np.bool_)
        if wish is not None:
            mask &= np.array([char == wish for char in self._vocabulary], dtype=np.bool_)
        return mask


def _of_template(
    template: Template, rhymes: Sequence[str], wishes: Mapping[int, str], *, masks: _Masks
) -> Iterator[tuple[Template, str, npt.NDArray[np.int64]]]:
    length = len(template.lines[0])
    ends = {(line + 1) * length - 1 for line in template.rhyming()}
    for name in rhymes:
        rows = [
            masks.row(tone, end=at % length == length - 1, rhyme=name if at in ends else None, wish=wishes.get(at))
            for at, tone in enumerate(template.tones)
        ]
        if all(masks.count(row) for row in rows):
            yield template, name, np.array(rows, dtype=np.int64)


def _usable(rhyme: str | None, *, masks: _Masks, table: RhymeTable, least: int) -> list[str]:
    """The categories to rhyme in: the one asked for, or all of which enough characters are known."""
    if rhyme is not None and rhyme not in table.level_rhymes:
        raise ConfigError(
            f"rhyme={rhyme}: no level-tone category has this name{suggestion(rhyme, table.level_rhymes, most=30)}"
        )
    known = {name: masks.count(masks.row(LEVEL, end=True, rhyme=name)) for name in table.level_rhymes}
    if rhyme is not None and known[rhyme] < least:
        raise ConfigError(
            f"rhyme={rhyme}: the vocabulary knows {known[rhyme]} characters of it, {least} are needed; choose another"
        )
    return [rhyme] if rhyme is not None else [name for name, count in known.items() if count >= least]
