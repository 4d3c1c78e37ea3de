"""Which tensors of a model belong to the words of a vocabulary, and which rows of another run's are of the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from dlcourse.errors import CheckpointError, ConfigError
from dlcourse.models.ngrams import NgramBag
from dlcourse.text.kept import kept_tokens
from dlcourse.text.vocab import SPECIALS
from dlcourse.training.state import is_plain


class Vocabulary(Protocol):
    """What made the ids of a text."""

    @property
    def size(self) -> int:
        """Ids run from 0 to below this."""
        ...

    def token(self, index: int) -> str:
        """The piece of an id."""
        ...

    def to_json(self) -> str:
        """All of it, in one text."""
        ...


class Bound(NamedTuple):
    """The names of a model's tensors that mean something under one vocabulary only.

    Args:
        tables: those with one row for each token, which the other run has, too, if not with as many.
        others: those that hash ids, or whose rows may be of tokens or not.
        their_rows: how many rows the other run's tables have; None without tables.
    """

    tables: list[str]
    others: list[str]
    their_rows: int | None


class Pairs(NamedTuple):
    """The rows, int64 [M] each, that are of the same tokens here and there; of how many tokens, marks left out."""

    ours: Tensor
    theirs: Tensor
    known: int
    total: int


def bound_to_words(model: nn.Module, weights: Mapping[str, Any], *, size: int) -> Bound:
    """What copying `weights` into `model` would give to words, by the layers that hold it.

    The first `nn.Embedding` with room for the vocabulary is the table; with as many rows, other embeddings and
    parameters that no layer of torch holds (an output table, an output bias) have one for each token, too. A layer of
    torch with as many rows, but a recurrent one, may score tokens or be as wide by chance: that is not known.

    Args:
        model: what is started.
        weights: another run's, by name.
        size: of the vocabulary, which may be smaller than the table.
    """
    table = next(
        (
            name
            for name, module in model.named_modules()
            if isinstance(module, nn.Embedding) and module.num_embeddings >= size
        ),
        None,
    )
    own = model.state_dict()
    owners = {name: model.get_submodule(name.rpartition(".")[0]) for name in own}
    hashed = [name for name, owner in owners.items() if isinstance(owner, NgramBag)]
    if table is None:
        return Bound([], hashed, None)
    name_of_table = f"{table}.weight".lstrip(".")
    rows = len(own[name_of_table])
    there = weights.get(name_of_table)
    their_rows = len(there) if isinstance(there, Tensor) and there.ndim else rows
    tables: list[str] = []
    unclear: list[str] = []
    for name, owner in owners.items():
        if isinstance(owner, NgramBag) or not _like(own[name], weights.get(name), rows=rows, their_rows=their_rows):
            continue
        if isinstance(owner, nn.Embedding) or not type(owner).__module__.startswith("torch."):
            tables.append(name)
        elif rows == their_rows and not isinstance(owner, nn.RNNBase):
            unclear.append(name)
    return Bound(tables, hashed + unclear, their_rows)


def _like(own: Tensor, value: object, *, rows: int, their_rows: int) -> bool:
    """Whether a tensor has one row for each row of the table, here and there, and rows that are alike."""
    return (
        isinstance(value, Tensor)
        and is_plain(value)
        and value.dtype == own.dtype
        and own.ndim == value.ndim > 0
        and (len(own), len(value)) == (rows, their_rows)
        and own.shape[1:] == value.shape[1:]
    )


def read_vocabulary(path: Path) -> str | None:
    """What a run kept of its vocabulary; None if it kept nothing.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from error


def pair_rows(encoder: Vocabulary, kept: str, *, rows: int | None, path: Path) -> Pairs:
    """The rows of the tokens that both vocabularies have.

    Args:
        encoder: this run's.
        kept: the other run's, as it was written.
        rows: how many tokens the other run's tables have room for; None is any number.
        path: where that stands.

    Raises:
        CheckpointError: it is damaged.
        ConfigError: it knows fewer than half of this run's tokens, or its library is not installed.
    """
    try:
        places = {token: place for place, token in enumerate(kept_tokens(kept)[:rows])}
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    tokens = [encoder.token(index) for index in range(encoder.size)]
    ours = [index for index, token in enumerate(tokens) if token in places]
    known, total = (sum(index >= len(SPECIALS) for index in part) for part in (ours, range(encoder.size)))
    if known * 2 < total:
        raise ConfigError(
            f"init.run: {path} is another vocabulary, which knows only {known:,} of this run's {total:,} words, fewer "
            "than half; start from a run on similar texts, or with the same data settings (max_tokens, min_freq, "
            "tokenizer)"
        )
    theirs = [places[tokens[index]] for index in ours]
    return Pairs(torch.tensor(ours, dtype=torch.int64), torch.tensor(theirs, dtype=torch.int64), known, total)
