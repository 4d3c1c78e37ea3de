"""The IMDB reviews as ids: the validation cut, the vocabulary without it, everything encoded once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray

from dlcourse.data.cache import Arrays, cached
from dlcourse.data.folds import Fold
from dlcourse.data.imdb_files import PARTS, Listing
from dlcourse.data.split import grouped, stratified
from dlcourse.data.text_set import Encoding
from dlcourse.data.texts import UNLABELLED
from dlcourse.errors import DataError
from dlcourse.text.encoders import Encoder, read_encoder
from dlcourse.text.ragged import Ragged

CLASSES = ("neg", "pos")
HeldOut = Literal["review", "film"]
LABELLED = ("train/neg", "train/pos")
_FORMAT = 1
"""Of what the cache keeps; a higher number makes every entry anew."""

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Cut:
    """Which reviews belong to which split: places in their listing, ascending.

    Args:
        train: labelled.
        val: labelled, held out of train.
        unsup: without a label.
        test: labelled, the publisher's.
        labels: int64 [N], of every review; -1 in `unsup`.
    """

    train: Places
    val: Places
    unsup: Places
    test: Places
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, listing: Listing, *, val_share: float | Fold, seed: int, by: HeldOut = "review") -> Self:
        """The publisher's parts, the validation split cut from train: single reviews of each class, or whole films.

        Raises:
            DataError: there are too few reviews to hold any out.
        """
        labels = listing.spread([_label(part) for part in PARTS])
        tested = listing.spread([part.startswith("test/") for part in PARTS])
        labelled = np.flatnonzero((tested == 0) & (labels != UNLABELLED))
        if by == "film":
            rest, held_out = grouped([film for part in LABELLED for film in listing.films(part)], val_share, seed=seed)
        else:
            rest, held_out = stratified(torch.from_numpy(labels[labelled]), val_share, seed=seed)
        if not len(held_out):
            raise DataError(f"{listing.folder}: one training {by} to a class leaves none to validate on: add reviews")
        unsup, test = np.flatnonzero(labels == UNLABELLED), np.flatnonzero(tested)
        return cls(labelled[rest.numpy()], labelled[held_out.numpy()], unsup, test, labels)


@dataclass(frozen=True)
class EncodedReviews:
    """All reviews as ids.

    Args:
        documents: every review, part by part in the order of `PARTS`.
        encoder: what made the ids.
        leaks: bool [N], of a training review, labelled or not, whether it stands in test, word for word; of a test
            review whether it stands among the labelled training reviews.
        cut: which reviews belong to which split.
    """

    documents: Ragged
    encoder: Encoder
    leaks: NDArray[np.bool_]
    cut: Cut

    def without_leaks(self) -> Self:
        """The same, but what also stands in test is in none of train, val and unsup."""
        train, val, unsup = (part[~self.leaks[part]] for part in (self.cut.train, self.cut.val, self.cut.unsup))
        return replace(self, cut=replace(self.cut, train=train, val=val, unsup=unsup))

    def part(self, places: Places) -> Ragged:
        """The documents at `places`; a view where they stand in one row."""
        if not len(places) or places[-1] - places[0] + 1 != len(places):
            return self.documents.select(places)
        offsets = self.documents.offsets[places[0] : places[-1] + 2]
        return Ragged(self.documents.values[offsets[0] : offsets[-1]], offsets - offsets[0])


def encode_reviews(
    listing: Listing, *, encoding: Encoding, val_share: float | Fold, split_seed: int, val_by: HeldOut
) -> EncodedReviews:
    """Read and encode all reviews, or take them from the cache if no file and no setting has changed since.

    The vocabulary is that of all training reviews, labelled or not, but those held out.

    Raises:
        DataError: a file cannot be read.
    """
    cut = Cut.of(listing, val_share=val_share, seed=split_seed, by=val_by)
    key = hashlib.sha256(repr((_FORMAT, listing.digest, encoding, val_share, split_seed, val_by)).encode())
    arrays = cached(f"imdb-{key.hexdigest()[:40]}", lambda: _arrays(listing, encoding=encoding, cut=cut))
    encoder = read_encoder(arrays["vocabulary"].tobytes().decode())
    return EncodedReviews(Ragged(arrays["values"], arrays["offsets"]), encoder, arrays["leaks"], cut)


def _arrays(listing: Listing, *, encoding: Encoding, cut: Cut) -> Arrays:
    """What the cache keeps."""
    texts = list(listing.read())

    def of(*parts: Places) -> Sequence[str]:
        return [texts[place] for place in np.concatenate(parts)]

    labelled, tested = set(of(cut.train, cut.val)), set(of(cut.test))
    leaks = np.array([text in tested for text in texts])
    leaks[cut.test] = [text in labelled for text in of(cut.test)]
    encoder = encoding.encoder(of(cut.train, cut.unsup))
    documents = encoder.encode_all(texts)
    vocabulary = np.frombuffer(encoder.to_json().encode(), dtype=np.uint8)
    return {"values": documents.values, "offsets": documents.offsets, "leaks": leaks, "vocabulary": vocabulary}


def _label(part: str) -> int:
    """0 or 1 for what a folder's name says, -1 if that is no verdict."""
    name = part.rpartition("/")[2]
    return CLASSES.index(name) if name in CLASSES else UNLABELLED
