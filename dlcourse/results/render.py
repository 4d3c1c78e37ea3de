"""Rows of cells as text: a table for the terminal, CSV, JSON, Markdown or LaTeX, each with its own escapes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from dlcourse.media import Cell  # it brings torch, which takes two seconds

Format = Literal["table", "csv", "json", "md", "latex"]
Rows = Sequence[Sequence["Cell"]]


def render(columns: Sequence[str], rows: Rows, *, format: Format, title: str = "") -> str:
    """Rows as text, without a newline at its end.

    Args:
        columns: the name of each column.
        rows: a cell for each column; None where there is nothing.
        format: csv and json have every number in full, the others four significant digits.
        title: what the table is about; csv and json have no place for it.

    Raises:
        ValueError: a row has not as many cells as there are columns.
    """
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"rows must have {len(columns)} cells as there are columns, not {len(row)}")
    return WRITERS[format](columns, rows, title)


def text_of(cell: Cell, *, nothing: str = "-") -> str:
    """A cell as a person reads it: four significant digits, true or false, `nothing` where there is no value."""
    if cell is None:
        return nothing
    if isinstance(cell, bool):
        return str(cell).lower()
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def is_numeric(rows: Rows, *, column: int) -> bool:
    """Whether a column holds numbers alone, and one at least."""
    cells = [row[column] for row in rows if row[column] is not None]
    return bool(cells) and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in cells)


def widths_of(columns: Sequence[str], rows: Rows) -> list[int]:
    """How many places of the terminal each column of a table takes; a Chinese letter takes two."""
    from rich.cells import cell_len

    cells = [[*head_of(name), *(printable(text_of(row[place])) for row in rows)] for place, name in enumerate(columns)]
    return [max(map(cell_len, column)) for column in cells]


def head_of(name: str) -> tuple[str, str]:
    """A column's name in two lines, so that `optimizer.lr` is as narrow as its numbers."""
    group, dot, last = name.rpartition(".")
    return printable(f"{group}{dot}"), printable(last)


def printable(text: str) -> str:
    """The text in one line that moves no cursor and sets no colour."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


GAP = "  "


def _table(columns: Sequence[str], rows: Rows, title: str) -> str:
    from rich.cells import cell_len

    widths = widths_of(columns, rows)
    right = [is_numeric(rows, column=place) for place in range(len(columns))]

    def line(texts: Sequence[str]) -> str:
        padded: list[str] = []
        for text, width, at_right in zip(texts, widths, right, strict=True):
            space = " " * (width - cell_len(text))
            padded.append(space + text if at_right else text + space)
        return GAP.join(padded).rstrip()

    heads = [head_of(name) for name in columns]
    upper = [line([head[0] for head in heads])] if any(head[0] for head in heads) else []
    body = [line([printable(text_of(cell)) for cell in row]) for row in rows]
    rule = GAP.join("-" * width for width in widths)
    above = [printable(title), ""] if title else []
    return "\n".join([*above, *upper, line([head[1] for head in heads]), rule, *body])


def _csv(columns: Sequence[str], rows: Rows, title: str) -> str:
    del title

    def field(cell: Cell) -> str:
        text = repr(cell) if isinstance(cell, float) else text_of(cell, nothing="")
        # csv.writer of Python 3.11 leaves a lone \r unquoted, which ends a line for those who read it.
        quotes = re.search(r'[",\r\n]', text) or text != text.strip() or (not text and len(columns) == 1)
        return '"{}"'.format(text.replace('"', '""')) if quotes else text

    return "\n".join(",".join(map(field, row)) for row in (columns, *rows))


def _json(columns: Sequence[str], rows: Rows, title: str) -> str:
    del title
    finite = [[None if isinstance(cell, float) and not math.isfinite(cell) else cell for cell in row] for row in rows]
    return json.dumps([dict(zip(columns, row, strict=True)) for row in finite], ensure_ascii=False, indent=1)


# An underline within a word is one; at its edge it sets italics.
MARKDOWN = re.compile(r"[\\`*<\[\]|~&]|(?<!\w)_|_(?!\w)")


def _markdown(columns: Sequence[str], rows: Rows, title: str) -> str:
    def cell(text: str) -> str:
        escaped = MARKDOWN.sub(r"\\\g<0>", text)
        return "".join("<br>" if letter == "\n" else printable(letter) for letter in escaped)

    right = [is_numeric(rows, column=place) for place in range(len(columns))]
    lines = [[cell(name) for name in columns], ["---:" if one else "---" for one in right]]
    lines += [[cell(text_of(one, nothing="")) for one in row] for row in rows]
    above = [f"**{cell(title)}**", ""] if title else []
    return "\n".join([*above, *(f"| {' | '.join(line)} |" for line in lines)])


LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "`": r"\textasciigrave{}", "[": "{[}", "]": "{]}", "*": "{*}", "\n": " ", "\r": " ",
})  # fmt: skip


def _latex(columns: Sequence[str], rows: Rows, title: str) -> str:
    def cell(text: str) -> str:
        # Brackets and stars would belong to the \\ before them; two hyphens would become a dash.
        return printable(re.sub(r"-(?=-)", "-{}", text.translate(LATEX)))

    kinds = "".join("r" if is_numeric(rows, column=place) else "l" for place in range(len(columns)))
    lines = [
        " & ".join(map(cell, columns)),
        *(" & ".join(cell(text_of(one, nothing="")) for one in row) for row in rows),
    ]
    head, *body = (rf"{line} \\" for line in lines)
    tabular = [
        rf"\begin{{tabular}}{{{kinds}}}",
        r"\toprule",
        head,
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if title:
        caption = rf"\caption{{{cell(title)}}}"
        tabular = [r"\begin{table}", r"\centering", caption, *tabular, r"\end{table}"]
    return "\n".join([r"% needs \usepackage{booktabs}", *tabular])


WRITERS: Mapping[Format, Callable[[Sequence[str], Rows, str], str]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
    "md": _markdown,
    "latex": _latex,
}
