"""Texts with labels from files that people have: CSV, TSV and lines of JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple, TextIO

from dlcourse.errors import DataError, suggestion

MOST_CHARACTERS = 100_000_000
"""Of one field; csv's own limit is 131,072."""


class Row(NamedTuple):
    """One text of a file, the file's line where it ends, and its label as text."""

    line: int
    text: str
    label: str


class Columns(NamedTuple):
    """The names of the two columns that are read."""

    text: str
    label: str


def read_rows(path: Path, *, columns: Columns) -> Iterator[Row]:
    """The rows of a file, its format told by its ending; bytes that are no UTF-8 become U+FFFD.

    A .csv or .tsv file begins with a line of column names; fields may be quoted and then hold line breaks. A .jsonl
    file has a JSON object on each line; labels that are no strings are taken as JSON writes them. Blank lines are
    passed over.

    Raises:
        DataError: names the file and the line: a column is missing, a row cannot be read, a label is empty.
        KeyError: the format is none of `FORMATS`.
    """
    read = FORMATS[path.suffix.lower()]
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            count = 0
            for row in read(file, path=path, columns=columns):
                if not row.label.strip():
                    raise DataError(f"{path}: line {row.line} has no label: give it one or remove it")
                count += 1
                yield row
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if not count:
        raise DataError(f"{path}: holds no row")


def _table(file: TextIO, *, path: Path, columns: Columns, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(MOST_CHARACTERS)
    # Strict, because otherwise a quote that is never closed swallows the rest of the file.
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    try:
        header = next(reader, [])
        if not header:
            raise DataError(f"{path}: line 1 must name the columns, but the file is empty or begins with a blank line")
        text, label = (
            _place(name, header, path=path, argument=argument) for argument, name in columns._asdict().items()
        )
        for fields in reader:
            if len(fields) == len(header):
                yield Row(reader.line_num, fields[text], fields[label])
            elif fields:
                raise DataError(
                    f"{path}: line {reader.line_num} has {len(fields)} fields, but line 1 names {len(header)} columns; "
                    "a field with commas, tabs or line breaks must stand in quotes"
                )
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num} cannot be read ({error})") from None


def _json_lines(file: TextIO, *, path: Path, columns: Columns) -> Iterator[Row]:
    for line, content in enumerate(file, start=1):
        if not content.strip():
            continue
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: line {line} is no JSON ({error})") from None
        if not isinstance(found, dict):
            raise DataError(f'{path}: line {line} must be a JSON object, such as {{"text": ..., "label": ...}}')
        names = [str(name) for name in found]
        values = [
            found[names[_place(name, names, path=path, line=line, argument=argument)]]
            for argument, name in columns._asdict().items()
        ]
        if not isinstance(values[0], str):
            raise DataError(f"{path}: line {line}: '{columns.text}' must be a string, not {json.dumps(values[0])[:40]}")
        yield Row(line, values[0], _label(values[1]))


def _label(value: object) -> str:
    """A label as text: strings as they are, null as nothing, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _place(name: str, names: Sequence[str], *, path: Path, argument: str, line: int = 1) -> int:
    """Where a column stands."""
    if name in names:
        return names.index(name)
    if len(names) == 1 and (found := SEPARATORS.intersection(names[0])):
        raise DataError(
            f"{path}: line {line} is one column, {names[0]!r}: separate columns by a comma in .csv and by a tab in "
            f".tsv, not by {min(found)!r}"
        )
    raise DataError(
        f"{path}: line {line} has no column '{name}'{suggestion(name, names)}; name it with data.{argument}=COLUMN"
    )


SEPARATORS = frozenset(";,|\t")


FORMATS: Mapping[str, Callable[..., Iterator[Row]]] = {
    ".csv": partial(_table, delimiter=","),
    ".tsv": partial(_table, delimiter="\t"),
    ".jsonl": _json_lines,
}
"""By the ending of a file's name."""
