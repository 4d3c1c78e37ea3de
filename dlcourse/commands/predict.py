"""`dlcourse predict run=RUN "text"`: what a trained model makes of texts, and which words it says count."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from dlcourse.commands.arguments import argument, read, usage
from dlcourse.errors import ConfigError, DataError

if TYPE_CHECKING:
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
    file: Path | None = argument("Further texts, one a line; - is standard input.", default=None)
    format: Literal["text", "json"] = argument("How to print the answer.", default="text")
    html: Path | None = argument("Also write a page that any browser shows.", default=None)
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
    texts = [*map(unescaped, given.text), *([] if given.file is None else lines(given.file))]
    from dlcourse.files import read_json, write_text  # torch, imported below, takes two seconds
    from dlcourse.run.classifier import load_classifier
    from dlcourse.run.reading import read_texts
    from dlcourse.tasks.faithfulness import Report

    classifier = load_classifier(
        given.run, runs=given.runs, command="predict", device=given.device, allow_code=given.allow_code
    )
    readings = read_texts(classifier, texts, explained=given.show, attend=given.format == "json")
    report = Report.of_plain(read_json(classifier.folder.path / "attribution" / "attribution.json"))
    if given.html is not None:
        from dlcourse.pages.page import page

        path = classifier.folder.path
        html = page(readings, run=f"{path.parent.name}/{path.name}", report=report)
        try:
            write_text(given.html, html)
        except OSError as error:
            raise ConfigError(f"html: {given.html} cannot be written ({error.strerror}); name another file") from error
    if given.format == "json":
        print(json.dumps([plain(reading) for reading in readings], ensure_ascii=False, allow_nan=False))
        return 0
    from rich.console import Console

    from dlcourse.pages.terminal import print_readings

    print_readings(readings, console=Console(highlight=False), top=given.top, report=report)
    if given.html is not None:
        print(f"\nwrote {given.html}")
    return 0


def unescaped(text: str) -> str:
    """A word of the command line; bytes that were no UTF-8 become replacement characters."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def lines(path: Path) -> list[str]:
    """The lines of a file, or of standard input; bytes that are no UTF-8 are replaced, and said.

    Raises:
        DataError: it cannot be read, or it is empty.
    """
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise DataError(f"file: {path} cannot be read ({error.strerror})") from error
    rows = content.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n").split(b"\n") if content else []
    if not rows:
        raise DataError(f"file: {path} is empty; write one text a line")
    found = [row.removesuffix(b"\r").decode("utf-8", "replace") for row in rows]
    damaged = [number for number, row in enumerate(rows, 1) if not is_utf8(row)]
    for number in damaged[:5]:
        print(f"{path}:{number}: not all of it is UTF-8; what is not was replaced", file=sys.stderr)
    if len(damaged) > 5:
        print(f"{path}: {len(damaged) - 5:,} more such lines", file=sys.stderr)
    return found


def is_utf8(row: bytes) -> bool:
    """Whether these bytes are text."""
    try:
        row.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def plain(reading: Reading) -> dict[str, Any]:
    """One text's answer; null stands for what was not computed."""
    return {
        "text": reading.text,
        "label": reading.label,
        "probabilities": dict(reading.probabilities),
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
        "words_total": reading.total,
    }


def optional(scores: Sequence[float]) -> list[float] | None:
    """The numbers, or None if there are none."""
    return list(scores) or None
