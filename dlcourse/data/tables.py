"""Texts with labels from files that people have: CSV, TSV and lines of JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from dlcourse.errors import DataError, suggestion

MOST_CHARACTERS = 100_000_000
"""Of one field; csv's own limit is 131,072."""
MOST_FAULTS = 5
"""Bad rows that are named before a file is read no further."""


class Row(NamedTuple):
    """One text of a file, the file's line where it begins, its label as text, and whether either was no UTF-8."""

    line: int
    text: str
    label: str
    damaged: bool = False


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
        DataError: names the file and the lines: a column is missing, rows cannot be read, a label is empty; or most of
            what is not plain ASCII is not UTF-8.
        KeyError: the format is none of `FORMATS`.
    """
    read = FORMATS[path.suffix.lower()]
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    count, faults = 0, list[str]()
    try:
        check_encoding(path)
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            for found in read(file, path=path, columns=columns):
                if isinstance(found, Row) and found.label.strip():
                    count += 1
                    yield found
                    continue
                faults.append(_unlabelled(path, found.line) if isinstance(found, Row) else found)
                if len(faults) == MOST_FAULTS:
                    break
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if faults:
        raise rows_refused(path, faults)
    if not count:
        raise DataError(f"{path}: holds no row")


def rows_refused(path: Path, faults: Iterable[str]) -> DataError:
    """The error of a file with bad rows: the first few of them, a line each."""
    named = list(islice(faults, MOST_FAULTS))
    last = [f"{path}: only the first {MOST_FAULTS} bad rows are named"] if len(named) == MOST_FAULTS else []
    return DataError(*named, *last)


def _unlabelled(path: Path, line: int) -> str:
    return f"{path}: line {line} has no label: give it one or remove it"


def check_encoding(path: Path) -> None:
    """Raise DataError if most lines that are not plain ASCII are not UTF-8: it is written in something else.

    Such a file would otherwise seem to lack columns or quotes, for bytes of one character may look like others.
    """
    foreign = broken = 0
    guess = "gbk"
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if not number and line.startswith((b"\xff\xfe", b"\xfe\xff")):
                guess = "utf-16"
            if not line.isascii():
                foreign += 1
                broken += not is_utf8(line)
    if broken * 2 > foreign:
        raise DataError(
            f"{path}: is not UTF-8 ({broken:,} of the {foreign:,} lines that are not plain ASCII); convert it from "
            f"what it is written in, e.g. `iconv -f {guess} -t utf-8 {path.name} > utf8{path.suffix}`"
        )


def is_utf8(content: bytes) -> bool:
    """Whether these bytes are text."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _mended(text: str) -> str:
    """What was read from a file with its undecodable bytes escaped, with U+FFFD in their place."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _table(lines: Iterable[str], *, path: Path, columns: Columns, delimiter: str) -> Iterator[Row | str]:
    """The rows below the column names, and of each bad row what is wrong with it."""
    records = _records(lines, delimiter=delimiter)
    _, header = next(records, (1, []))
    if isinstance(header, csv.Error):
        raise DataError(f"{path}: the column names in line 1 cannot be read ({header}): close or double its quotes")
    if not header:
        raise DataError(f"{path}: line 1 must name the columns, but the file is empty or begins with a blank line")
    names = [_mended(name) for name in header]
    places = [_place(name, names, path=path, argument=argument) for argument, name in columns._asdict().items()]
    for line, fields in records:
        if isinstance(fields, csv.Error):
            yield (
                f"{path}: the row that begins in line {line} cannot be read ({fields}): close its quotes, and double "
                "those inside a field"
            )
        elif len(fields) == len(names):
            raw = [fields[place] for place in places]
            text, label = map(_mended, raw)
            yield Row(line, text, label, damaged=[text, label] != raw)
        elif fields:
            yield (
                f"{path}: line {line} has {len(fields)} fields, but line 1 names {len(names)} columns; "
                "a field with commas, tabs or line breaks must stand in quotes"
            )


def _records(lines: Iterable[str], *, delimiter: str) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """The line where each row begins, with its fields or why it has none; a blank line has no fields."""
    csv.field_size_limit(MOST_CHARACTERS)
    # Strict, because otherwise a quote that is never closed swallows the rest of the file.
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, error
        else:
            yield line, fields


def _json_lines(lines: Iterable[str], *, path: Path, columns: Columns) -> Iterator[Row | str]:
    """The rows, and of each bad one what is wrong with it."""
    first = True
    for line, raw in enumerate(lines, start=1):
        if not raw.strip():
            continue
        content = _mended(raw)
        try:
            yield _object(content, path=path, line=line, columns=columns, damaged=content != raw)
        except DataError as error:
            if first and isinstance(error, NoColumn):
                raise  # it is so in all lines
            yield error.problems[0]
        first = False


def _object(content: str, *, path: Path, line: int, columns: Columns, damaged: bool) -> Row:
    """The row that a line of JSON holds; DataError if it holds none."""
    try:
        found = json.loads(content)
    except json.JSONDecodeError as error:
        # Its own text would count lines, too, in what is one line.
        raise DataError(f"{path}: line {line} is no JSON ({error.msg}, character {error.pos + 1})") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: line {line} is no JSON ({error})") from None
    if not isinstance(found, dict):
        raise DataError(f'{path}: line {line} must be a JSON object, such as {{"text": ..., "label": ...}}')
    names = [str(name) for name in found]
    text, label = (
        found[names[_place(name, names, path=path, line=line, argument=argument)]]
        for argument, name in columns._asdict().items()
    )
    if not isinstance(text, str):
        raise DataError(f"{path}: line {line}: '{columns.text}' must be a string, not {json.dumps(text)[:40]}")
    return Row(line, text, _label(label), damaged=damaged)


def _label(value: object) -> str:
    """A label as text: strings as they are, null as nothing, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


class NoColumn(DataError):
    """A column that is to be read is not there."""


def _place(name: str, names: Sequence[str], *, path: Path, argument: str, line: int = 1) -> int:
    """Where a column stands."""
    if name in names:
        return names.index(name)
    if len(names) == 1 and (found := SEPARATORS.intersection(names[0])):
        raise NoColumn(
            f"{path}: line {line} is one column, {names[0]!r}: separate columns by a comma in .csv and by a tab in "
            f".tsv, not by {min(found)!r}"
        )
    raise NoColumn(
        f"{path}: line {line} has no column '{name}'{suggestion(name, names)}; name it with data.{argument}=COLUMN"
    )


SEPARATORS = frozenset(";,|\t")
DELIMITERS = {".csv": ",", ".tsv": "\t"}

FORMATS: Mapping[str, Callable[..., Iterator[Row | str]]] = {
    **{ending: partial(_table, delimiter=delimiter) for ending, delimiter in DELIMITERS.items()},
    ".jsonl": _json_lines,
}
"""By the ending of a file's name."""
