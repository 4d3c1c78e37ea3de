"""Says which rules of regulated verse a poem keeps, and where it breaks them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlcourse.verse.forms import form_named, recognise
from dlcourse.verse.table import RhymeTable
from dlcourse.verse.tones import EITHER, LEVEL, OBLIQUE, Template, templates

TONES = (LEVEL, OBLIQUE, EITHER)


@dataclass(frozen=True)
class Verdict:
    """Which rules a poem keeps.

    Args:
        form: the lines are as many and as long as the form wants them.
        rhyme: every second line ends on a level tone of one category; the first line is free.
        tone: the poem holds one of the accepted tone patterns.
        category: the category it rhymes in (the table's first of several), None if it does not rhyme.
        template: the pattern it holds, or else the one it breaks in the fewest places; None without the form.
        faults: one sentence for each thing that is wrong.
    """

    form: bool
    rhyme: bool
    tone: bool
    category: str | None = None
    template: Template | None = None
    faults: tuple[str, ...] = ()

    @property
    def all(self) -> bool:
        """Every rule is kept."""
        return self.form and self.rhyme and self.tone


def judge(lines: Sequence[str], *, form: str, table: RhymeTable, strict: bool = False) -> Verdict:
    """Hold a poem against form, rhyme and tone.

    Args:
        lines: without punctuation.
        form: the form it should have.
        table: the rhyme table.
        strict: at a line's end, count only characters whose readings all have the tone that is needed there; else a
            character with several readings counts wherever one of them fits.

    Raises:
        ConfigError: there is no such form.
    """
    wanted = form_named(form)
    if recognise(lines) != form:
        shape = "+".join(str(len(line)) for line in lines)
        return Verdict(False, False, False, faults=(f"{shape} is not {wanted.lines} lines of {wanted.length}",))
    category, rhyme_faults = _rhyme(lines, table=table, strict=strict)
    closest, tone_faults = _closest(lines, form=form, category=category, table=table, strict=strict)
    return Verdict(
        form=True,
        rhyme=category is not None,
        tone=not tone_faults,
        category=category,
        template=closest,
        faults=(*rhyme_faults, *tone_faults),
    )


def fits(char: str, tone: str, *, table: RhymeTable, strict: bool) -> bool:
    """Whether a character may stand where the tone is 平, 仄 or 中; strict wants all its readings to agree."""
    if tone == EITHER:
        return True
    found = table.level(char)
    return (tone == LEVEL) in found and not (strict and len(found) > 1)


def _rhyme(lines: Sequence[str], *, table: RhymeTable, strict: bool) -> tuple[str | None, list[str]]:
    ends = [line[-1] for line in lines[1::2]]
    surely = "surely " if strict else ""
    faults = [
        f"{end} at a rhyming end is not {surely}level"
        for end in ends
        if not fits(end, LEVEL, table=table, strict=strict)
    ]
    shared = frozenset[str].intersection(*(table.rhymes(end) for end in ends))
    if not faults and not shared:
        faults = [f"{''.join(ends)} share no rhyme category"]
    return (None if faults else next(name for name in table.level_rhymes if name in shared)), faults


def _closest(
    lines: Sequence[str], *, form: str, category: str | None, table: RhymeTable, strict: bool
) -> tuple[Template, list[str]]:
    """The template with the fewest faults, and these; of equals, one whose first line rhymes if the poem's does."""
    first_rhymes = category in table.rhymes(lines[0][-1])
    poem, length = "".join(lines), len(lines[0])
    suits = [
        {tone for tone in TONES if fits(char, tone, table=table, strict=strict and at % length == length - 1)}
        for at, char in enumerate(poem)
    ]

    def misses(template: Template) -> list[int]:
        return [at for at, tone in enumerate(template.tones) if tone not in suits[at]]

    best = min(
        templates(form),
        key=lambda template: (len(misses(template)), template.lines[0].endswith(LEVEL) != first_rhymes),
    )
    return best, [
        f"line {at // length + 1}: {poem[at]} in place {at % length + 1} of {best.lines[at // length]}"
        for at in misses(best)
    ]
