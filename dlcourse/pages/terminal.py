"""Readings for the terminal: words shaded by how much they count, or the top words named where there is no colour."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.style import Style
from rich.table import Table
from rich.text import Text

from dlcourse.run.reading import SHARE, Reading
from dlcourse.tasks.attention_verdict import FLAT
from dlcourse.tasks.faithfulness import TITLES, Report

MOST_CLASSES = 8
BAR = 24  # characters
WIDE = 100  # columns from which attention and gradients stand side by side
FAINT = 0.12  # of the largest score, below which a word stays as it is
RGB = tuple[int, int, int]
GREY: RGB = (128, 128, 128)
ORANGE, BLUE, RED = (255, 165, 0), (90, 160, 255), (255, 100, 90)
FEW = {ORANGE: "yellow", BLUE: "blue", RED: "red"}  # where a terminal has but sixteen colours
MARKED = 0.5  # of the largest score, from which words have one of those
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What could move the cursor, change colours or turn the direction of the line."""

BESIDE = "Read it beside integrated gradients and the random control."
UNTESTED = f"Attention alone is no explanation: it says where the model looked, not what decided. {BESIDE}"
NO_CAPTUM = 'integrated gradients are not shown: they need captum; pip install "dlcourse[explain]"'


def print_readings(readings: Sequence[Reading], *, console: Console, top: int, report: Report | None) -> None:
    """Print every reading; those that were explained with their words.

    Args:
        readings: in the order to print them.
        console: in colour if it has any.
        top: how many words are named where there is no colour.
        report: the run's deletion test, if there was one.
    """
    largest = largest_nats(readings)
    console.soft_wrap = not console.is_terminal  # a file has no width
    for number, reading in enumerate(readings, 1):
        name = f"[{number}] " if len(readings) > 1 else ""
        heading = f"{name}{shares(reading, most=MOST_CLASSES if reading.explained else 1)}"
        if not reading.explained:
            console.print(Text(f"{heading}  {_first(reading.text, console)}"))
            continue
        if name:
            console.print(Text(f"{name}{_first(reading.text, console)}", style="bold" if coloured(console) else ""))
            heading = heading.removeprefix(name)
        console.print(Text(f"{heading}  ({extent(reading)})", style="bold" if coloured(console) else ""))
        if coloured(console):
            few = console.color_system in ("standard", "windows")
            console.print(Padding(_shaded(reading, wide=console.width >= WIDE, few=few, largest=largest), (0, 0, 0, 2)))
        else:
            console.print(Text("\n".join(f"  {line}" for line in _named(reading, top=top))))
        console.print(Text(f"  {deleted(reading)}\n"))
    if any(reading.explained for reading in readings):
        if not readings[-1].explained:
            console.print()
        if not any(reading.integrated_gradients for reading in readings):
            console.print(Text(NO_CAPTUM))
        if coloured(console) and any(reading.integrated_gradients for reading in readings):
            console.print(
                Text(f"Full blue or red is {largest:.2g} nats in every text, full orange the text's largest.")
            )
        console.print(Text(caution(report)))


def caution(report: Report | None) -> str:
    """How attention is to be taken: what the run's deletion test found, or else what is true of it in general."""
    if report is None:
        return UNTESTED
    return f"Attention says where the model looked; whether that decides was tested. {report.conclusion} {BESIDE}"


def percent(share: float) -> str:
    """A probability in per cent; none is ever certain, whatever it would be rounded to."""
    shown = f"{100 * share:.1f} %"
    return {"100.0 %": "> 99.9 %", "0.0 %": "< 0.1 %"}.get(shown, shown)


def coloured(console: Console) -> bool:
    """Whether it shows colours: a terminal, and NO_COLOR not set."""
    return console.color_system is not None and not console.no_color


def shares(reading: Reading, *, most: int = MOST_CLASSES) -> str:
    """`pos 97.3 %, neg 2.7 %`: the most probable classes, the first of them first."""
    ranked = sorted(reading.probabilities.items(), key=lambda entry: -entry[1])
    rest = f" and {len(ranked) - most} more" if len(ranked) > most > 1 else ""
    truth = "" if reading.true_label is None else f" (labelled {clean(reading.true_label)})"
    return ", ".join(f"{clean(name)} {percent(share)}" for name, share in ranked[:most]) + rest + truth


def extent(reading: Reading) -> str:
    """How many words there were and how many of them were read."""
    if reading.empty:
        return "empty: read as one unknown word"
    missing = sum(reading.unknown)
    which = "" if len(reading.words) == 1 else f"{missing:,} of them "
    strange = f", {which}not in the vocabulary" if missing else ""
    if reading.truncated:
        return f"{len(reading.words):,} of {reading.total:,} words read, {ends(reading)}{strange}"
    return f"{reading.total:,} word{'s' if reading.total > 1 else ''}{strange}"


