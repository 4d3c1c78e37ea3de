"""IMDB film reviews (Maas et al. 2011, ACL P11-1015), encoded once: labelled, or as plain text."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch

from dlcourse.data.base import DataSet, Splits
from dlcourse.data.folds import read_fold
from dlcourse.data.image_set import fraction
from dlcourse.data.imdb_encoded import CLASSES, EncodedReviews, HeldOut, Places, encode_reviews
from dlcourse.data.imdb_files import PARTS, Listing, find, list_reviews
from dlcourse.data.roots import checked_root
from dlcourse.data.text_set import VOCABULARY, Encoding, text_facts
from dlcourse.data.texts import UNLABELLED, TextSplit, Truncate, check_text_options
from dlcourse.text.ragged import Ragged


class ReviewSet(DataSet):
    """What both views share: the files, the validation cut, the vocabulary, the reviews that leak."""

    gives: ClassVar[str] = "texts"

    def __init__(
        self,
        *,
        root: str,
        download: bool,
        val_fraction: float,
        val_by: HeldOut,
        split_seed: int,
        fold: str | None = None,
        max_tokens: int,
        min_freq: int,
        tokenizer: str,
        drop_leaks: bool,
        bucket: bool,
    ) -> None:
        self.root = checked_root(root)
        self.download = download
        self.val_fraction = fraction(val_fraction, name="val_fraction")
        self.fold = read_fold(fold)
        self.val_by: HeldOut = val_by
        self.split_seed = split_seed
        self.encoding = Encoding(tokenizer, max_tokens, min_freq)
        self.drop_leaks = drop_leaks
        self.bucket = bucket
        self._notes: list[str] = []

    def load(self) -> Splits:
        """Read and encode all reviews, or take them from the cache if no file and no setting has changed since."""
        listing = list_reviews(find(self.root, download=self.download))
        found = encode_reviews(
            listing,
            encoding=self.encoding,
            val_share=self.fold or self.val_fraction,
            split_seed=self.split_seed,
            val_by=self.val_by,
        )
        self._notes = [*_size_notes(listing), *_leak_notes(found, dropped=self.drop_leaks)]
        train, val, test = self.splits(found.without_leaks() if self.drop_leaks else found)
        return Splits(train, val, test, keepsakes={VOCABULARY: found.encoder.to_json()})

    @abstractmethod
    def splits(self, reviews: EncodedReviews) -> tuple[TextSplit, TextSplit, TextSplit]:
        """Train, val and test as this view has them."""

    def notes(self) -> list[str]:
        """Parts that are not of the official size, and reviews that stand in training and in test."""
        return self._notes


class IMDB(ReviewSet):
    """25,000 + 25,000 reviews with a verdict, and 50,000 without one that training may use.

    The vocabulary is made from all training reviews, with and without a verdict, but those held out.

    Args:
        root: The folder that holds aclImdb, or that folder itself; `~` is expanded.
        download: Whether a missing set is fetched from its publisher (80 MB) into `root`.
        val_fraction: Share of each class's training reviews that is held out for validation.
        val_by: What is held out: single reviews, the same share of each class, or whole films, as in the test split.
        split_seed: Names the validation cut.
        fold: Validates on this part of so many instead, such as 2/5; null holds out val_fraction.
        max_tokens: Most entries of the vocabulary, `<pad>` and `<unk>` included.
        min_freq: How often a word must occur to get an entry of its own.
        tokenizer: basic_english (as torchtext has it), words (cut at white space) or bpe (subwords).
        max_length: Most tokens of a review that a model sees; null is all.
        truncate: Which tokens of a longer one are kept: head, tail or head_tail (first quarter, last three quarters).
        drop_leaks: Whether reviews that also stand in test, word for word, are taken out of training and validation.
        unlabelled_share: Unlabelled reviews in a training batch for each labelled one; 0 is none.
        bucket: Whether a training batch holds reviews of similar length, which saves half of the time.
    """

    def __init__(
        self,
        *,
        root: str = "data",
        download: bool = True,
        val_fraction: float = 0.1,
        val_by: HeldOut = "review",
        split_seed: int = 0,
        fold: str | None = None,
        max_tokens: int = 30_000,
        min_freq: int = 2,
        tokenizer: str = "basic_english",
        max_length: int | None = 400,
        truncate: Truncate = "head_tail",
        drop_leaks: bool = False,
        unlabelled_share: float = 0.0,
        bucket: bool = True,
    ) -> None:
        check_text_options(max_length=max_length, truncate=truncate, unlabelled_share=unlabelled_share)
        super().__init__(
            root=root,
            download=download,
            val_fraction=val_fraction,
            val_by=val_by,
            split_seed=split_seed,
            fold=fold,
            max_tokens=max_tokens,
            min_freq=min_freq,
            tokenizer=tokenizer,
            drop_leaks=drop_leaks,
            bucket=bucket,
        )
        self.max_length = max_length
        self.truncate: Truncate = truncate
        self.unlabelled_share = unlabelled_share

    def facts(self) -> Mapping[str, object]:
        """The number of ids that the vocabulary may have, and the two classes."""
        return text_facts(self.encoding, CLASSES)

    def splits(self, reviews: EncodedReviews) -> tuple[TextSplit, TextSplit, TextSplit]:
        """Labelled reviews; with train goes the pool of unlabelled ones."""
        cut = reviews.cut

        def split(places: Places) -> TextSplit:
            return TextSplit(
                documents=reviews.part(places),
                labels=torch.from_numpy(cut.labels[places]),
                classes=CLASSES,
                encoder=reviews.encoder,
                max_length=self.max_length,
                truncate=self.truncate,
                bucket=self.bucket,
            )

        pool = reviews.part(cut.unsup)
        train = replace(split(cut.train), unlabelled=pool, unlabelled_share=self.unlabelled_share)
        return train, split(cut.val), split(cut.test)


class IMDBTexts(ReviewSet):
    """All reviews as text without verdicts, for language models: 72,500 to train on with the default cut.

    Vocabulary and validation cut are those of `data=imdb` with the same settings, so that a classifier may start
    from what a language model learned here.

    Args:
        root: The folder that holds aclImdb, or that folder itself; `~` is expanded.
        download: Whether a missing set is fetched from its publisher (80 MB) into `root`.
        val_fraction: Share of each class's labelled training reviews that is held out for validation.
        val_by: What is held out: single reviews, the same share of each class, or whole films, as in the test split.
        split_seed: Names the validation cut.
        fold: Validates on this part of so many instead, such as 2/5; null holds out val_fraction.
        max_tokens: Most entries of the vocabulary, `<pad>` and `<unk>` included.
        min_freq: How often a word must occur to get an entry of its own.
        tokenizer: basic_english (as torchtext has it), words (cut at white space) or bpe (subwords).
        window: Most tokens of a piece; a longer review is cut into consecutive pieces of nearly equal length.
        drop_leaks: Whether reviews that also stand in test, word for word, are taken out of training and validation.
        bucket: Whether a training batch holds pieces of similar length, which saves time.
    """

    def __init__(
        self,
        *,
        root: str = "data",
        download: bool = True,
        val_fraction: float = 0.1,
        val_by: HeldOut = "review",
        split_seed: int = 0,
        fold: str | None = None,
        max_tokens: int = 30_000,
        min_freq: int = 2,
        tokenizer: str = "basic_english",
        window: int = 256,
        drop_leaks: bool = False,
        bucket: bool = True,
    ) -> None:
        if window < 2:
            raise ValueError(f"window must be 2 or more tokens, not {window}")
        super().__init__(
            root=root,
            download=download,
            val_fraction=val_fraction,
            val_by=val_by,
            split_seed=split_seed,
            fold=fold,
            max_tokens=max_tokens,
            min_freq=min_freq,
            tokenizer=tokenizer,
            drop_leaks=drop_leaks,
            bucket=bucket,
        )
        self.window = window

    def facts(self) -> Mapping[str, object]:
        """The number of ids that the vocabulary may have; there are no classes."""
        return {"vocab_size": self.encoding.max_tokens}

    def splits(self, reviews: EncodedReviews) -> tuple[TextSplit, TextSplit, TextSplit]:
        """Pieces of reviews, none of them labelled."""
        cut = reviews.cut

        def split(places: Places) -> TextSplit:
            pieces = windows(reviews.part(places), size=self.window)
            labels = torch.full((len(pieces),), UNLABELLED, dtype=torch.int64)
            return TextSplit(pieces, labels, (), reviews.encoder, bucket=self.bucket)

        return split(np.concatenate([cut.train, cut.unsup])), split(cut.val), split(cut.test)


def windows(documents: Ragged, *, size: int) -> Ragged:
    """Each document cut into the fewest pieces of at most `size` tokens, their lengths differing by one at most."""
    lengths = documents.lengths
    counts = np.maximum(1, -(-lengths // size))
    owner = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]
    starts = documents.offsets[owner] + lengths[owner] * number // counts[owner]
    return Ragged(documents.values, np.append(starts, documents.offsets[-1]))


def _size_notes(listing: Listing) -> list[str]:
    """A line for each part that has more or fewer reviews than the publisher put there."""
    return [
        f"{listing.folder / part} holds {listing.counts[part]:,} reviews, not the official {official:,}"
        for part, official in PARTS.items()
        if listing.counts[part] != official
    ]


def _leak_notes(reviews: EncodedReviews, *, dropped: bool) -> list[str]:
    """A line if training would see reviews that are tested on."""
    leaks, cut = reviews.leaks, reviews.cut
    test, unsup = int(leaks[cut.test].sum()), int(leaks[cut.unsup].sum())
    if not test and not unsup:
        return []
    done = "were dropped from training" if dropped else "are trained on; data.drop_leaks=true drops them"
    return [
        f"{test:,} of the {len(cut.test):,} test reviews also stand in train, word for word, and {unsup:,} of the "
        f"{len(cut.unsup):,} unlabelled ones also stand in test; they {done}"
    ]
