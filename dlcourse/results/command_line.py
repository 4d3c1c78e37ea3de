"""A command as a person types it in a shell again, from overrides as Hydra writes them down."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from dlcourse.errors import ConfigError


def command_line(words: Iterable[str], *, command: str = "dlcourse train") -> str:
    """The command with these overrides, as a shell takes it."""
    return " ".join([command, *(quoted(unquoted(word)) for word in words)])


def quoted(text: str) -> str:
    """`text` as a shell takes it; letters of any language need no quotes."""
    return shlex.quote(text) if not text or re.search(r"[^\w@%+=:,./-]", text) else text


def unquoted(word: str) -> str:
    """An override without the quotes of Hydra's grammar, where it says the same without: `run='a b'` as `run=a b`."""
    key, _, value = word.partition("=")
    if len(value) < 2 or value[0] not in ("'", '"') or value[0] != value[-1]:
        return word
    from dlcourse.config.overrides import parse  # it imports Hydra, which takes 0.2 s

    try:
        told = parse(word).value()
        plain = f"{key}={told}"
        again = parse(plain).value()
    except ConfigError:
        return word
    return plain if isinstance(told, str) and isinstance(again, str) and again == told else word
