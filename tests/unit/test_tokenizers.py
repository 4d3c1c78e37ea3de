"""The tokenizers give torchtext's tokens: recorded ones, and those of its documented rules."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.errors import ConfigError
from dlcourse.text.tokenizers import CJK, basic_english, characters, get_tokenizer

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "torchtext.json").read_text(encoding="utf-8"))
RULES = ((r"\'", " ' "), (r"\"", ""), (r"\.", " . "), (r"<br \/>", " "), (r",", " , "), (r"\(", " ( "), (r"\)", " ) "),
         (r"\!", " ! "), (r"\?", " ? "), (r"\;", " "), (r"\:", " "), (r"\s+", " "))  # fmt: skip
PIECES = st.sampled_from([*" .,!?()'\";:<>/", "<br />", "br", " />", "\x1c", "\x85", "\u3000", "\u200b", "Σ", "İ", "ẞ"])


def pairs(name: str) -> list[Any]:
    """The recorded texts with their recorded tokens."""
    return [pytest.param(*pair, id=ascii(pair[0])) for pair in zip(GOLDEN["strings"], GOLDEN[name], strict=True)]


def by_expressions(text: str) -> list[str]:
    text = text.lower()
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    return text.split()


@pytest.mark.parametrize(("text", "tokens"), pairs("tokens"))
def test_basic_english_gives_the_tokens_recorded_from_torchtext(text: str, tokens: list[str]) -> None:
    assert get_tokenizer("basic_english")(text) == tokens


@pytest.mark.parametrize(("text", "tokens"), pairs("none_split"))
def test_words_are_what_torchtext_gives_without_a_tokenizer(text: str, tokens: list[str]) -> None:
    assert get_tokenizer("words")(text) == tokens


def test_a_sentence_by_hand() -> None:
    tokens = basic_english('It isn\'t "good":<br />GREAT!')
    assert tokens == ["it", "isn", "'", "t", "good", "great", "!"]


def test_characters_stand_alone_and_words_between_them_stay_whole() -> None:
    tokens = characters("这部iPhone电影，Really good!\u3000すごい 영화 좋다、𠮷野家 ２０")
    assert tokens == [*"这部", "iPhone", *"电影，", "Really", "good!", *"すごい", "영화", "좋다", *"、𠮷野家", "２０"]
    assert get_tokenizer("characters") is characters


@given(st.text(st.characters() | st.sampled_from("好 。ーアａ")))
def test_characters_are_words_where_no_such_character_stands(text: str) -> None:
    names = ("CJK", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC", "BOPOMOFO")
    tokens = characters(text)
    assert "".join(tokens) == "".join(text.split()), "nothing is lost"
    if not CJK.search(text):
        assert tokens == text.split()
    assert all(len(token) == 1 or not any(unicodedata.name(char, "").startswith(names) for char in token)
               for token in tokens)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=3)).map("".join))
def test_replacing_by_strings_is_replacing_by_torchtexts_expressions(text: str) -> None:
    assert basic_english(text) == by_expressions(text)


@given(st.text())
def test_tokens_are_neither_empty_nor_hold_white_space(text: str) -> None:
    assert all(token and token.split() == [token] for token in basic_english(text))


def test_an_unknown_tokenizer_gets_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"no tokenizer is called 'basic_englsh'; did you mean 'basic_english'\?"):
        get_tokenizer("basic_englsh")
