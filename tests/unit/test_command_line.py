"""Commands that are shown are what a shell takes, and mean what the run was told."""

from __future__ import annotations

import shlex
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.config.overrides import parse
from dlcourse.results.command_line import command_line, quoted, unquoted

LETTERS = string.ascii_letters + string.digits + " '\"\\=,:$&()[]{}~*#!+-诗é"


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("model=resnet18", "model=resnet18"),
        ("data.root='/a b'", "'data.root=/a b'"),
        ('data.root="/a b"', "'data.root=/a b'"),
        ("run='runs/课程=1'", "run=runs/课程=1"),
        ("note='it\\'s'", "'note=it'\"'\"'s'"),
        ("tag='1'", "'tag='\"'\"'1'\"'\"''"),  # without them it would be a number
        ("tag='null'", "'tag='\"'\"'null'\"'\"''"),
        ("files=['a b','c']", "'files=['\"'\"'a b'\"'\"','\"'\"'c'\"'\"']'"),
        ("~model.stem", "'~model.stem'"),
        ("note='", "'note='\"'\"''"),  # no override at all, and shown as it stands
    ],
)
def test_an_override_is_shown_without_the_quotes_that_only_hydra_needs(word: str, shown: str) -> None:
    assert command_line([word]) == f"dlcourse train {shown}"


@given(st.lists(st.text(LETTERS), max_size=3), st.sampled_from("'\""))
def test_what_is_typed_again_means_the_same(values: list[str], quote: str) -> None:
    escaped = [value.replace("\\", "\\\\").replace(quote, f"\\{quote}") for value in values]
    words = [f"note={quote}{value}{quote}" for value in escaped]
    typed = shlex.split(command_line(words, command="dlcourse sweep"))
    assert typed[:2] == ["dlcourse", "sweep"]
    assert [parse(word).value() for word in typed[2:]] == [parse(word).value() for word in words]


def test_a_name_that_is_nothing_is_still_a_word() -> None:
    assert shlex.split(f"ls {quoted('')}") == ["ls", ""]
    assert unquoted("note=''") == "note="
