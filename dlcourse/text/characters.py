"""Poems as characters: a token for their form, their characters and punctuation, a token for their end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat

import numpy as np

from dlcourse.text.ragged import Ragged
from dlcourse.text.stored import read_back, read_tokens, unreadable, written
from dlcourse.text.vocab import PAD, SPECIALS, UNK_ID

KIND = "characters"
OTHER = "other"
"""The form of a poem that has none of the four."""
FORM_IDS: Mapping[str, int] = {"5jue": 2, "7jue": 3, "5lv": 4, "7lv": 5, OTHER: 6}
"""The token that a poem of each form begins with."""
EOP = "<eop>"
EOP_ID = 7
"""The token that a poem ends with."""
PUNCTUATION = ("，", "。")
COMMA_ID, STOP_ID = 8, 9
"""Behind odd and behind even lines."""
RESERVED = (*SPECIALS, *(f"<{form}>" for form in FORM_IDS), EOP, *PUNCTUATION)
"""The first tokens of every vocabulary of this kind; all tokens behind them are single characters."""


class CharacterEncoder:
    """Characters to ids and back; what a text says never becomes padding, a form or an end.

    Args:
        tokens: in the order of their ids, the reserved ones first.

    Raises:
        ValueError: they begin with others, one is no single character, or one occurs twice.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = list(tokens)
        if tuple(self._tokens[: len(RESERVED)]) != RESERVED:
            raise ValueError(f"tokens must begin with {' '.join(RESERVED)}")
        if longer := [token for token in self._tokens[len(RESERVED) :] if len(token) != 1]:
            raise ValueError(f"tokens must be single characters, not {longer[0]!r}")
        self._ids = {token: index for index, token in enumerate(self._tokens) if len(token) == 1}
        if len(self._ids) != len(self._tokens) - COMMA_ID:
            twice, _ = Counter(self._tokens).most_common(1)[0]
            raise ValueError(f"tokens must differ, but {twice!r} occurs twice")

    @classmethod
    def build(cls, texts: Iterable[str], *, max_tokens: int, min_freq: int) -> CharacterEncoder:
        """With the most frequent characters of `texts`, equally frequent ones by code points.

        Args:
            texts: what the vocabulary is made from, and nothing that is to be tested on.
            max_tokens: most ids, the reserved ones included.
            min_freq: how often a character must occur to get an id.
        """
        check_vocabulary(max_tokens=max_tokens, min_freq=min_freq)
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        ranked = sorted((-count, char) for char, count in counts.items() if count >= min_freq)
        chars = [char for _, char in ranked if char not in PUNCTUATION]
        return cls([*RESERVED, *chars[: max_tokens - len(RESERVED)]])

    @property
    def size(self) -> int:
        """Ids run from 0 to below this."""
        return len(self._tokens)

    def pieces(self, text: str) -> list[str]:
        """The characters of a text."""
        return list(text)

    def ids(self, pieces: Iterable[str]) -> list[int]:
        """One id for each character."""
        return list(map(self._ids.get, pieces, repeat(UNK_ID)))

    def encode(self, text: str) -> list[int]:
        """One id for each character of a text; form and end are not added."""
        return self.ids(text)

    def encode_all(self, texts: Iterable[str]) -> Ragged:
        """The ids of many texts."""
        kept = list(texts)
        offsets = np.zeros(len(kept) + 1, dtype=np.int64)
        np.cumsum([len(text) for text in kept], out=offsets[1:])
        return Ragged(np.array(self.ids("".join(kept)), dtype=np.int32), offsets)

    def token(self, index: int) -> str:
        """The character or special token of an id; IndexError if there is no such id."""
        if not 0 <= index < len(self._tokens):
            raise IndexError(f"id {index} of {len(self._tokens)}")
        return self._tokens[index]

    def to_json(self) -> str:
        """The tokens in the order of their ids, for `read_characters`."""
        return written(KIND, {"tokens": self._tokens})


def read_characters(text: str) -> CharacterEncoder:
    """The encoder that `to_json` wrote.

    Raises:
        CheckpointError: the text is damaged or something else.
    """
    parts = read_back(text)
    if parts.get("kind") != KIND:
        raise unreadable(f"it is of the kind {str(parts.get('kind'))!r}, not '{KIND}'")
    try:
        return CharacterEncoder(read_tokens(parts))
    except ValueError as error:
        raise unreadable(str(error)) from error


def check_vocabulary(*, max_tokens: int, min_freq: int) -> None:
    """Raise ValueError if no vocabulary of characters could be made so."""
    if max_tokens <= len(RESERVED):
        raise ValueError(
            f"max_tokens must be more than {len(RESERVED)}, for {PAD} and other marks take as many, not {max_tokens}"
        )
    if min_freq < 1:
        raise ValueError(f"min_freq must be 1 or more, not {min_freq}")
