"""Tone patterns (平仄) of regulated verse, after Wang Li, 詩詞格律 (1977), chapter 2, sections 3 to 7.

Four kinds of lines alternate, here in their five-character shape; a seven-character line has two characters of the
opposite tone before it. `a` and `b` end on an oblique tone, `A` and `B` on a level one, where the rhyme stands.

    a 仄仄平平仄    b 平平平仄仄    A 仄仄仄平平    B 平平仄仄平

The lines of a couplet oppose each other (對: a with B, b with A) and neighbouring couplets agree in their second
characters (粘), so the first line settles all others; it may rhyme (A or B) or not (a or b): four patterns a form.
"The first, third and fifth are free" holds as far as no level tone stands alone in a B line (孤平) and no line ends on
three level or three oblique tones in a row (三平調, 三仄尾).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product

from dlcourse.verse.forms import Form, form_named

LEVEL, OBLIQUE, EITHER = "平", "仄", "中"

REGULAR: Mapping[str, str] = {"a": "中仄中平仄", "b": "中平平仄仄", "A": "中仄仄平平", "B": "平平中仄平"}
"""The last five characters of a regular line of each kind; in `a` the third may be oblique without a rescue."""

RESCUES: Mapping[str, tuple[str, ...]] = {
    "a B": ("中仄中平仄 中平平仄平", "中仄中仄仄 中平平仄平"),
    "A B": ("中仄仄平平 中平平仄平",),
    "b A": ("平平仄平仄 中仄仄平平",),
    "B A": ("中平平仄平 中仄仄平平",),
}
"""Couplets with a rescue (拗救): a level third character mends an oblique first one in its own B line, or an oblique
fourth one in the `a` line before; in `b` the third and fourth change places and the first is level."""

STARTS = ("aBbA", "bAaB", "ABbA", "BAaB")
"""The kinds of the first four lines; an eight-line poem goes on as if its first line had not rhymed."""


@dataclass(frozen=True)
class Template:
    """One accepted tone pattern of a whole poem.

    Args:
        lines: one string of 平, 仄 and 中 (either) for each line.
        rescues: in how many couplets a departure is mended by another (拗救); 0 is a regular pattern.
    """

    lines: tuple[str, ...]
    rescues: int

    @property
    def start(self) -> str:
        """How it begins: 平起 or 仄起 by the tone of the second character, and 首句入韻 if the first line rhymes."""
        return f"{self.lines[0][1]}起" + ("首句入韻" if self.lines[0].endswith(LEVEL) else "")

    @property
    def tones(self) -> str:
        """All lines in a row, one character for each position of the poem."""
        return "".join(self.lines)

    def rhyming(self) -> Iterator[int]:
        """The lines that rhyme, from 0: every second one, and the first where it ends on a level tone."""
        yield from (line for line, tones in enumerate(self.lines) if tones.endswith(LEVEL))


@cache
def templates(form: str) -> tuple[Template, ...]:
    """Every accepted pattern of a form, the four regular ones first.

    Raises:
        ConfigError: there is no such form.
    """
    wanted = form_named(form)
    found = [template for kinds in STARTS for template in _from_start(kinds, form=wanted)]
    return tuple(sorted(found, key=lambda template: template.rescues))


def _from_start(kinds: str, *, form: Form) -> Iterator[Template]:
    unrhymed = {"A": "a", "B": "b"}.get(kinds[0], kinds[0])  # A and a, B and b begin alike, so 粘 is kept
    follows = next(rest for rest in STARTS if rest.startswith(unrhymed))
    order = (kinds + follows)[: form.lines]
    couplets = [_couplets(order[line], order[line + 1], form=form) for line in range(0, form.lines, 2)]
    for chosen in product(*couplets):
        rescues = sum(couplet != regular for couplet, (regular, *_) in zip(chosen, couplets, strict=True))
        yield Template(tuple(line for couplet in chosen for line in couplet.split()), rescues)


def _couplets(first: str, second: str, *, form: Form) -> list[str]:
    """The regular couplet of two kinds of lines and those with a rescue, each line in full length."""
    five = [f"{REGULAR[first]} {REGULAR[second]}", *RESCUES[f"{first} {second}"]]
    return [" ".join(_full(line, length=form.length) for line in couplet.split()) for couplet in five]


def _full(line: str, *, length: int) -> str:
    opposite = {LEVEL: OBLIQUE, OBLIQUE: LEVEL}[line[1]]
    return EITHER * (length - 6) + opposite + line if length > len(line) else line
