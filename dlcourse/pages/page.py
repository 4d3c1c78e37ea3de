"""Readings as one self-contained HTML page, which asks the network for nothing and runs no script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dlcourse.pages.templates import template
from dlcourse.pages.terminal import NO_CAPTUM, caution, extent, flatness, largest_nats, left_out, percent
from dlcourse.run.reading import SHARE, Reading
from dlcourse.tasks.faithfulness import TITLES, Report


@dataclass(frozen=True)
class Word:
    """One word of a row: how strongly it is coloured (0..1), in which colour, and what the pointer is told.

    Args:
        text: the word.
        strength: of the colour, in 0..1.
        colour: a class of the page.
        note: what the pointer is told.
        unknown: whether it is not in the vocabulary.
        gap: what was not read before it; empty if nothing.
    """

    text: str
    strength: str
    colour: str
    note: str
    unknown: bool
    gap: str = ""


@dataclass(frozen=True)
class Row:
    """One way of counting words over one document."""

    title: str
    note: str
    words: Sequence[Word]
    gap: str = ""
    """What was not read behind its last word; empty if nothing."""


def page(readings: Sequence[Reading], *, run: str, report: Report | None, notes: Sequence[str] = ()) -> str:
    """The whole page.

    Args:
        readings: in their order; those that were not explained become a table of predictions.
        run: the run's name, for the heading.
        report: the run's deletion test, if there was one.
        notes: sentences for its head, such as how the probabilities were made.
    """
    largest = largest_nats(readings)
    numbered = list(enumerate(readings, 1))
    explained = [
        (number, reading, list(rows(reading, largest=largest))) for number, reading in numbered if reading.explained
    ]
    return template("page.html.j2").render(
        run=run,
        explained=explained,
        others=[(number, reading) for number, reading in numbered if not reading.explained],
        extent=extent,
        ranked=ranked,
        percent=percent,
        largest=largest,
        notes=notes,
        labelled=any(reading.true_label is not None for reading in readings),
        titles=TITLES,
        share=SHARE,
        report=report,
        caution=caution(report),
        no_captum=None if any(reading.integrated_gradients for _, reading, _ in explained) else NO_CAPTUM,
    )


def ranked(probabilities: Mapping[str, float]) -> list[tuple[str, float]]:
    """Class and probability, the most probable first."""
    return sorted(probabilities.items(), key=lambda entry: -entry[1])


def rows(reading: Reading, *, largest: float) -> Iterator[Row]:
    """Attention, integrated gradients if they were computed, and the random control.

    Attention sums to 1 over a text, so it can be compared within one text alone; nats can between texts, so their
    colour is full at `largest` in every one.
    """
    gap = left_out(reading) if reading.head == len(reading.words) else ""
    yield Row("attention", flatness(reading), words(reading, reading.attention, unit=""), gap)
    if reading.integrated_gradients:
        note = f"blue speaks for {reading.label}, red against it"
        scores = reading.integrated_gradients
        yield Row("integrated gradients", note, words(reading, scores, unit=" nats", largest=largest), gap)
    yield Row("random control", "what any colours would look like", words(reading, reading.random, unit=""), gap)


def words(reading: Reading, scores: Sequence[float], *, unit: str, largest: float | None = None) -> list[Word]:
    """The words, each as strong as its score is beside `largest`; without it beside the text's largest, unsigned."""
    signed = largest is not None
    largest = largest or max(map(abs, scores), default=0.0) or 1.0
    return [
        Word(
            text=word,
            strength=f"{abs(score) / largest:.2f}",
            colour=("for" if score > 0 else "against") if signed else "plain",
            note=f"{score:{'+.3f' if signed else '.3f'}}{unit}{', not in the vocabulary' if unknown else ''}",
            unknown=unknown,
            gap=left_out(reading) if place == reading.head else "",
        )
        for place, (word, score, unknown) in enumerate(zip(reading.words, scores, reading.unknown, strict=True))
    ]
