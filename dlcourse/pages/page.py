"""Readings as one self-contained HTML page, which asks the network for nothing and runs no script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from dlcourse.pages.terminal import CAUTION, NO_CAPTUM, extent, flatness
from dlcourse.run.reading import SHARE, Reading
from dlcourse.tasks.faithfulness import TITLES, Report


@dataclass(frozen=True)
class Word:
    """One word of a row: how strongly it is coloured (0..1), in which colour, and what the pointer is told."""

    text: str
    strength: str
    colour: str
    note: str
    unknown: bool


@dataclass(frozen=True)
class Row:
    """One way of counting words over one document."""

    title: str
    note: str
    words: Sequence[Word]


def page(readings: Sequence[Reading], *, run: str, report: Report | None) -> str:
    """The whole page.

    Args:
        readings: in their order; those that were not explained become a table of predictions.
        run: the run's name, for the heading.
        report: the run's deletion test, if there was one.
    """
    # What a name ends in decides nothing: everything is escaped.
    loader = PackageLoader("dlcourse.pages", ".")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    numbered = list(enumerate(readings, 1))
    explained = [(number, reading, list(rows(reading))) for number, reading in numbered if reading.explained]
    return environment.get_template("page.html.j2").render(
        run=run,
        explained=explained,
        others=[(number, reading) for number, reading in numbered if not reading.explained],
        extent=extent,
        ranked=ranked,
        titles=TITLES,
        share=SHARE,
        report=report,
        caution=CAUTION,
        no_captum=None if any(reading.integrated_gradients for _, reading, _ in explained) else NO_CAPTUM,
    )


def ranked(probabilities: Mapping[str, float]) -> list[tuple[str, float]]:
    """Class and probability, the most probable first."""
    return sorted(probabilities.items(), key=lambda entry: -entry[1])


def rows(reading: Reading) -> Iterator[Row]:
    """Attention, integrated gradients if they were computed, and the random control."""
    yield Row("attention", flatness(reading), words(reading, reading.attention, unit=""))
    if reading.integrated_gradients:
        note = f"blue speaks for {reading.label}, red against it"
        yield Row("integrated gradients", note, words(reading, reading.integrated_gradients, unit=" nats", signed=True))
    yield Row("random control", "what any colours would look like", words(reading, reading.random, unit=""))


def words(reading: Reading, scores: Sequence[float], *, unit: str, signed: bool = False) -> list[Word]:
    """The words, each as strong as its score is beside the document's largest."""
    largest = max(map(abs, scores), default=0.0) or 1.0
    return [
        Word(
            text=word,
            strength=f"{abs(score) / largest:.2f}",
            colour=("for" if score > 0 else "against") if signed else "plain",
            note=f"{score:{'+.3f' if signed else '.3f'}}{unit}{', not in the vocabulary' if unknown else ''}",
            unknown=unknown,
        )
        for word, score, unknown in zip(reading.words, scores, reading.unknown, strict=True)
    ]
