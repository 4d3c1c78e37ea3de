"""Tokens and their ids, by the names, orders and kinds of errors of torchtext 0.18's `torchtext.vocab`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import cast

PAD, UNK = SPECIALS = ("<pad>", "<unk>")
PAD_ID, UNK_ID = 0, 1
"""What every encoder of ours begins with; a `Vocab` may begin with anything."""


class Vocab:
    """Tokens numbered from 0.

    Args:
        tokens: in the order of their ids.
        default_index: what an unknown token becomes; None makes it an error.

    Raises:
        RuntimeError: a token occurs twice.
    """

    def __init__(self, tokens: Iterable[str], *, default_index: int | None = None) -> None:
        self._itos = list(tokens)
        self._stoi = {token: index for index, token in enumerate(self._itos)}
        self._default_index = default_index
        if len(self._stoi) < len(self._itos):
            twice = next(token for index, token in enumerate(self._itos) if self._stoi[token] != index)
            raise RuntimeError(f"Duplicate token found in tokens list: {twice}")

    def __len__(self) -> int:
        return len(self._itos)

    def __contains__(self, token: object) -> bool:
        return token in self._stoi

    def __getitem__(self, token: str) -> int:
        """The token's id, or the default index.

        Raises:
            RuntimeError: the token is unknown and there is no default index.
        """
        index = self._stoi.get(token, self._default_index)
        if index is None:
            raise RuntimeError(f"Token {token} not found and default index is not set")
        return index

    def __call__(self, tokens: Sequence[str]) -> list[int]:
        """The same as `lookup_indices`."""
        return self.lookup_indices(tokens)

    def lookup_indices(self, tokens: Sequence[str]) -> list[int]:
        """The ids of several tokens; errors as for one."""
        found = list(map(self._stoi.get, tokens, repeat(self._default_index)))
        return [self[token] for token in tokens] if None in found else cast(list[int], found)

    def lookup_token(self, index: int) -> str:
        """The token of an id.

        Raises:
            RuntimeError: there is no such id.
        """
        if not 0 <= index < len(self._itos):
            raise RuntimeError(f"Specified index {index} is out of bounds for vocab of size {len(self._itos)}")
        return self._itos[index]

    def lookup_tokens(self, indices: Sequence[int]) -> list[str]:
        """The tokens of several ids; errors as for one."""
        for position, index in enumerate(indices):
            if not 0 <= index < len(self._itos):
                where = f"Specified index {index} at position {position}"
                raise RuntimeError(f"{where} is out of bounds for vocab of size {len(self._itos)}")
        return [self._itos[index] for index in indices]

    def get_itos(self) -> list[str]:
        """All tokens in the order of their ids, a copy."""
        return list(self._itos)

    def get_stoi(self) -> dict[str, int]:
        """Tokens to ids, a copy."""
        return dict(self._stoi)

    def set_default_index(self, index: int | None) -> None:
        """What an unknown token becomes from now on; None makes it an error again."""
        self._default_index = index

    def get_default_index(self) -> int | None:
        """What an unknown token becomes."""
        return self._default_index

    def insert_token(self, token: str, index: int) -> None:
        """Put a new token at `index`; the ids from there on grow by one, the default index does not.

        Raises:
            RuntimeError: the token is there already, or `index` is not from 0 to the vocabulary's size.
        """
        if not 0 <= index <= len(self._itos):
            raise RuntimeError(f"Specified index {index} is out of bounds for vocab of size {len(self._itos)}")
        self._must_be_new(token)
        self._itos.insert(index, token)
        self._stoi = {token: index for index, token in enumerate(self._itos)}

    def append_token(self, token: str) -> None:
        """Put a new token at the end.

        Raises:
            RuntimeError: the token is there already.
        """
        self._must_be_new(token)
        self._stoi[token] = len(self._itos)
        self._itos.append(token)

    def _must_be_new(self, token: str) -> None:
        if token in self._stoi:
            raise RuntimeError(f"Token {token} already exists in the Vocab with index: {self._stoi[token]}")


def vocab(
    ordered_dict: Mapping[str, int],
    *,
    min_freq: int = 1,
    specials: Sequence[str] | None = None,
    special_first: bool = True,
) -> Vocab:
    """A vocabulary in the order of the mapping.

    Args:
        ordered_dict: tokens to how often they occur.
        min_freq: rarer tokens are left out.
        specials: tokens that are there in any case, in this order.
        special_first: whether they come before all others, or after them.
    """
    special = list(specials or ())
    apart = set(special)
    tokens = [token for token, count in ordered_dict.items() if count >= min_freq and token not in apart]
    return Vocab([*special, *tokens] if special_first else [*tokens, *special])


def build_vocab_from_iterator(
    iterator: Iterable[Iterable[str]],
    *,
    min_freq: int = 1,
    specials: Sequence[str] | None = None,
    special_first: bool = True,
    max_tokens: int | None = None,
) -> Vocab:
    """A vocabulary of the tokens in `iterator`, most frequent first, equally frequent ones by code points.

    Args:
        iterator: the tokens of each text.
        min_freq: rarer tokens are left out.
        specials: tokens that are there in any case, in this order.
        special_first: whether they come before all others, or after them.
        max_tokens: the most tokens there may be, specials included; a special that is also among the most frequent
            words of the text costs its place, as in torchtext.

    Raises:
        AssertionError: `max_tokens` leaves no room beside the specials.
    """
    counts: Counter[str] = Counter()
    for tokens in iterator:
        counts.update(tokens)
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    if max_tokens is not None:
        room = max_tokens - len(specials or ())
        if room <= 0:
            raise AssertionError("len(specials) >= max_tokens, so the vocab will be entirely special tokens.")
        ranked = ranked[:room]
    return vocab(dict(ranked), min_freq=min_freq, specials=specials, special_first=special_first)
