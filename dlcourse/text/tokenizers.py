"""From text to tokens by rule, the same tokens as torchtext 0.18 gives."""

from __future__ import annotations

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


TOKENIZERS: dict[str, Tokenizer] = {"basic_english": basic_english, "words": str.split}
"""By name: `words` cuts at white space only, as torchtext's `get_tokenizer(None)`."""


def get_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of that name, "basic_english" or "words".

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in TOKENIZERS:
        raise ConfigError(f"no tokenizer is called '{name}'{suggestion(name, TOKENIZERS)}")
    return TOKENIZERS[name]
