"""The words and signs of a condition on runs, each with the place where it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dlcourse.errors import ConfigError

TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>'[^']*'|"[^"]*")|(?P<sign>==|!=|<=|>=|<|>|=|~)|(?P<mark>[()\[\],])|(?P<word>[^\s()\[\],'"=!<>~]+))"""
)
NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|min|m|h|d)")
SECONDS: Mapping[str, float] = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
LITERALS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None, "none": None}


@dataclass(frozen=True)
class Word:
    """A piece of a condition: text in quotes, a sign, a bracket or comma, or any other word."""

    kind: Literal["quoted", "sign", "mark", "word"]
    text: str
    at: int

    def value(self, name: str) -> object:
        """What it says as the value of `name`: a number, true, false, null, seconds (of time) or text.

        Raises:
            ConfigError: it is to be a time, and is none.
        """
        if name == "time" and (told := DURATION.fullmatch(self.text)):
            return float(told[1]) * SECONDS[told[2]]
        if self.kind == "quoted" and name != "time":
            return self.text
        if self.text.lower() in LITERALS:
            return LITERALS[self.text.lower()]
        if NUMBER.fullmatch(self.text):
            return int(self.text) if self.text.lstrip("+-").isdecimal() else float(self.text)
        if name == "time" and not self.text.startswith(("test.", "val.")):
            raise ConfigError(f"where: {self.text} is no time; write it as 2h, 5m or 30s, or in seconds")
        return self.text


def split_words(text: str) -> list[Word]:
    """Every piece of a condition, in order.

    Raises:
        ConfigError: a character stands where none can, such as a quote that is never closed.
    """
    found: list[Word] = []
    at = 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if match is None:
            rest = text[at:].strip()
            raise ConfigError(f"where: {rest[:20]!r} cannot stand there; a text in quotes ends with the quote it began")
        kind, piece = next((kind, piece) for kind, piece in match.groupdict().items() if piece is not None)
        found.append(Word(kind, piece[1:-1] if kind == "quoted" else piece, match.start(kind)))  # type: ignore[arg-type]
        at = match.end()
    return found
