"""`dlcourse predict run=RUN "text"`: what a trained model makes of texts, and which words it says count."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlcourse.commands.arguments import argument, read, usage
from dlcourse.commands.texts import Given, read_file, unescaped
from dlcourse.errors import ConfigError

if TYPE_CHECKING:
    from dlcourse.run.classifier import Classifier
    from dlcourse.run.reading import Reading

PURPOSE = (
    "Classify texts with a trained model. A text that holds `word=` or begins with - stands behind --, as in\n"
    'dlcourse predict run=latest -- "score=10 of 10".'
)


@dataclass(frozen=True)
class Arguments:
    """What `dlcourse predict` takes."""

    run: str = argument("The run: a path, <model>-<data>/<time>, a unique end of it, or latest.")
    text: tuple[str, ...] = argument("The texts.", default=(), bare=True)
    file: Path | None = argument(
        "Further texts: the column text of a .csv, .tsv or .jsonl, else one a line; - is standard input.", default=None
    )
    format: Literal["text", "json"] = argument("How to print the answer.", default="text")
    html: Path | None = argument("Also write a page that any browser shows.", default=None)
    calibrated: bool = argument(
        "Divide the logits by the temperature that the run fitted on validation, if it has one.", default=True
    )
    show: int = argument("How many texts are explained, from the first.", default=5)
    top: int = argument("How many words are named where there is no colour.", default=8)
    device: str | None = argument("Another device than the run's, such as cpu.", default=None, key="runtime.device")
    runs: Path = argument("Folder that holds the runs.", default=Path("runs"))
    allow_code: bool = argument("Run Python files of this folder that the run's config names.", default=False)


def main(argv: list[str]) -> int:
    """Classify and explain."""
    given = read(Arguments, argv, command="predict", purpose=PURPOSE)
    problems = [
        f"{name} must be 0 or more, not {value}"
        for name, value in (("show", given.show), ("top", given.top))
        if value < 0
    ]
    if not given.text and given.file is None:
        problems += ["there is no text", *usage(Arguments, command="predict", purpose="").splitlines()[:1]]
        problems.append('such as: dlcourse predict run=latest "What a film!"')
    if problems:
        raise ConfigError(*problems)
    texts = [*(Given(unescaped(text)) for text in given.text), *([] if given.file is None else read_file(given.file))]
    from dlcourse.files import read_json, write_text  # torch, imported below, takes two seconds
    from dlcourse.run.classifier import load_classifier
    from dlcourse.run.reading import read_texts
    from dlcourse.tasks.faithfulness import Report

    classifier = load_classifier(
        given.run,
        runs=given.runs,
        command="predict",
        device=given.device,
        allow_code=given.allow_code,
        calibrated=given.calibrated,
    )
    found = read_texts(classifier, [one.text for one in texts], explained=given.show, attend=given.format == "json")
    readings = [replace(reading, true_label=one.label) for reading, one in zip(found, texts, strict=True)]
    tested = classifier.folder.path / "attribution" / "attribution.json"
    report = Report.of_plain(read_json(tested))
    if report is None and tested.exists():
        print(f"{tested}: damaged or of another version; dlcourse attribute makes it anew", file=sys.stderr)
    notes = [calibration(classifier, wanted=given.calibrated), *accuracy(readings, classes=classifier.classes)]
    if given.html is not None:
        from dlcourse.pages.page import page

        html = page(readings, run=classifier.name, report=report, notes=notes)
        try:
            write_text(given.html, html)
        except OSError as error:
            raise ConfigError(f"html: {given.html} cannot be written ({error.strerror}); name another file") from error
    if given.format == "json":
        head = {"run": classifier.name, "temperature": classifier.temperature}
        print(json.dumps([head | plain(reading) for reading in readings], ensure_ascii=False, allow_nan=False))
        return 0
    from rich.console import Console

    from dlcourse.pages.terminal import print_readings

    print_readings(readings, console=Console(highlight=False), top=given.top, report=report)
    print("\n".join(notes))
    if given.html is not None:
        print(f"\nwrote {given.html}")
    return 0


def calibration(classifier: Classifier, *, wanted: bool) -> str:
    """What was done to the probabilities."""
    if classifier.temperature is not None:
        return (
            f"Probabilities: logits divided by {classifier.temperature:.3g}, the temperature that the run fitted on "
            "validation (calibrated=false leaves it out)."
        )
    return (
        f"Probabilities: as the model gives them, {'the run has no fitted temperature' if wanted else 'uncalibrated'}."
    )


def accuracy(readings: Sequence[Reading], *, classes: Sequence[str]) -> Iterator[str]:
    """How many texts of a labelled file are right; labels that are none of the run's are told and not counted."""
    known = [reading for reading in readings if reading.true_label in classes]
    strange = [reading.true_label for reading in readings if reading.true_label not in (None, *classes)]
    if known:
        right = sum(reading.label == reading.true_label for reading in known)
        tenths = 1000 * right // len(known)  # rounded down: 100.0 means all of them
        yield f"Accuracy: {right:,} of {len(known):,} labelled texts are right ({tenths / 10:.1f} %)."
    if strange:
        yield (
            f"Labels that the run does not know, such as {strange[0]!r}, were not counted: {len(strange):,}; "
            f"it knows {', '.join(classes)}."
        )


def plain(reading: Reading) -> dict[str, Any]:
    """One text's answer; null stands for what was not computed."""
    return {
        "text": reading.text,
        "label": reading.label,
        "probabilities": dict(reading.probabilities),
        "true_label": reading.true_label,
        "words": list(reading.words),
        "unknown": list(reading.unknown),
        "attention": optional(reading.attention),
        "integrated_gradients": optional(reading.integrated_gradients),
        "random": optional(reading.random),
        "entropy": reading.entropy,
        "without": dict(reading.without) or None,
        "empty": reading.empty,
        "truncated": reading.truncated,
        "words_read": 0 if reading.empty else len(reading.words),
        "words_from_start": reading.head,
        "words_total": reading.total,
    }


def optional(scores: Sequence[float]) -> list[float] | None:
    """The numbers, or None if there are none."""
    return list(scores) or None
