"""Subwords by byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909), through Hugging Face's tokenizers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice, repeat
from typing import Any

from dlcourse.errors import ConfigError
from dlcourse.text.ragged import Ragged
from dlcourse.text.stored import written
from dlcourse.text.vocab import PAD, SPECIALS, UNK, UNK_ID

CHUNK = 1000
"""Texts that the library gets in one go."""


class NotInstalled(ConfigError):
    """A library that is an extra of ours is not there."""


class BpeEncoder:
    """Lower-case words cut into subwords; `▁` stands where a word begins, punctuation is a word of its own.

    Args:
        vocab: pieces to ids, `<pad>` 0 and `<unk>` 1.
        merges: the pairs of pieces that become one, first the one to be tried first.

    Raises:
        NotInstalled: Hugging Face's tokenizers is not there.
    """

    kind = "bpe"

    def __init__(self, vocab: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> None:
        self._tokens = [token for token, _ in sorted(vocab.items(), key=lambda entry: entry[1])]
        if [vocab[token] for token in self._tokens] != list(range(len(vocab))):
            raise ValueError(f"vocab must number its {len(vocab)} pieces from 0 on")
        if self._tokens[: len(SPECIALS)] != list(SPECIALS):
            raise ValueError(f"vocab must begin with {PAD} and {UNK}, not {self._tokens[: len(SPECIALS)]}")
        # The library would stop the whole program ("panic") at a merge that makes too long a piece.
        if lost := [pair for pair in merges if not {*pair, "".join(pair)} <= vocab.keys()]:
            raise ValueError(f"merges must join pieces of vocab to a piece of vocab, unlike {lost[0]}")
        self._ids = {**vocab, PAD: UNK_ID}
        # The specials are no "added tokens" of the library: it would find them in what a user writes.
        self._tokenizer = _tokenizer(vocab, merges)

    @classmethod
    def build(cls, texts: Iterable[str], *, max_tokens: int, min_freq: int) -> BpeEncoder:
        """With the most frequent pairs of `texts`; arguments as for `build_encoder`."""
        library = _library()
        trainer = library.trainers.BpeTrainer(
            vocab_size=max_tokens,
            min_frequency=min_freq,
            special_tokens=list(SPECIALS),
            limit_alphabet=max_tokens - len(SPECIALS),  # the library would keep every letter, whatever the size
            show_progress=False,
        )
        tokenizer = _tokenizer({}, [])
        tokenizer.train_from_iterator(map(_plain, texts), trainer)
        return cls.of_plain({"tokenizer": json.loads(tokenizer.to_str())})

    @classmethod
    def of_plain(cls, plain: Mapping[str, object]) -> BpeEncoder:
        """From what `to_json` wrote, once it is parsed: the pieces and the merges; all else is the same for all.

        Raises:
            ValueError: it is damaged.
            NotInstalled: Hugging Face's tokenizers is not there.
        """
        model = _of(_of(plain, "tokenizer", dict), "model", dict)
        vocab, merges = _of(model, "vocab", dict), _of(model, "merges", list)
        if not all(type(index) is int for index in vocab.values()):
            raise ValueError("an id is not a whole number")
        if not all(isinstance(pair, list) and list(map(type, pair)) == [str, str] for pair in merges):
            raise ValueError("a merge is not a pair of pieces")
        pairs = [(first, second) for first, second in merges]
        return cls(vocab, pairs)

    @property
    def size(self) -> int:
        """How many pieces, the two specials included."""
        return len(self._tokens)

    def pieces(self, text: str) -> list[str]:
        """The subwords of a text."""
        return self._tokenizer.encode(_plain(text)).tokens

    def ids(self, pieces: Iterable[str]) -> list[int]:
        """One id for each subword."""
        return list(map(self._ids.get, pieces, repeat(UNK_ID)))

    def encode(self, text: str) -> list[int]:
        """The ids of a text."""
        return self._tokenizer.encode(_plain(text)).ids

    def encode_all(self, texts: Iterable[str]) -> Ragged:
        """The ids of many texts; each distinct word is cut only once."""
        known: dict[str, list[int]] = {}
        parts: list[Ragged] = []
        remaining = map(_words, texts)
        while chunk := list(islice(remaining, CHUNK)):
            new = list({word for words in chunk for word in words}.difference(known))
            found = self._tokenizer.encode_batch_fast(new)
            known |= zip(new, (cut.ids for cut in found), strict=True)
            parts.append(Ragged.of([list(chain.from_iterable(map(known.__getitem__, words))) for words in chunk]))
        return Ragged.join(parts)

    def token(self, index: int) -> str:
        """The piece of an id."""
        if not 0 <= index < len(self._tokens):
            raise IndexError(f"id {index} of {len(self._tokens)}")
        return self._tokens[index]

    def to_json(self) -> str:
        """The library's own description, which its `Tokenizer.from_str` reads too."""
        return written(self.kind, {"tokenizer": json.loads(self._tokenizer.to_str())})


def _tokenizer(vocab: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> Any:
    library = _library()
    try:
        model = library.models.BPE(vocab=dict(vocab), merges=list(merges), unk_token=UNK, fuse_unk=True)
    except Exception as error:  # the library raises nothing more special
        raise ValueError(f"vocab and merges are refused by tokenizers: {error}") from error
    tokenizer = library.Tokenizer(model)
    normalizers, cut = library.normalizers, library.pre_tokenizers
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace("<br />", " "), normalizers.NFC(), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = cut.Sequence(
        [cut.WhitespaceSplit(), cut.Punctuation("isolated"), cut.Metaspace(prepend_scheme="always", split=False)]
    )
    return tokenizer


def _library() -> Any:
    try:
        import tokenizers  # its submodules come with it
    except ImportError as error:
        raise NotInstalled(
            "the tokenizer 'bpe' needs Hugging Face's tokenizers, which is not installed; "
            'pip install "dlcourse[bpe]", or choose basic_english'
        ) from error
    return tokenizers


def _words(text: str) -> list[str]:
    """Cut at white space; what the library makes of a text is what it makes of these, one after the other."""
    # The library takes no half characters (lone surrogates, from undecodable arguments).
    whole = text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
    return whole.replace("<br />", " ").split()


def _plain(text: str) -> str:
    """The same as one text, in which white space means to the library what it means to Python."""
    return " ".join(_words(text))


def _of(parts: Mapping[str, object], name: str, kind: type) -> Any:
    """The entry `name`, which must be of that kind."""
    if not isinstance(parts.get(name), kind):
        raise ValueError(f"its {name} is no {kind.__name__}")  # noqa: TRY004  a damaged file, not a wrong call
    return parts[name]
