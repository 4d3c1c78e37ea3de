"""What the sets of poems share: checks of their settings, the cut into splits, the vocabulary, the token ids."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from dlcourse.data.base import DataSet, Splits
from dlcourse.data.folds import read_fold
from dlcourse.data.image_set import TEST_SEED, fraction
from dlcourse.data.poem_cleaning import Poem
from dlcourse.data.poems import PoemSplit, check_window
from dlcourse.data.split import stratified
from dlcourse.data.text_set import VOCABULARY
from dlcourse.errors import DataError
from dlcourse.text.characters import EOP_ID, FORM_IDS, PUNCTUATION, RESERVED, CharacterEncoder, check_vocabulary
from dlcourse.text.ragged import Ragged
from dlcourse.verse.forms import FORMS

MARKS = 2
"""Tokens that a poem has beside its characters and punctuation: form and end."""
LONGEST_FORM = MARKS + max(form.positions + form.lines for form in FORMS.values())
"""Tokens of a poem of the longest form."""
FEWEST = 3
"""Poems of a form that can stand in train, validation and test."""


class PoemSet(DataSet):
    """A set of poems that is read at once; a kind of it reads them."""

    gives: ClassVar[str] = "poems"

    def __init__(
        self,
        *,
        val_fraction: float,
        test_fraction: float,
        split_seed: int,
        fold: str | None = None,
        max_tokens: int,
        min_freq: int,
        max_length: int,
        bucket: bool,
        stream: bool,
        window: int,
    ) -> None:
        check_vocabulary(max_tokens=max_tokens, min_freq=min_freq)
        check_window(window)
        if max_length < LONGEST_FORM:
            raise ValueError(f"max_length must be {LONGEST_FORM} tokens, a 7lv with its marks, or more: {max_length}")
        self.val_fraction = fraction(val_fraction, name="val_fraction")
        self.fold = read_fold(fold)
        self.test_fraction = fraction(test_fraction, name="test_fraction")
        self.split_seed = split_seed
        self.max_tokens = max_tokens
        self.min_freq = min_freq
        self.max_length = max_length
        self.bucket = bucket
        self.stream = stream
        self.window = window
        self._notes: list[str] = []

    @abstractmethod
    def read(self) -> Sequence[Poem]:
        """All poems, no two of them alike; what is to be said of them goes into `_notes`.

        Raises:
            DataError: a file is missing or damaged.
        """

    def facts(self) -> Mapping[str, object]:
        """The number of ids that the vocabulary may have."""
        return {"vocab_size": self.max_tokens}

    def load(self) -> Splits:
        """Read the poems, cut them, make the vocabulary from the training poems, encode everything."""
        self._notes = []
        poems = self.read()
        labels = torch.tensor([FORM_IDS[poem.form] for poem in poems], dtype=torch.int64)
        rest, test = stratified(labels, self.test_fraction, seed=TEST_SEED)
        share = self.fold or self.val_fraction
        train, val = (rest[part] for part in stratified(labels[rest], share, seed=self.split_seed))
        if not len(val) or not len(test):
            count = f"{len(poems)} poem{'s' if len(poems) > 1 else ''}"
            raise DataError(
                f"{count} cannot be cut into train, validation and test: give {FEWEST} or more of one form, and some "
                "hundreds for a model that learns from them"
            )
        texts = [poems[index].text for index in train.tolist()]
        encoder = CharacterEncoder.build(texts, max_tokens=self.max_tokens, min_freq=self.min_freq)
        self._notes += vocabulary_notes(encoder.size, rows=self.max_tokens)

        def split(part: Tensor, *, max_length: int | None) -> PoemSplit:
            return self._split([poems[index] for index in part.tolist()], encoder=encoder, max_length=max_length)

        return Splits(
            train=split(train, max_length=None if self.stream else self.max_length),  # a stream is cut anyway
            val=split(val, max_length=self.max_length),
            test=split(test, max_length=self.max_length),
            keepsakes={VOCABULARY: encoder.to_json()},
        )

    def notes(self) -> list[str]:
        """What was left out, and whether the table of characters is much too large."""
        return self._notes

    def _split(self, poems: Sequence[Poem], *, encoder: CharacterEncoder, max_length: int | None) -> PoemSplit:
        """Each poem whole, or in pieces of at most `max_length` tokens; only the last piece of a poem has its end."""
        cut = [
            (piece, poem, last)
            for poem in poems
            for piece, last in pieces(poem.text, limit=None if max_length is None else max_length - MARKS)
        ]
        documents = [
            [FORM_IDS[poem.form], *encoder.encode(piece), *([EOP_ID] if last else [])] for piece, poem, last in cut
        ]
        return PoemSplit(
            documents=Ragged.of(documents),
            texts=[piece for piece, _, _ in cut],
            forms=[poem.form for _, poem, _ in cut],
            encoder=encoder,
            titles=[poem.title for _, poem, _ in cut],
            bucket=self.bucket,
            stream=self.stream,
            window=self.window,
        )


def vocabulary_notes(size: int, *, rows: int) -> list[str]:
    """A line if a vocabulary of `size` entries fills less than half of a table of `rows`."""
    if size * 2 >= rows:
        return []
    marks = len(RESERVED)
    return [
        f"{size - marks:,} characters and {marks} marks in a table of {rows:,} rows; "
        f"data.max_tokens={max(size, marks + 1)} takes no more"
    ]


def pieces(text: str, *, limit: int | None) -> list[tuple[str, bool]]:
    """A text in pieces of at most `limit` characters, cut behind 。 or else ，, each with whether it is the last."""
    found: list[tuple[str, bool]] = []
    comma, stop = PUNCTUATION
    while limit is not None and len(text) > limit:
        end = text.rfind(stop, 0, limit) + 1 or text.rfind(comma, 0, limit) + 1 or limit
        found.append((text[:end], False))
        text = text[end:]
    return [*found, (text, True)]
