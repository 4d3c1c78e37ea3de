"""Conditions of any text: read or refused, and never run."""

from __future__ import annotations

import builtins
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import example, given
from hypothesis import strategies as st
from run_folders import make_run

from dlcourse.errors import ConfigError
from dlcourse.results.record import read_record
from dlcourse.results.where import Query

with tempfile.TemporaryDirectory() as name:
    RECORD = read_record(make_run(Path(name)), runs=Path(name))

PIECES = st.sampled_from(
    [
        "seed", "model", "optimizer.lr", "tags", "nothing", "==", "!=", "<", ">=", "~", "in", "not", "and", "or", "(",
        ")", "[", "]", ",", "1", "0.05", "true", "null", "'text'", "resnet18", "__import__('os').system('x')", "lambda",
    ]
)  # fmt: skip
LEAVES = st.sampled_from(["seed==1", "seed==2", "model.depth==4"])  # true, false, neither


def trapped(*args: Any, **kwargs: Any) -> None:
    raise AssertionError("code was run")


@example("__import__('os').system('true')==1")
@example("[x for x in ().__class__.__bases__]==1")
@given(text=st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=12).map(" ".join)))
def test_any_text_is_read_or_refused_in_one_line_and_never_run(text: str) -> None:
    with patch.object(builtins, "eval", trapped), patch.object(builtins, "exec", trapped):
        try:
            held = Query.parse(text).matches(RECORD)
        except ConfigError as error:
            assert all(problem.startswith("where: ") for problem in error.problems)
        else:
            assert held in (True, False)


@given(one=LEAVES, two=LEAVES, three=LEAVES)
def test_and_or_and_not_obey_de_morgan(one: str, two: str, three: str) -> None:
    left = Query.parse(f"not ({one} and {two} or {three})")
    right = Query.parse(f"(not {one} or not {two}) and not {three}")
    assert left.matches(RECORD) is right.matches(RECORD)
