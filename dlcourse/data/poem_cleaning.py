"""Poems as collections print them, freed of editors' notes and marks; those with gaps are turned away."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from dlcourse.text.characters import OTHER, PUNCTUATION
from dlcourse.verse.forms import HAN, recognise

LONGEST_LINE = 16
"""Characters between two marks; what runs on longer is an editor's prose."""
FEWEST_LINES = 2

_COMMA, _STOP = PUNCTUATION
_NOTE = re.compile(r"（[^（）]*）|\([^()]*\)|〖[^〖〗]*〗")
_FOOTNOTE = re.compile(r"[\[［][一二三四五六七八九十○]+[\]］]")
# What an editor supplied stands in brackets and belongs to the line; quotation marks and lists only structure it.
_STRUCTURE = re.compile(r"[\[\]［］《》〈〉「」『』“”‘’\"'、·\s]")
_UNCLOSED = re.compile(r"[（）()〖〗]")
_LINE = re.compile(rf"({HAN.pattern})([，。？！；：,.?!;:\n]*)")
_STOPS = re.compile(r"[。？！；.?!;]")
_COMMAS = re.compile(r"[，：,:]")


class Fault(Enum):
    """Why a text is no poem to learn from."""

    GAP = "with lost characters or characters without a code"
    NOTE = "with a note that does not end"
    PROSE = f"with a line of more than {LONGEST_LINE} characters"
    FRAGMENT = f"of fewer than {FEWEST_LINES} lines"


@dataclass(frozen=True)
class Poem:
    """A poem of Chinese characters, each line followed by ， or 。 and nothing else between them.

    Args:
        text: all lines in a row.
        title: as printed; may be empty.
    """

    text: str
    title: str = ""

    @property
    def lines(self) -> list[str]:
        """Without punctuation."""
        return HAN.findall(self.text)

    @cached_property
    def form(self) -> str:
        """The name of its form, "other" if it has none of the four."""
        return recognise(self.lines) or OTHER


def clean(text: str, *, title: str = "") -> Poem | Fault:
    """The poem alone, its punctuation reduced to ， and 。, or what is wrong with it.

    Notes in （） and 〖〗 go, and so do footnote numbers such as [二]; other characters in brackets were supplied by
    the editors and stay, for the metre counts them. A line's mark is ， or 。, whichever the printed one is like; in
    the four forms it is ， behind odd lines and 。 behind even ones, and so where the text has line breaks alone.

    Args:
        text: as printed; a line may end with a mark or a line break.
        title: as printed; it is not cleaned.
    """
    text = _FOOTNOTE.sub("", _without_notes(text))
    if _UNCLOSED.search(text):
        return Fault.NOTE
    text = "\n".join(_STRUCTURE.sub("", line) for line in text.splitlines())
    found = _LINE.findall(text)
    if len(re.sub(r"[，。？！；：,.?!;:\n]", "", text)) != sum(len(line) for line, _ in found):
        return Fault.GAP
    lines, marks = [line for line, _ in found], [mark for _, mark in found]
    if len(lines) < FEWEST_LINES:
        return Fault.FRAGMENT
    if max(map(len, lines)) > LONGEST_LINE:
        return Fault.PROSE
    ends = [_mark(mark, at=at) for at, mark in enumerate(marks)]
    if recognise(lines):
        ends = [_mark("", at=at) for at in range(len(lines))]
    ends[-1] = _STOP
    return Poem("".join(line + end for line, end in zip(lines, ends, strict=True)), title)


def _without_notes(text: str) -> str:
    """Notes may stand in notes, so the innermost go first."""
    while (shorter := _NOTE.sub("", text)) != text:
        text = shorter
    return text


def _mark(printed: str, *, at: int) -> str:
    """， or 。 for the marks printed behind line `at`, counted from 0; by its place if there are none."""
    if _STOPS.search(printed):
        return _STOP
    if _COMMAS.search(printed):
        return _COMMA
    return PUNCTUATION[at % 2]
