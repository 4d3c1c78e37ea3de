"""One's own texts with labels: a CSV, TSV or JSONL file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import torch

from dlcourse.data.image_set import TEST_SEED, fraction
from dlcourse.data.split import stratified
from dlcourse.data.tables import FORMATS, Columns, read_rows, rows_refused
from dlcourse.data.text_set import TextParts, Texts, TextSet
from dlcourse.data.texts import Truncate
from dlcourse.errors import DataError


class Reviews(TextSet):
    """Texts of any kind with one label each, from a file with a column of texts and a column of labels.

    Labels are words or numbers, taken as text; the classes are sorted by it.

    Args:
        path: The file: .csv or .tsv with a line of column names, or .jsonl with one object a line; `~` is expanded.
        text: The column of the texts.
        label: The column of the labels.
        classes: The labels in the order of their numbers; null takes those of the file, sorted.
        test_path: A file of the same kind that is the test split; null cuts it from `path`.
        test_fraction: Share of each class that is the test split, where there is no test_path; it never moves.
        val_fraction: Share of each class's training texts that is held out for validation.
        split_seed: Names the validation cut.
        fold: Validates on this part of so many instead, such as 2/5; null holds out val_fraction.
        max_tokens: Most entries of the vocabulary, `<pad>` and `<unk>` included.
        min_freq: How often a word must occur to get an entry of its own.
        tokenizer: basic_english (as torchtext has it), words (cut at white space), characters (the same, and each
            Chinese or Japanese character by itself) or bpe (subwords).
        max_length: Most tokens of a text that a model sees; null is all.
        truncate: Which tokens of a longer one are kept: head, tail or head_tail (first quarter, last three quarters).
        bucket: Whether a training batch holds texts of similar length, which saves time.
    """

    def __init__(
        self,
        *,
        path: str | None = None,
        text: str = "text",
        label: str = "label",
        classes: Sequence[str] | None = None,
        test_path: str | None = None,
        test_fraction: float = 0.2,
        val_fraction: float = 0.1,
        split_seed: int = 0,
        fold: str | None = None,
        max_tokens: int = 30_000,
        min_freq: int = 2,
        tokenizer: str = "basic_english",
        max_length: int | None = 400,
        truncate: Truncate = "head_tail",
        bucket: bool = True,
    ) -> None:
        if path is None:
            raise ValueError("path must name your file: data.path=FILE.csv (or .tsv, .jsonl)")
        if text == label:
            raise ValueError(f"text and label must be different columns, not both {text!r}")
        if classes is not None and len(set(classes)) < max(2, len(classes)):
            raise ValueError(f"classes must be at least 2 different labels, not {list(classes)}")
        super().__init__(
            val_fraction=val_fraction,
            split_seed=split_seed,
            fold=fold,
            max_tokens=max_tokens,
            min_freq=min_freq,
            tokenizer=tokenizer,
            max_length=max_length,
            truncate=truncate,
            unlabelled_share=0.0,
            bucket=bucket,
        )
        self.path = _checked(path, name="path")
        self.columns = Columns(text, label)
        self._given = classes
        self.test_path = None if test_path is None else _checked(test_path, name="test_path")
        self.test_fraction = fraction(test_fraction, name="test_fraction")
        self._damage: list[str] = []

    def classes(self) -> tuple[str, ...]:
        """The given ones, or the different labels in `path`, sorted; the file is read for them once."""
        return self._classes

    def settled(self) -> Mapping[str, object]:
        """The classes, so that a run's network is understood without the file."""
        return {"classes": list(self._classes)}

    def read(self) -> TextParts:
        """All texts; without a test file, a fixed share of each class is the test split."""
        self._damage = []
        everything = self._read(self.path)
        if self.test_path is not None:
            return TextParts(train=everything, test=self._read(self.test_path))
        rest, test = stratified(everything.labels, self.test_fraction, seed=TEST_SEED)
        if not len(test):
            raise DataError(f"{self.path}: one text to a class leaves none to test on: add texts")
        return TextParts(train=everything[rest], test=everything[test])

    @cached_property
    def _classes(self) -> tuple[str, ...]:
        if self._given is not None:
            return tuple(self._given)
        found = sorted({row.label for row in read_rows(self.path, columns=self.columns)})
        if len(found) < 2:
            raise DataError(
                f"{self.path}: every '{self.columns.label}' is {found[0]!r}, but there must be at least 2 classes; "
                "name another column with data.label=COLUMN"
            )
        return tuple(found)

    def notes(self) -> list[str]:
        """Rows that are not all UTF-8, then what is said of every set of texts."""
        return [*self._damage, *super().notes()]

    def _read(self, path: Path) -> Texts:
        places = {name: place for place, name in enumerate(self._classes)}
        rows = list(read_rows(path, columns=self.columns))
        if strange := [row for row in rows if row.label not in places]:
            known = self.path if self._given is None else "data.classes"
            faults = (f"line {row.line} has the label {row.label!r}, which {known} does not have" for row in strange)
            raise rows_refused(path, (f"{path}: {fault}" for fault in faults))
        if damaged := [row.line for row in rows if row.damaged]:
            self._damage.append(
                f"{path}: {len(damaged):,} of {len(rows):,} rows hold bytes that are not UTF-8, first in line "
                f"{damaged[0]}; they were replaced by U+FFFD"
            )
        return Texts([row.text for row in rows], torch.tensor([places[row.label] for row in rows]))


def _checked(path: str, *, name: str) -> Path:
    """The path of a file of a known format; nothing is read."""
    if Path(path).suffix.lower() not in FORMATS or "\0" in path:
        raise ValueError(f"{name} must end in {', '.join(FORMATS)}, not {path!r}")
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ValueError(f"{name} names a home folder that is not known: {path!r}") from None
