"""What the sets of documents share: checks of their settings, the validation cut, the vocabulary, the splits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from dlcourse.data.base import DataSet, Splits
from dlcourse.data.folds import read_fold
from dlcourse.data.image_set import fraction
from dlcourse.data.split import stratified
from dlcourse.data.text_notes import class_notes, copy_notes, empty_notes, uncut_notes, unknown_notes, vocabulary_notes
from dlcourse.data.texts import TextSplit, Truncate, check_text_options
from dlcourse.errors import DataError
from dlcourse.text.encoders import BUILDERS, Encoder, build_encoder
from dlcourse.text.vocab import SPECIALS

VOCABULARY = "vocabulary.json"
"""The file of a run that holds the encoder, for texts to come."""


@dataclass(frozen=True)
class Encoding:
    """How texts become ids.

    Args:
        tokenizer: "basic_english", "words", "characters" or "bpe".
        max_tokens: most ids, `<pad>` and `<unk>` included.
        min_freq: how often a word must occur in the training texts to get an id.

    Raises:
        ValueError: one of them is out of range.
    """

    tokenizer: str
    max_tokens: int
    min_freq: int

    def __post_init__(self) -> None:
        if self.tokenizer not in BUILDERS:
            raise ValueError(f"tokenizer must be one of {', '.join(BUILDERS)}, not {self.tokenizer!r}")
        if self.max_tokens <= len(SPECIALS):
            raise ValueError(f"max_tokens must be {len(SPECIALS) + 1} or more, not {self.max_tokens}")
        if self.min_freq < 1:
            raise ValueError(f"min_freq must be 1 or more, not {self.min_freq}")

    def encoder(self, texts: Sequence[str]) -> Encoder:
        """One whose vocabulary is made from `texts`."""
        return build_encoder(texts, tokenizer=self.tokenizer, max_tokens=self.max_tokens, min_freq=self.min_freq)


@dataclass(frozen=True)
class Texts:
    """Texts and their labels int64 [N]."""

    texts: Sequence[str]
    labels: Tensor

    def __getitem__(self, indices: Tensor) -> Texts:
        chosen = [self.texts[int(index)] for index in indices]
        return Texts(chosen, self.labels[indices])


@dataclass(frozen=True)
class TextParts:
    """What a set holds; the validation split is still to be cut from `train`."""

    train: Texts
    test: Texts
    unlabelled: Sequence[str] = ()


class TextSet(DataSet):
    """A set of labelled texts that are read at once; a kind of it names its classes and reads its texts."""

    gives: ClassVar[str] = "texts"

    def __init__(
        self,
        *,
        val_fraction: float,
        split_seed: int,
        fold: str | None = None,
        max_tokens: int,
        min_freq: int,
        tokenizer: str,
        max_length: int | None,
        truncate: Truncate,
        unlabelled_share: float,
        bucket: bool,
    ) -> None:
        check_text_options(max_length=max_length, truncate=truncate, unlabelled_share=unlabelled_share)
        self.val_fraction = fraction(val_fraction, name="val_fraction")
        self.fold = read_fold(fold)
        self.split_seed = split_seed
        self.encoding = Encoding(tokenizer, max_tokens, min_freq)
        self.max_length = max_length
        self.truncate: Truncate = truncate
        self.unlabelled_share = unlabelled_share
        self.bucket = bucket
        self._notes: list[str] = []

    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """The classes' names in the order of their labels."""

    @abstractmethod
    def read(self) -> TextParts:
        """All texts.

        Raises:
            DataError: a file is missing or damaged.
        """

    def facts(self) -> Mapping[str, object]:
        """The number of ids that the vocabulary may have, and the classes."""
        return text_facts(self.encoding, self.classes())

    def load(self) -> Splits:
        """Read the texts, cut the validation split, make the vocabulary from what is left, encode everything."""
        parts, classes = self.read(), self.classes()
        rest, held_out = stratified(parts.train.labels, self.fold or self.val_fraction, seed=self.split_seed)
        if not len(held_out):
            raise DataError(f"{len(rest)} texts, one to a class, leave none to validate on: add texts")
        train, val = parts.train[rest], parts.train[held_out]
        encoder = self.encoding.encoder([*train.texts, *parts.unlabelled])

        def split(part: Texts, unlabelled: Sequence[str] = ()) -> TextSplit:
            return TextSplit(
                documents=encoder.encode_all(part.texts),
                labels=part.labels,
                classes=classes,
                encoder=encoder,
                max_length=self.max_length,
                truncate=self.truncate,
                unlabelled=encoder.encode_all(unlabelled) if unlabelled else None,
                unlabelled_share=self.unlabelled_share if unlabelled else 0.0,
                bucket=self.bucket,
            )

        splits = (split(train, parts.unlabelled), split(val), split(parts.test))
        self._notes = [
            *copy_notes(parts.train.texts, parts.test.texts),
            *class_notes(torch.cat([parts.train.labels, parts.test.labels]), classes=classes),
            *empty_notes([part.documents for part in splits]),
            *vocabulary_notes(encoder.size, rows=self.encoding.max_tokens),
            *unknown_notes(splits[1].documents),
            *uncut_notes(train.texts, tokenizer=self.encoding.tokenizer),
        ]
        return Splits(*splits, keepsakes={VOCABULARY: encoder.to_json()})

    def notes(self) -> list[str]:
        """Test texts that also stand in train, small classes, empty texts, and how the vocabulary fits the texts."""
        return self._notes


def text_facts(encoding: Encoding, classes: tuple[str, ...]) -> Mapping[str, object]:
    """What a model may ask of a set of labelled texts."""
    return {"vocab_size": encoding.max_tokens, "num_classes": len(classes), "classes": classes}
