"""What a reader of the results should know of a set of labelled texts, a line each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from dlcourse.text.ragged import Ragged
from dlcourse.text.tokenizers import CJK, TOKENIZERS
from dlcourse.text.vocab import SPECIALS, UNK_ID

FEWEST = 3
"""Texts of a class that can stand in train, validation and test."""
MOST_NAMED = 5
MOST_UNKNOWN = 0.1
MOST_UNCUT = 0.1
"""Share of tokens that hold Chinese or Japanese characters from which on their length is looked at."""
UNCUT_LENGTH = 2.5
"""Such characters in a token; where words stand apart, they have 1.5 to 2 of them on average."""
SAMPLE = 1000
"""Texts that are looked at where all would take long."""


def copy_notes(train: Sequence[str], test: Sequence[str]) -> list[str]:
    """A line if training would see texts that are tested on."""
    known = set(train)
    count = sum(text in known for text in test)
    return [f"{count:,} of the {len(test):,} test texts also stand in train, word for word"] if count else []


def class_notes(labels: Tensor, *, classes: Sequence[str]) -> list[str]:
    """A line if a class has too few texts to stand in every split.

    Args:
        labels: int64 [N], of all texts.
        classes: their names.
    """
    counts = torch.bincount(labels, minlength=len(classes)).tolist()
    small = [f"{name} {count}" for name, count in zip(classes, counts, strict=True) if count < FEWEST]
    if not small:
        return []
    more = f" and {len(small) - MOST_NAMED:,} more" if len(small) > MOST_NAMED else ""
    return [
        f"classes of fewer than {FEWEST} texts, too few for train, validation and test: "
        f"{', '.join(small[:MOST_NAMED])}{more}"
    ]


def empty_notes(parts: Iterable[Ragged]) -> list[str]:
    """A line if documents have no token."""
    lengths = [length for part in parts for length in part.lengths.tolist()]
    count = lengths.count(0)
    return [f"{count:,} of the {len(lengths):,} texts are empty: each is read as one unknown word"] if count else []


def vocabulary_notes(size: int, *, rows: int) -> list[str]:
    """A line if a vocabulary of `size` entries fills less than half of a table of `rows`."""
    marks = len(SPECIALS)
    if size * 2 >= rows or size <= marks:  # without any word a small table is no remedy
        return []
    return [
        f"{size - marks:,} words and {marks} marks in a table of {rows:,} rows; data.max_tokens={size} takes no more"
    ]


def unknown_notes(documents: Ragged) -> list[str]:
    """A line if many tokens of the validation split are unknown."""
    share = float((documents.values == UNK_ID).mean()) if documents.values.size else 0.0
    if share <= MOST_UNKNOWN:
        return []
    return [
        f"{share:.1%} of the tokens to validate on are unknown words: more texts, a larger data.max_tokens or a "
        "smaller data.min_freq make them fewer".replace("%", " %", 1)
    ]


def uncut_notes(texts: Sequence[str], *, tokenizer: str) -> list[str]:
    """A line if a tokenizer by rule leaves many runs of Chinese or Japanese characters whole."""
    split = TOKENIZERS.get(tokenizer)
    if split is None:
        return []
    sample = texts[:: -(-len(texts) // SAMPLE) or 1]
    tokens = [token for text in sample for token in split(text)]
    lengths = [count for token in tokens if not token.isascii() and (count := len(CJK.findall(token)))]
    if len(lengths) <= MOST_UNCUT * len(tokens) or sum(lengths) < UNCUT_LENGTH * len(lengths):
        return []
    return [
        f"{len(lengths) / len(tokens):.0%} of the tokens are runs of Chinese or Japanese characters, which {tokenizer} "
        "does not cut; data.tokenizer=characters makes each a token".replace("%", " %", 1)
    ]
