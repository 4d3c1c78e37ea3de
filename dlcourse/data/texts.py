"""Documents held in memory as token ids, cut into padded batches of similar length."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from dlcourse.data.base import Draw, Split, mix
from dlcourse.data.buckets import bucketed
from dlcourse.text.encoders import Encoder
from dlcourse.text.ragged import Ragged
from dlcourse.text.vocab import UNK_ID

UNLABELLED = -1
"""The label of a document that has none."""
PAD_MULTIPLE = 32
"""Free lengths let memory grow through caches that are kept for every shape."""
Truncate = Literal["head", "tail", "head_tail"]

# Of head and tail, a quarter is head: 128 + 382 of 510 tokens did best in Sun et al. 2019 (arXiv:1905.05583, table 3).
_HEAD_LENGTHS: Mapping[str, Callable[[int], int]] = {
    "head": lambda length: length,
    "tail": lambda length: 0,
    "head_tail": lambda length: -(-length // 4),
}


@dataclass(frozen=True)
class TextBatch:
    """Documents that go through the model together.

    Args:
        tokens: int64 [B, T], T a multiple of 32, 0 behind a document's end.
        lengths: int64 [B], 1 to T.
        labels: int64 [B], -1 where there is none.
        indices: int64 [B], where the documents stand in their split; those of its unlabelled pool stand behind it.
        labelled: how many have a label; None counts them, which waits for the device.
    """

    tokens: Tensor
    lengths: Tensor
    labels: Tensor
    indices: Tensor
    labelled: int | None = None

    @property
    def inputs(self) -> tuple[Tensor, Tensor]:
        """What a model is called with: tokens and lengths."""
        return self.tokens, self.lengths

    @property
    def weight(self) -> float:
        """How many documents the loss is a mean over: the labelled ones; all of them if none is."""
        labelled = int((self.labels >= 0).sum()) if self.labelled is None else self.labelled
        return float(labelled or len(self.labels))


class _Tables(NamedTuple):
    """What batches are gathered from, on one device."""

    values: Tensor  # int32 [total]
    starts: Tensor  # int64 [N], and so are the others
    lengths: Tensor  # truncated
    dropped: Tensor  # tokens that truncation takes away
    labels: Tensor


@dataclass(frozen=True, eq=False)
class TextSplit(Split[TextBatch]):
    """One part of a set of documents; an empty document is one `<unk>`.

    Args:
        documents: token ids of N documents, untruncated.
        labels: int64 [N] on the CPU, each below `len(classes)`, or -1.
        classes: the classes' names.
        encoder: what made the ids.
        max_length: most tokens of a document that a model sees; None is all.
        truncate: which of them are kept: the first, the last, or the first quarter and the last three quarters.
        unlabelled: a pool of further documents that only training sees.
        unlabelled_share: how many of them stand in a training batch beside each document of the split.
        bucket: whether a training batch holds documents of similar length.
        device: where the batches are.

    Raises:
        ValueError: an argument is out of range, or there are not as many labels as documents.
    """

    documents: Ragged
    labels: Tensor
    classes: tuple[str, ...]
    encoder: Encoder
    max_length: int | None = None
    truncate: Truncate = "head_tail"
    unlabelled: Ragged | None = None
    unlabelled_share: float = 0.0
    bucket: bool = True
    device: torch.device = torch.device("cpu")

    def __post_init__(self) -> None:
        check_text_options(max_length=self.max_length, truncate=self.truncate, unlabelled_share=self.unlabelled_share)
        if len(self.labels) != len(self.documents):
            raise ValueError(f"labels must be as many as documents ({len(self.documents)}), not {len(self.labels)}")
        if self.unlabelled_share and not self.unlabelled:
            raise ValueError(f"unlabelled_share is {self.unlabelled_share}, but there are no unlabelled documents")

    def __len__(self) -> int:
        return len(self.labels)

    def epoch_batches(self, batch_size: int, *, seed: int, epoch: int) -> Sequence[Tensor]:
        """The shuffled full batches of one epoch: a function of (seed, epoch) alone.

        With `bucket`, documents are shuffled, sorted by length inside pools of 50 batches and cut, and the batches
        are shuffled. Each batch has `batch_size` documents of the split and round(batch_size * unlabelled_share) of
        the pool, spread evenly among them, so that micro-batches hold both.
        """
        generator = torch.Generator().manual_seed(mix(seed, epoch))
        steps, size = self.steps(batch_size), min(batch_size, len(self))
        groups = [torch.randperm(len(self), generator=generator)[: steps * size].view(steps, size)]
        if extra := round(size * self.unlabelled_share):
            groups.append(len(self) + self._draw_unlabelled(steps * extra, generator=generator).view(steps, extra))
        if self.bucket:
            groups = [bucketed(group, lengths=self._lengths) for group in groups]
        places = torch.cat([torch.arange(group.shape[1]) / max(1, group.shape[1]) for group in groups])
        batches = torch.cat(groups, 1)[:, places.argsort(stable=True)]
        return (batches[torch.randperm(steps, generator=generator)] if self.bucket else batches).unbind()

    def batches_in_order(self, batch_size: int) -> Sequence[Tensor]:
        """Every document once, the shortest first, for evaluation; the last batch may be short."""
        return self._lengths[: len(self)].argsort(stable=True).split(batch_size)

    def fetch(self, indices: Tensor, *, draw: Draw | None = None) -> TextBatch:
        """The documents at `indices` (int64 [B], on the CPU), truncated and padded; a draw changes nothing."""
        # The width is found on the CPU and everything else on the device, so that neither waits for the other.
        width = -(-int(self._lengths[indices].max()) // PAD_MULTIPLE) * PAD_MULTIPLE
        labelled = int((self._labels[indices] >= 0).sum())
        indices = indices.to(self.device, non_blocking=True)
        starts, lengths, dropped, labels = (table.index_select(0, indices) for table in self._tables[1:])
        columns = torch.arange(width, device=self.device)
        places = starts[:, None] + columns + dropped[:, None] * (columns >= self._head)
        values = self._tables.values
        tokens = values.index_select(0, places.clamp_(max=len(values) - 1).flatten()).view_as(places)
        tokens = (tokens * (columns < lengths[:, None])).long()
        return TextBatch(tokens, lengths, labels, indices, labelled)

    def document(self, index: int) -> list[int]:
        """The token ids of one document as a model sees them: truncated, not padded."""
        ids, dropped = self._everything[index], len(self._everything[index]) - int(self._lengths[index])
        return [*ids[: self._head].tolist(), *ids[self._head + dropped :].tolist()] if dropped else ids.tolist()

    def text(self, index: int) -> list[str]:
        """The pieces of one whole document, as its ids name them."""
        return [self.encoder.token(id) for id in self._everything[index].tolist()]

    def corpus(self) -> Ragged:
        """All training documents, those of the unlabelled pool included, untruncated."""
        return self.documents if self.unlabelled is None else Ragged.join([self.documents, self.unlabelled])

    def to(self, device: torch.device, *, memory_format: torch.memory_format = torch.contiguous_format) -> Self:
        """The same split with its batches on `device`; documents have no memory format."""
        return replace(self, device=device)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of documents, labels, vocabulary and how batches are made; computed when first asked for."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        parts = [self.documents] if self.unlabelled is None else [self.documents, self.unlabelled]
        sizes = [(len(part), len(part.values)) for part in parts]
        settings = (self.max_length, self.truncate, self.unlabelled_share, self.bucket)
        digest = hashlib.sha256(repr((sizes, self.classes, settings)).encode())
        digest.update(self.encoder.to_json().encode())
        digest.update(self.labels.numpy().astype("<i8").data)
        for piece in (piece for part in parts for piece in part.bytes()):
            digest.update(piece)
        return digest.hexdigest()

    def _draw_unlabelled(self, count: int, *, generator: torch.Generator) -> Tensor:
        """Int64 [count]: places in the pool, each drawn again only when all of them were."""
        size = len(self.unlabelled or ())
        rounds = [torch.randperm(size, generator=generator) for _ in range(-(-count // size))]
        return torch.cat(rounds)[:count]

    @property
    def _head(self) -> int:
        """How many of the kept tokens stand before the cut."""
        return 0 if self.max_length is None else _HEAD_LENGTHS[self.truncate](self.max_length)

    @cached_property
    def _everything(self) -> Ragged:
        """The documents and, where batches draw from it, the pool; none empty."""
        return without_empty(self.corpus() if self.unlabelled_share else self.documents)

    @cached_property
    def _lengths(self) -> Tensor:
        """Int64 on the CPU: the truncated lengths of everything."""
        lengths = torch.from_numpy(self._everything.lengths)
        return lengths if self.max_length is None else lengths.clamp_(max=self.max_length)

    @cached_property
    def _labels(self) -> Tensor:
        """Int64 on the CPU: the labels of everything."""
        rest = len(self._everything) - len(self)
        return torch.cat([self.labels, torch.full((rest,), UNLABELLED, dtype=torch.int64)])

    @cached_property
    def _tables(self) -> _Tables:
        everything, lengths = self._everything, self._lengths
        values = everything.values if everything.values.flags.writeable else everything.values.copy()
        offsets = torch.tensor(everything.offsets)
        dropped = offsets.diff() - lengths
        tables = (torch.from_numpy(values), offsets[:-1], lengths, dropped, self._labels)
        return _Tables(*(table.to(self.device) for table in tables))


def check_text_options(*, max_length: int | None, truncate: str, unlabelled_share: float) -> None:
    """Raise ValueError if a split of documents could not be made so."""
    if max_length is not None and max_length < 1:
        raise ValueError(f"max_length must be 1 or more tokens, or null for all, not {max_length}")
    if truncate not in _HEAD_LENGTHS:
        raise ValueError(f"truncate must be one of {', '.join(_HEAD_LENGTHS)}, not {truncate!r}")
    if not 0 <= unlabelled_share < float("inf"):
        raise ValueError(f"unlabelled_share must be 0 or more, not {unlabelled_share}")


def without_empty(documents: Ragged) -> Ragged:
    """The same documents, but one `<unk>` where one is empty."""
    empty = documents.lengths == 0
    if not empty.any():
        return documents
    values = np.insert(documents.values, documents.offsets[:-1][empty], UNK_ID)
    offsets = np.zeros_like(documents.offsets)
    np.cumsum(np.maximum(documents.lengths, 1), out=offsets[1:])
    return Ragged(values, offsets)
