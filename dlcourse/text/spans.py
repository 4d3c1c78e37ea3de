"""Finds what texts share with a large collection: the longest run of characters that also stands in one of its texts.

The collection's places are sorted by the three characters that begin there, which fit into one 64-bit number, so
nothing is hashed; the few places that share them are compared character by character.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

BITS = 21
"""Of a character: Unicode ends below 2^21."""
LEADING = 3
"""Characters that places are sorted by."""
OURS, THEIRS = 0, (1 << BITS) - 1
"""What ends a text of the collection and a text that is asked about: no character, and not the same, so that no run
goes past an end."""
MOST_PAIRS = 1 << 22
"""Places compared at a time."""


class Spans:
    """An index of a collection of texts.

    Args:
        texts: the collection; 2.4 million characters take half a second and 60 MB.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._codes = _codes(texts, end=OURS)
        keys = _keys(self._codes)
        self._places = keys.argsort(kind="stable")
        self._keys = keys[self._places]

    def longest(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """For each text the length of its longest run of characters that one of the collection holds, too: int64."""
        if not texts:
            return np.zeros(0, dtype=np.int64)
        starts = np.cumsum([0, *(len(text) + 1 for text in texts[:-1])])
        return np.maximum.reduceat(self._matches(_codes(texts, end=THEIRS)), starts)

    def _matches(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """How far the collection agrees with `codes` from each place on: int64, two fewer than codes."""
        keys = _keys(codes)
        lengths = np.zeros(len(keys), dtype=np.int64)
        firsts = counts = lengths
        for length in range(1, LEADING + 1):
            open_bits = BITS * (LEADING - length)  # of the characters that may be any
            least = keys >> open_bits << open_bits
            firsts = np.searchsorted(self._keys, least)
            counts = np.searchsorted(self._keys, least | ((1 << open_bits) - 1), side="right") - firsts
            lengths[counts > 0] = length
        for part in _parts(counts):
            here = np.repeat(part, counts[part])
            behind = np.arange(len(here)) - np.repeat(counts[part].cumsum() - counts[part], counts[part])
            there = self._places[firsts[here] + behind]
            shared = LEADING
            while len(here):
                alike = codes[here + shared] == self._codes[there + shared]
                here, there, shared = here[alike], there[alike], shared + 1
                lengths[here] = shared
        return lengths


def _codes(texts: Sequence[str], *, end: int) -> NDArray[np.int64]:
    """The code points of all texts, `end` behind each, and twice more so that any place begins three."""
    joined = "".join(f"{text}\0" for text in texts).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(joined, dtype="<u4").astype(np.int64)
    codes[codes == 0] = end  # a text that holds a NUL is cut there
    return np.concatenate([codes, np.full(LEADING - 1, end)])


def _keys(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The three codes from each place on in one number, in their order."""
    return codes[:-2] << 2 * BITS | codes[1:-1] << BITS | codes[2:]


def _parts(counts: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """The places with a count in parts whose counts sum to MOST_PAIRS at most, unless one alone has more."""
    places = counts.nonzero()[0]
    ends = counts[places].cumsum()
    at = 0
    while at < len(places):
        before = ends[at - 1] if at else 0
        to = max(at + 1, int(np.searchsorted(ends, before + MOST_PAIRS, side="right")))
        yield places[at:to]
        at = to
