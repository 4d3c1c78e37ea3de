"""From text to tokens by rule, the same tokens as torchtext 0.18 gives, or one for each Chinese character."""

from __future__ import annotations

import re
from collections.abc import Callable

from dlcourse.errors import ConfigError, suggestion

Tokenizer = Callable[[str], list[str]]


def basic_english(text: str) -> list[str]:
    """Lower-case words; each of . , ! ? ( ) ' is a token of its own; double quotes, ; : and `<br />` are dropped.

    As `torchtext.data.utils.get_tokenizer("basic_english")` does with regular expressions. The order counts: a quote
    inside `<br "/>` goes first and leaves a line break.
    """
    return (
        text.lower()
        .replace("'", " ' ")
        .replace('"', "")
        .replace(".", " . ")
        .replace("<br />", " ")
        .replace(",", " , ")
        .replace("(", " ( ")
        .replace(")", " ) ")
        .replace("!", " ! ")
        .replace("?", " ? ")
        .replace(";", " ")
        .replace(":", " ")
        .split()
    )


CJK = re.compile(
    # Radicals and CJK punctuation, kana and bopomofo, Han, full-width punctuation, half-width kana, rarer kana and Han.
    "[\u2e80-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\ufe30-\ufe4f"
    "\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff9f\U0001aff0-\U0001b16f\U00020000-\U0003ffff]"
)
"""A character of a script that puts no space between words, or of its punctuation; Korean is written with spaces."""


def characters(text: str) -> list[str]:
    """Each Chinese or Japanese character and punctuation mark; everything between them is cut at white space."""
    return CJK.sub(r" \g<0> ", text).split()


TOKENIZERS: dict[str, Tokenizer] = {"basic_english": basic_english, "words": str.split, "characters": characters}
"""By name: `words` cuts at white space only, as torchtext's `get_tokenizer(None)`."""


def get_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of that name, "basic_english", "words" or "characters".

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in TOKENIZERS:
        raise ConfigError(f"no tokenizer is called '{name}'{suggestion(name, TOKENIZERS)}")
    return TOKENIZERS[name]
