"""Tables as text: every format reads back as what went in, whatever letters a cell has."""

from __future__ import annotations

import csv
import io
import json
import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from dlcourse.results.render import Format, render, text_of

COLUMNS = ("name", "optimizer.lr", "test.accuracy", "data.bucket")
ROWS = (("a_b|c", 0.00123456, 0.123456789, True), ("第一 次", None, 0.5, None))
FORMATS: tuple[Format, ...] = ("table", "csv", "json", "md", "latex")


def test_a_table_by_hand() -> None:
    assert render(COLUMNS, ROWS, format="table", title="Runs").splitlines() == [
        "Runs",
        "",
        "         optimizer.     test.  data.",
        "name             lr  accuracy  bucket",
        "-------  ----------  --------  ------",
        "a_b|c      0.001235    0.1235  true",
        "第一 次           -       0.5  -",
    ]


def test_csv_and_json_have_every_digit() -> None:
    assert render(COLUMNS, ROWS, format="csv") == (
        "name,optimizer.lr,test.accuracy,data.bucket\na_b|c,0.00123456,0.123456789,true\n第一 次,,0.5,"
    )
    assert json.loads(render(COLUMNS, ROWS, format="json"))[1] == {
        "name": "第一 次", "optimizer.lr": None, "test.accuracy": 0.5, "data.bucket": None,
    }  # fmt: skip
    assert json.loads(render(["x"], [[math.nan], [math.inf]], format="json")) == [{"x": None}, {"x": None}]


def test_markdown_escapes_what_would_format() -> None:
    lines = render(["a*", "n"], [["x|_y_ a_b <b>", 1], ["two\nlines", 2.0]], format="md", title="T").splitlines()
    assert lines == [
        "**T**", "", r"| a\* | n |", "| --- | ---: |", r"| x\|\_y\_ a_b \<b> | 1 |", "| two<br>lines | 2 |",
    ]  # fmt: skip


def test_latex_escapes_what_would_command() -> None:
    text = render(["a_b", "50%"], [[r"\x{y}&$#^~<>|", 1], ["[1] *--- `", None]], format="latex", title="A & B")
    assert r"\caption{A \& B}" in text
    assert r"\begin{tabular}{lr}" in text
    assert r"a\_b & 50\% \\" in text
    assert (
        r"\textbackslash{}x\{y\}\&\$\#\textasciicircum{}\textasciitilde{}\textless{}\textgreater{}\textbar{} & 1 \\"
        in text
    )
    assert r"{[}1{]} {*}-{}-{}- \textasciigrave{} &  \\" in text


def test_a_terminal_is_sent_no_escape_sequences() -> None:
    assert "\x1b" not in render(["a\x1b[31m"], [["\x1b]0;title\x07"], ["a\nb"]], format="table", title="\x1b[2J")


@pytest.mark.parametrize("cell", [None, True, False, 3, 0.5, "x", 1e-300, 123456.789])
def test_every_cell_has_a_text(cell: str | float | None) -> None:
    assert text_of(cell) == {None: "-", True: "true"}.get(cell, text_of(cell))
    assert len(text_of(cell)) <= 10


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="rows must have 2 cells"):
        render(["a", "b"], [["x"]], format="csv")


def test_no_rows_are_a_table_too() -> None:
    assert render(["a.b"], [], format="table").splitlines() == ["a.", "b", "--"]
    assert json.loads(render(["a"], [], format="json")) == []
    for form in FORMATS:
        assert render(["a"], [], format=form)


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
CELLS = st.one_of(TEXTS, st.integers(), st.floats(allow_nan=False))


@example(table=[["\r"]])
@example(table=[[""]])
@example(table=[["=1+1", "a,b"], ['"', " x\n"]])
@given(
    table=st.integers(1, 3).flatmap(
        lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=4)
    )
)
def test_csv_round_trips(table: list[list[str | float]]) -> None:
    columns = [f"c{place}" for place in range(len(table[0]))]
    found = list(csv.reader(io.StringIO(render(columns, table, format="csv"), newline="")))
    assert found[0] == columns
    assert len(found) == len(table) + 1
    for row, read in zip(table, found[1:], strict=True):
        assert [type(cell)(text) for cell, text in zip(row, read, strict=True)] == row


@given(rows=st.lists(st.tuples(TEXTS, TEXTS), max_size=4))
def test_json_round_trips_and_lines_are_as_many_as_rows(rows: list[tuple[str, str]]) -> None:
    assert [tuple(row.values()) for row in json.loads(render(["a", "b"], rows, format="json"))] == rows
    table = render(["a", "b"], rows, format="table").split("\n")
    assert len(table) == len(rows) + 2
    assert all(cell_len(line) <= cell_len(table[1]) for line in table)
    markdown = render(["a", "b"], rows, format="md").split("\n")
    assert [len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in markdown] == [3] * (len(rows) + 2)
    assert len(render(["a", "b"], rows, format="latex").split("\n")) == len(rows) + 7
