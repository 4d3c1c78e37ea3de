"""Figures of documents whose words are coloured by how much they count, one way of counting beside another."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from dlcourse.fonts import characters, families

if TYPE_CHECKING:
    from matplotlib.figure import Figure

T = TypeVar("T")

MOST_WORDS = 120  # of a document
CUT = "…"
LINE = 46  # characters of a column
POINTS = 7.0  # the size of the letters
ADVANCE = 0.602 * POINTS  # of one letter of DejaVu Sans Mono
HEIGHT = 1.4 * POINTS  # of a line
GAP = 4 * ADVANCE  # between columns, and around everything
FOR, AGAINST = (0.12, 0.47, 0.71), (0.84, 0.15, 0.16)


@dataclass(frozen=True)
class Reading:
    """One document and what is said of it.

    Args:
        title: what stands above it.
        words: its pieces.
        scores: by the name of a way of counting, one number for each word; below 0 where it speaks against.
    """

    title: str
    words: Sequence[str]
    scores: Mapping[str, Sequence[float]]


def draw_readings(documents: Sequence[Reading], *, notes: Sequence[str] = ()) -> Figure:
    """Documents below each other, each as often beside itself as there are ways of counting.

    A word's colour is its score over the document's largest: blue speaks for the prediction, red against it. Of a
    long document the first and the last words are shown.

    Args:
        documents: what to draw, all with the same ways of counting.
        notes: lines at the end.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import PatchCollection
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    wide = LINE * ADVANCE + GAP
    columns = max([1, *(len(one.scores) for one in documents)])
    placed = [list(_placed([_short(_drawn(word)) for word in _cut(one.words, filler=CUT)])) for one in documents]
    lines = [3 + (words[-1][0] + 1 if words else 0) for words in placed]
    width, height = max(columns, 2) * wide + GAP, (sum(lines) + len(notes)) * HEIGHT + 2 * GAP
    figure = Figure(figsize=(width / 72, height / 72), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    mono = ["DejaVu Sans Mono", *families()]

    def write(x: float, y: float, text: str, *, weight: str = "normal", color: str = "black") -> None:
        axes.text(x, y, text, parse_math=False, family=mono, size=POINTS, weight=weight, color=color, va="baseline")

    boxes: list[Rectangle] = []
    colours: list[tuple[float, float, float, float]] = []
    top = GAP
    for one, words, size in zip(documents, placed, lines, strict=True):
        write(GAP, top + POINTS, _drawn(one.title), weight="bold")
        for column, (name, scores) in enumerate(one.scores.items()):
            left = GAP + column * wide
            write(left, top + HEIGHT + POINTS, _drawn(name), color="gray")
            largest = max((abs(score) for score in scores), default=0.0) or 1.0
            for (line, place, word), score in zip(words, _cut(scores, filler=0.0), strict=True):
                x, y = left + place * ADVANCE, top + (2 + line) * HEIGHT
                boxes.append(Rectangle((x - 1, y), _cells(word) * ADVANCE + 2, HEIGHT - 1))
                colours.append((*(FOR if score > 0 else AGAINST), 0.75 * abs(score) / largest))
                write(x, y + POINTS, word)
        top += size * HEIGHT
    for number, note in enumerate(notes):
        write(GAP, top + number * HEIGHT + POINTS, _drawn(note), color="gray")
    axes.add_collection(PatchCollection(boxes, facecolors=colours, linewidths=0, zorder=0))
    return figure


def _cut(items: Sequence[T], *, filler: T) -> list[T]:
    """All of them, or the first and the last with `filler` between."""
    half = MOST_WORDS // 2
    return list(items) if len(items) <= MOST_WORDS else [*items[:half], filler, *items[-half:]]


def _placed(words: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Line, place in it and word, in lines of so many letters."""
    line, place = 0, 0
    for word in words:
        if place and place + _cells(word) > LINE:
            line, place = line + 1, 0
        yield line, place, word
        place += _cells(word) + 1


def _cells(word: str) -> int:
    """How many letters wide it is drawn: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in word)


def _short(word: str) -> str:
    """The word, or as much of it as a line holds."""
    while _cells(word) > LINE:
        word = word[: len(word) // 2] + CUT
    return word


def _drawn(text: str) -> str:
    """The text as it can be drawn: a box for what no font here can write."""
    known = characters()
    return "".join(character if ord(character) in known else "□" for character in text)
