"""Whatever stands on the command line is parsed or refused in one block, never with another exception."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.commands.arguments import read
from dlcourse.commands.list import Arguments
from dlcourse.config.candidates import candidates
from dlcourse.config.overrides import parse, parse_all, resume_request, split
from dlcourse.errors import UserError

PIECES = st.sampled_from(
    [*"=+~@:/.,()[]{}'\"\\$ \t\n-", "${", "model", "optimizer.lr", "epochs", "run", "choice", "glob", "1e3", "null",
     "李", "-m", "--cfg"]
)  # fmt: skip
WORDS = st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=12).map("".join))
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.lists(WORDS, max_size=4))
def test_any_command_line_parses_or_is_refused(argv: list[str]) -> None:
    words = split(argv)
    parse_all(words.overrides)
    for ask in (lambda: resume_request(argv), lambda: read(Arguments, argv, command="list")):
        with contextlib.suppress(UserError, SystemExit):
            ask()


@given(VALUES)
def test_every_value_of_a_path_parses_and_most_arrive_unchanged(text: str) -> None:
    override = parse(f"run={text}")
    again = parse(override.input_line or "")
    assert again.input_line == override.input_line  # what Hydra is given is what its grammar accepts
    # Hydra's own syntax keeps its meaning; a text without it arrives letter by letter.
    if text and not set(text) & set("\\'\"[](){},~$=") and text.strip() == text and text.lower() != "null":
        assert override.value() == text


@given(st.lists(WORDS, max_size=2), WORDS)
@settings(max_examples=max(60, settings.default.max_examples // 4))
def test_the_completer_never_fails(before: list[str], word: str) -> None:
    for one in candidates(before, word=word):
        assert one
