"""Lists of token ids of different lengths, kept as one flat array and where each list begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Ragged:
    """N lists in one array: list i is `values[offsets[i] : offsets[i + 1]]`.

    Args:
        values: int32 [total], the lists one after the other; may be memory-mapped.
        offsets: int64 [N + 1], from 0 to total, never falling.
    """

    values: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.values.dtype != np.int32 or self.values.ndim != 1:
            raise ValueError(f"values must be int32 [total], not {self.values.dtype} {list(self.values.shape)}")
        if self.offsets.dtype != np.int64 or self.offsets.ndim != 1 or not self.offsets.size:
            raise ValueError(f"offsets must be int64 [N + 1], not {self.offsets.dtype} {list(self.offsets.shape)}")
        if self.offsets[0] != 0 or self.offsets[-1] != self.values.size or (np.diff(self.offsets) < 0).any():
            raise ValueError(f"offsets must rise from 0 to the number of values, {self.values.size}")

    @classmethod
    def of(cls, lists: Iterable[Sequence[int]]) -> Ragged:
        """From lists of ids; ValueError if one does not fit into 32 bits."""
        kept = list(lists)
        offsets = _offsets(np.fromiter(map(len, kept), dtype=np.int64, count=len(kept)))
        values = np.fromiter(chain.from_iterable(kept), dtype=np.int64, count=int(offsets[-1]))
        narrow = values.astype(np.int32)  # numpy 1 would wrap what is too large
        if not np.array_equal(narrow, values):
            raise ValueError(f"lists must hold ids of 32 bits, not {values[narrow != values][0]}")
        return cls(narrow, offsets)

    def bytes(self) -> tuple[memoryview, memoryview]:
        """Values and offsets as little-endian bytes, the same on every machine, for a digest."""
        values, offsets = (
            np.ascontiguousarray(self.values, dtype="<i4"),
            np.ascontiguousarray(self.offsets, dtype="<i8"),
        )
        return values.data, offsets.data

    @classmethod
    def join(cls, parts: Iterable[Ragged]) -> Ragged:
        """The lists of all parts, one part after the other."""
        kept = list(parts)
        if not kept:
            return cls.of([])
        lengths = np.concatenate([part.lengths for part in kept])
        return cls(np.concatenate([part.values for part in kept]), _offsets(lengths))

    def __len__(self) -> int:
        """N, the number of lists."""
        return self.offsets.size - 1

    def __getitem__(self, index: int) -> NDArray[np.int32]:
        """List `index` as int32 [length]: a view, not a copy; counts from the end if negative.

        Raises:
            IndexError: there is no such list.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"list {index} of {len(self)}")
        index %= len(self)
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def __iter__(self) -> Iterator[NDArray[np.int32]]:
        return (self[index] for index in range(len(self)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Int64 [N]: how many values each list has."""
        return np.diff(self.offsets)

    def select(self, indices: Sequence[int] | NDArray[np.integer]) -> Ragged:
        """Copies of the lists at `indices`, in that order; a list may be asked for more than once.

        Raises:
            IndexError: there is no such list.
        """
        wanted = np.asarray(indices, dtype=np.int64)
        lengths = self.lengths[wanted]
        offsets = _offsets(lengths)
        starts = self.offsets[:-1][wanted]
        places = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return Ragged(self.values[places], offsets)


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Int64 [N + 1]: where lists of these lengths begin, and where the last one ends."""
    offsets = np.zeros(lengths.size + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
