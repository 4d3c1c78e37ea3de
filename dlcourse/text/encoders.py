"""From text to ids and back by words or subwords: what a run keeps as `vocabulary.json`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice, repeat
from typing import Protocol

import numpy as np

from dlcourse.errors import ConfigError, suggestion
from dlcourse.text.bpe import BpeEncoder, NotInstalled
from dlcourse.text.ragged import Ragged
from dlcourse.text.stored import read_back, read_tokens, unreadable, written
from dlcourse.text.tokenizers import TOKENIZERS, get_tokenizer
from dlcourse.text.vocab import PAD, SPECIALS, UNK, UNK_ID, Vocab, build_vocab_from_iterator

CHUNK = 1000
"""Texts that are looked up in one go: enough to make the calls cheap, few enough to stay in the cache."""


class Encoder(Protocol):
    """Text to ids: 0 is padding, which no text can make, and 1 is an unknown piece."""

    @property
    def size(self) -> int:
        """Ids run from 0 to below this."""
        ...

    def pieces(self, text: str) -> list[str]:
        """The words or subwords of a text, as they are shown to people."""
        ...

    def ids(self, pieces: Iterable[str]) -> list[int]:
        """One id for each piece."""
        ...

    def encode(self, text: str) -> list[int]:
        """The ids of a text: `ids(pieces(text))`."""
        ...

    def encode_all(self, texts: Iterable[str]) -> Ragged:
        """The ids of many texts, faster than one by one."""
        ...

    def token(self, index: int) -> str:
        """The piece of an id; IndexError if there is no such id."""
        ...

    def to_json(self) -> str:
        """Everything that `read_encoder` needs, as UTF-8 text."""
        ...


class WordEncoder:
    """Words by rule, ids by a vocabulary.

    Args:
        tokenizer: "basic_english", "words" or "characters".
        vocab: begins with `<pad>` and `<unk>`; it is copied.

    Raises:
        ConfigError: there is no such tokenizer.
    """

    kind = "words"

    def __init__(self, tokenizer: str, vocab: Vocab) -> None:
        self._split = get_tokenizer(tokenizer)
        self._name = tokenizer
        self._tokens = vocab.get_itos()
        if self._tokens[: len(SPECIALS)] != list(SPECIALS):
            raise ValueError(f"vocab must begin with {PAD} and {UNK}, not {self._tokens[: len(SPECIALS)]}")
        # a text that says "<pad>" must not make padding, which the model would not read
        self._ids = vocab.get_stoi() | {PAD: UNK_ID}

    @classmethod
    def build(cls, texts: Iterable[str], *, tokenizer: str, max_tokens: int, min_freq: int) -> WordEncoder:
        """With the most frequent words of `texts`; arguments as for `build_encoder`."""
        tokens = map(get_tokenizer(tokenizer), texts)
        vocab = build_vocab_from_iterator(tokens, min_freq=min_freq, specials=SPECIALS, max_tokens=max_tokens)
        return cls(tokenizer, vocab)

    @classmethod
    def of_plain(cls, plain: Mapping[str, object]) -> WordEncoder:
        """From what `to_json` wrote, once it is parsed; ValueError, RuntimeError or ConfigError if it is damaged."""
        tokenizer = plain.get("tokenizer")
        if not isinstance(tokenizer, str):
            raise ValueError("its tokenizer is not a name")  # noqa: TRY004  a damaged file, not a wrong call
        return cls(tokenizer, Vocab(read_tokens(plain)))

    @property
    def size(self) -> int:
        """How many tokens, the two specials included."""
        return len(self._tokens)

    def pieces(self, text: str) -> list[str]:
        """The words of a text."""
        return self._split(text)

    def ids(self, pieces: Iterable[str]) -> list[int]:
        """One id for each word."""
        return list(map(self._ids.get, pieces, repeat(UNK_ID)))

    def encode(self, text: str) -> list[int]:
        """The ids of a text."""
        return self.ids(self._split(text))

    def encode_all(self, texts: Iterable[str]) -> Ragged:
        """The ids of many texts."""
        parts: list[Ragged] = []
        remaining = iter(texts)
        while chunk := list(islice(remaining, CHUNK)):
            words: list[str] = []
            ends = [0]
            for text in chunk:
                words += self._split(text)
                ends.append(len(words))
            values = np.fromiter(map(self._ids.get, words, repeat(UNK_ID)), dtype=np.int32, count=len(words))
            parts.append(Ragged(values, np.array(ends, dtype=np.int64)))
        return Ragged.join(parts)

    def token(self, index: int) -> str:
        """The word of an id."""
        if not 0 <= index < len(self._tokens):
            raise IndexError(f"id {index} of {len(self._tokens)}")
        return self._tokens[index]

    def to_json(self) -> str:
        """The tokenizer's name and the tokens in the order of their ids."""
        return written(self.kind, {"tokenizer": self._name, "tokens": self._tokens})


def build_encoder(texts: Iterable[str], *, tokenizer: str, max_tokens: int, min_freq: int) -> Encoder:
    """An encoder made for these texts.

    Args:
        texts: what the vocabulary is made from, and nothing that is to be tested on.
        tokenizer: "basic_english", "words", "characters" or "bpe".
        max_tokens: the most ids there may be, `<pad>` and `<unk>` included.
        min_freq: how often a word (bpe: a pair that becomes one) must occur to get an id.

    Raises:
        ConfigError: there is no such tokenizer, or the library behind it is not installed.
    """
    if tokenizer not in BUILDERS:
        raise ConfigError(f"no tokenizer is called '{tokenizer}'{suggestion(tokenizer, BUILDERS)}")
    if max_tokens <= len(SPECIALS):
        raise ValueError(f"max_tokens must be more than {len(SPECIALS)}, for {PAD} and {UNK} are among them")
    if min_freq < 1:
        raise ValueError(f"min_freq must be at least 1, not {min_freq}")
    return BUILDERS[tokenizer](texts, max_tokens=max_tokens, min_freq=min_freq)


BUILDERS: dict[str, Callable[..., Encoder]] = {
    **{name: partial(WordEncoder.build, tokenizer=name) for name in TOKENIZERS},
    "bpe": BpeEncoder.build,
}
"""By the name of the tokenizer."""

READERS: dict[str, Callable[[Mapping[str, object]], Encoder]] = {
    WordEncoder.kind: WordEncoder.of_plain,
    BpeEncoder.kind: BpeEncoder.of_plain,
}
"""By what the file says it is."""


def read_encoder(text: str) -> Encoder:
    """The encoder that `to_json` wrote.

    Raises:
        CheckpointError: the text is damaged or something else.
        ConfigError: the library behind the encoder is not installed.
    """
    parts = read_back(text)
    reader = READERS.get(str(parts.get("kind")))
    if reader is None:
        raise unreadable(f"it is of no kind that is known ({', '.join(READERS)})")
    try:
        return reader(parts)
    except NotInstalled:
        raise
    except (ValueError, RuntimeError, ConfigError) as error:
        raise unreadable(str(error)) from error
