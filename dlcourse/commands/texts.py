"""The texts that a command is given: words of the command line, lines of a file, rows of a table."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from dlcourse.data.tables import DELIMITERS, FORMATS, SEPARATORS, Columns, Row, check_encoding, is_utf8, rows_refused
from dlcourse.errors import DataError, suggestion

TEXT, LABEL = "text", "label"  # the columns of a table


@dataclass(frozen=True)
class Given:
    """A text, and its label where the file has one."""

    text: str
    label: str | None = None


def unescaped(text: str) -> str:
    """A word of the command line; bytes that were no UTF-8 become replacement characters."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def read_file(path: Path) -> list[Given]:
    """The texts of a file: rows of a .csv, .tsv or .jsonl, else one a line; - is standard input.

    Raises:
        DataError: it cannot be read, it is empty, or a table has no column `text` or a row that cannot be read.
    """
    return rows(path) if path.suffix.lower() in FORMATS else [Given(line) for line in lines(path)]


def rows(path: Path) -> list[Given]:
    """The column `text` of a table as training reads it, and its labels if it has a column `label`.

    Raises:
        DataError: see `read_file`.
    """
    text = read_bytes(path).decode("utf-8-sig", "surrogateescape")  # the reader tells rows with such bytes
    check_encoding(path)
    names = column_names(text, ending=path.suffix.lower())
    if TEXT not in names:
        raise DataError(
            f"file: {path} has no column '{TEXT}'{suggestion(TEXT, names)}; give the texts' column that name, or "
            "write one text a line into a .txt file"
        )
    labelled = LABEL in names
    read = FORMATS[path.suffix.lower()]
    columns = Columns(TEXT, LABEL if labelled else TEXT)
    found = list(read(io.StringIO(text, newline=""), path=path, columns=columns))
    if faults := [one for one in found if isinstance(one, str)]:
        raise rows_refused(path, faults)
    good = [one for one in found if isinstance(one, Row)]
    if not good:
        raise DataError(f"file: {path} holds no row")
    tell_damaged(path, [row.line for row in good if row.damaged])
    return [Given(row.text, row.label.strip() or None if labelled else None) for row in good]


def column_names(text: str, *, ending: str) -> list[str]:
    """The columns of a table: its first line, or the keys of its first object.

    Of what cannot be read it is `TEXT`, because the reader of the rows tells what is wrong there.
    """
    lines = io.StringIO(text, newline="")
    try:
        if ending in DELIMITERS:
            names = next(csv.reader(lines, delimiter=DELIMITERS[ending], strict=True), [TEXT])
            return [TEXT] if len(names) == 1 and SEPARATORS.intersection(names[0]) else names
        found = json.loads(next((line for line in lines if line.strip()), "{}"))
    except (ValueError, RecursionError, csv.Error):
        return [TEXT]
    return list(map(str, cast("dict[str, object]", found))) if isinstance(found, dict) else [TEXT]


def lines(path: Path) -> list[str]:
    """The lines of a file, or of standard input; bytes that are no UTF-8 are replaced, and said.

    Raises:
        DataError: it cannot be read, or it is empty.
    """
    content = read_bytes(path)
    rows = content.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n").split(b"\n") if content else []
    if not rows:
        raise DataError(f"file: {path} is empty; write one text a line")
    found = [row.removesuffix(b"\r").decode("utf-8", "replace") for row in rows]
    tell_damaged(path, [number for number, row in enumerate(rows, 1) if not is_utf8(row)])
    return found


def tell_damaged(path: Path, numbers: Sequence[int]) -> None:
    """Say on stderr which lines held bytes that are no UTF-8."""
    for number in numbers[:5]:
        print(f"{path}:{number}: not all of it is UTF-8; what is not was replaced", file=sys.stderr)
    if len(numbers) > 5:
        print(f"{path}: {len(numbers) - 5:,} more such lines", file=sys.stderr)


def read_bytes(path: Path) -> bytes:
    """What a file holds, or standard input if it is called -.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise DataError(f"file: {path} cannot be read ({error.strerror})") from error
