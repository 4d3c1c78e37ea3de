"""Poems held in memory as token ids, cut into padded batches of similar length or into rows of one long stream."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

import torch
from torch import Tensor

from dlcourse.data.base import Draw, Split, mix
from dlcourse.data.buckets import bucketed
from dlcourse.text.characters import CharacterEncoder
from dlcourse.text.ragged import Ragged

PAD_MULTIPLE = 8
"""Finer than that of reviews: most poems have one of four lengths, 26 to 66 tokens."""


@dataclass(frozen=True)
class PoemBatch:
    """Poems, or rows of a stream of poems, that go through the model together.

    Args:
        tokens: int64 [B, T], 0 behind a poem's end; T is a multiple of 8 unless the rows are of a stream.
        lengths: int64 [B], 2 to T.
        indices: int64 [B], where the poems stand in their split, or the rows in their stream.
        predicted: how many tokens are predicted; None counts them, which waits for the device.
    """

    tokens: Tensor
    lengths: Tensor
    indices: Tensor
    predicted: int | None = None

    @property
    def inputs(self) -> tuple[Tensor, Tensor]:
        """What a model is called with: all tokens but the last column, and how many of each row predict another."""
        return self.tokens[:, :-1], self.lengths - 1

    @property
    def targets(self) -> Tensor:
        """Int64 [B, T - 1]: the token that follows each input; 0 where there is none."""
        return self.tokens[:, 1:]

    @property
    def weight(self) -> float:
        """How many tokens the loss is a mean over: all but the first of each row."""
        return float(int((self.lengths - 1).sum()) if self.predicted is None else self.predicted)


class _Tables(NamedTuple):
    """What batches are gathered from, on one device."""

    values: Tensor  # int32 [total]
    starts: Tensor  # int64 [N]
    lengths: Tensor  # int64 [N]


@dataclass(frozen=True, eq=False)
class PoemSplit(Split[PoemBatch]):
    """One part of a set of poems.

    Args:
        documents: token ids of N poems: form, characters, end; each has at least two.
        texts: the N poems as the set has them, also where the vocabulary lacks a character.
        forms: the name of each one's form, or "other".
        encoder: what made the ids.
        titles: of all poems, or none.
        bucket: whether a training batch holds poems of similar length.
        stream: whether an epoch of training is one long row of all poems, cut into rows.
        window: predicted tokens of such a row.
        device: where the batches are.

    Raises:
        ValueError: an argument is out of range, or there are not as many of each as of documents.
    """

    documents: Ragged
    texts: Sequence[str]
    forms: Sequence[str]
    encoder: CharacterEncoder
    titles: Sequence[str] = ()
    bucket: bool = True
    stream: bool = False
    window: int = 128
    device: torch.device = torch.device("cpu")

    def __post_init__(self) -> None:
        check_window(self.window)
        for name, given in (("texts", self.texts), ("forms", self.forms), ("titles", self.titles or self.texts)):
            if len(given) != len(self.documents):
                raise ValueError(f"{name} must be as many as documents ({len(self.documents)}), not {len(given)}")
        if not len(self.documents) or int(self.documents.lengths.min()) < 2:
            raise ValueError("documents must be one or more, each of at least two tokens")

    def __len__(self) -> int:
        return len(self.documents)

    def steps(self, batch_size: int) -> int:
        """Optimizer steps in one epoch: of poems, or of the rows of a stream."""
        return max(1, (self._rows if self.stream else len(self)) // batch_size)

    def epoch_batches(self, batch_size: int, *, seed: int, epoch: int) -> Sequence[Tensor]:
        """The shuffled full batches of one epoch, a function of (seed, epoch) alone: poems, or rows of its stream.

        With `bucket`, poems are shuffled, sorted by length inside pools of 50 batches and cut, and the batches are
        shuffled.
        """
        generator = torch.Generator().manual_seed(mix(seed, epoch))
        count = self._rows if self.stream else len(self)
        steps, size = self.steps(batch_size), min(batch_size, count)
        batches = torch.randperm(count, generator=generator)[: steps * size].view(steps, size)
        if self.stream or not self.bucket:
            return batches.unbind()
        batches = bucketed(batches, lengths=self._lengths)
        return batches[torch.randperm(steps, generator=generator)].unbind()

    def batches_in_order(self, batch_size: int) -> Sequence[Tensor]:
        """Every poem once, the shortest first, for evaluation; the last batch may be short."""
        return self._lengths.argsort(stable=True).split(batch_size)

    def fetch(self, indices: Tensor, *, draw: Draw | None = None) -> PoemBatch:
        """The poems at `indices` (int64 [B], on the CPU), padded; of a stream, the rows of the epoch that is drawn.

        Without a draw there is no stream: evaluation reads every poem from its beginning.
        """
        if self.stream and draw is not None:
            return self._fetch_rows(indices, draw=draw)
        # The width is found on the CPU and everything else on the device, so that neither waits for the other.
        longest, total = int(self._lengths[indices].max()), int(self._lengths[indices].sum())
        columns = torch.arange(-(-longest // PAD_MULTIPLE) * PAD_MULTIPLE, device=self.device)
        predicted = total - len(indices)
        indices = indices.to(self.device, non_blocking=True)
        starts, lengths = (table.index_select(0, indices) for table in self._tables[1:])
        places = starts[:, None] + columns
        values = self._tables.values
        tokens = values.index_select(0, places.clamp_(max=len(values) - 1).flatten()).view_as(places)
        return PoemBatch((tokens * (columns < lengths[:, None])).long(), lengths, indices, predicted)

    def document(self, index: int) -> list[int]:
        """The token ids of one poem, not padded."""
        return self.documents[index].tolist()

    def corpus(self) -> Ragged:
        """All poems as ids, their form and end included."""
        return self.documents

    def to(self, device: torch.device, *, memory_format: torch.memory_format = torch.contiguous_format) -> Self:
        """The same split with its batches on `device`; poems have no memory format."""
        return replace(self, device=device)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of poems, vocabulary and how batches are made; computed when first asked for."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        sizes = (len(self.documents), len(self.documents.values))
        digest = hashlib.sha256(repr((sizes, self.bucket, self.stream, self.window)).encode())
        digest.update(self.encoder.to_json().encode())
        for part in self.documents.bytes():
            digest.update(part)
        return digest.hexdigest()

    @property
    def _width(self) -> int:
        """Tokens of a row; a stream that is shorter is one row."""
        return min(self.window + 1, len(self.documents.values))

    @property
    def _rows(self) -> int:
        """Rows of a stream: each begins with the token that the one before it ends with, so all are predicted."""
        return (len(self.documents.values) - 1) // (self._width - 1)

    def _fetch_rows(self, indices: Tensor, *, draw: Draw) -> PoemBatch:
        values = self._stream_of(draw)
        rows = indices.to(self.device, non_blocking=True)
        columns = torch.arange(self._width, device=self.device)
        places = rows[:, None] * (self._width - 1) + columns
        tokens = values.index_select(0, places.flatten()).view_as(places).long()
        return PoemBatch(tokens, torch.full_like(rows, self._width), rows, len(rows) * (self._width - 1))

    def _stream_of(self, draw: Draw) -> Tensor:
        """Int32 [total]: all poems one after the other, their order a function of (seed, epoch) alone."""
        if draw not in self._streams:
            generator = torch.Generator().manual_seed(mix(draw.seed, draw.epoch, 1))
            order = torch.randperm(len(self), generator=generator)
            self._streams.clear()
            self._streams[draw] = torch.from_numpy(self.documents.select(order.numpy()).values).to(self.device)
        return self._streams[draw]

    @cached_property
    def _streams(self) -> dict[Draw, Tensor]:
        """The stream of the epoch that was last asked for."""
        return {}

    @cached_property
    def _lengths(self) -> Tensor:
        """Int64 [N] on the CPU."""
        return torch.from_numpy(self.documents.lengths)

    @cached_property
    def _tables(self) -> _Tables:
        values = torch.tensor(self.documents.values)
        starts = torch.tensor(self.documents.offsets[:-1])
        return _Tables(*(table.to(self.device) for table in (values, starts, self._lengths)))


def check_window(window: int) -> None:
    """Raise ValueError if no rows of a stream could be cut so."""
    if window < 2:
        raise ValueError(f"window must be 2 or more tokens, not {window}")