def ends(reading: Reading) -> str:
    """Which words of a long text were read."""
    head = reading.head or 0
    parts = {"first": head, "last": len(reading.words) - head}
    return " and ".join(f"the {name} {count:,}" for name, count in parts.items() if count)


def left_out(reading: Reading) -> str:
    """What stands in place of the words that were not read."""
    return f"[… {reading.total - len(reading.words):,} words not read …]"


def largest_nats(readings: Sequence[Reading]) -> float:
    """What all texts' colours of integrated gradients are measured by, so that they can be compared.

    It is at least one nat (odds times 2.7), so that a text in which nothing counts does not look as if something did.
    """
    return max([1.0, *(abs(score) for reading in readings for score in reading.integrated_gradients)])


def flatness(reading: Reading) -> str:
    """Attention's entropy in words."""
    entropy = reading.entropy or 0.0
    return f"entropy {entropy:.2f} of 1{': nearly flat' if entropy >= FLAT else ''}"


def deleted(reading: Reading) -> str:
    """What deleting the top words of each method leaves of the label's probability."""
    label = clean(reading.label)
    left = ", ".join(f"{percent(share)} by {TITLES[method]}" for method, share in reading.without.items())
    return f"{label} without the top {100 * SHARE:g} % of the words: {left.replace('by random', 'at random')}"


def clean(text: str) -> str:
    """The text without characters that would steer the terminal."""
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def _first(text: str, console: Console) -> str:
    room = max(20, console.width - 20) if console.is_terminal else 80
    line = clean(" ".join(text.split()))
    return line if len(line) <= room else f"{line[: room - 1]}…"


def _shaded(reading: Reading, *, wide: bool, few: bool, largest: float) -> Table:
    """Attention and integrated gradients as coloured words, side by side if there is room."""
    columns = [(f"attention ({flatness(reading)})", _words(reading, reading.attention, up=ORANGE, few=few))]
    if reading.integrated_gradients:
        label = clean(reading.label)
        title = f"integrated gradients (blue for {label}, red against)"
        columns.append((title, _words(reading, reading.integrated_gradients, up=BLUE, few=few, largest=largest)))
    table = Table.grid(padding=(0, 3), expand=wide)
    if wide:
        for _ in columns:
            table.add_column(ratio=1)
        table.add_row(*(Text(title, style="dim") for title, _ in columns))
        table.add_row(*(words for _, words in columns))
        return table
    for title, words in columns:
        table.add_row(Text(title, style="dim"))
        table.add_row(words)
    return table


def _words(reading: Reading, scores: Sequence[float], *, up: RGB, few: bool, largest: float | None = None) -> Text:
    """The words, each on a background that says how much it counts beside `largest`, or the text's largest."""
    largest = largest or max(map(abs, scores), default=0.0) or 1.0
    text = Text()
    for place, (word, score) in enumerate(zip(reading.words, scores, strict=True)):
        if place == reading.head:
            text.append(left_out(reading), "dim").append(" ")
        text.append(clean(word), _shade(abs(score) / largest, hue=up if score > 0 else RED, few=few)).append(" ")
    if len(reading.words) == reading.head:
        text.append(left_out(reading), "dim")
    return text


def _shade(strength: float, *, hue: RGB, few: bool) -> Style | None:
    """Black on a colour between grey and `hue`, which can be read on dark and on light terminals."""
    if strength <= (MARKED if few else FAINT):
        return None
    if few:
        return Style(color="black", bgcolor=FEW[hue])
    mixed = (round(grey + strength * (part - grey)) for grey, part in zip(GREY, hue, strict=True))
    return Style(color="#000000", bgcolor="#{:02x}{:02x}{:02x}".format(*mixed))


def _named(reading: Reading, *, top: int) -> Iterator[str]:
    """The top words of each method, for where there is no colour."""
    yield f"attention: {_top(reading, reading.attention, top=top, form='.3f')} ({flatness(reading)})"
    if reading.integrated_gradients:
        scores = _top(reading, reading.integrated_gradients, top=top, form="+.2f")
        yield f"integrated gradients: {scores} (nats; + for {clean(reading.label)}, - against)"


def _top(reading: Reading, scores: Sequence[float], *, top: int, form: str) -> str:
    ranked = sorted(range(len(scores)), key=lambda place: -abs(scores[place]))[:top]
    return ", ".join(f"{clean(reading.words[place])} {scores[place]:{form}}" for place in ranked)
