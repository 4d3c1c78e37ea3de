"""glibc's allocator told to keep what is freed, so that a step writes into the pages that the last one left.

By itself it maps every tensor of 32 MiB or more anew and gives free memory at the heap's end back; the kernel then
zeroes each page at its first touch, once a step. What is set holds for the process and may be set at any time, also
after torch is imported (mallopt(3), malloc_trim(3)).

Measured 2026-11-22, one thread of an AMD EPYC beside other work, 2 or 3 rounds (scripts/benchmarks/allocator.py): 2 to
20 % less CPU time a step, for 0 to 13 % more peak memory; most of both with SpeedNet on 2,000 images.
"""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache
from typing import Any

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -2, -3, -4  # malloc.h

KEEP = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1, M_TOP_PAD: 64 * 2**20}
"""No block is mapped by itself; the heap's end is never given back, and grows by so many bytes more than asked for."""
SYSTEM = {M_MMAP_MAX: 65536, M_MMAP_THRESHOLD: 32 * 2**20, M_TRIM_THRESHOLD: 64 * 2**20, M_TOP_PAD: 128 * 2**10}
"""glibc's defaults, its two moving thresholds where a training moves them to: setting any one stops them."""

_set: list[dict[int, int]] = []  # what this process was last told


def available() -> bool:
    """Whether memory comes from glibc here: not on macOS, Windows or musl, nor where another allocator is preloaded."""
    return _libc() is not None


def keep() -> None:
    """Keep freed memory for the next tensor from here on; nothing happens where it is not `available`."""
    _tell(KEEP)


def system() -> None:
    """Give large blocks and the heap's free end back to the kernel, as glibc does where it was never told otherwise."""
    if _set:
        _tell(SYSTEM)
        trim()


def trim() -> None:
    """Give back now what is kept free."""
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)


def _tell(options: dict[int, int]) -> None:
    libc = _libc()
    if libc is not None and _set[-1:] != [options]:
        for option, value in options.items():
            libc.mallopt(option, value)
        _set[:] = [options]


@lru_cache(maxsize=1)
def _libc() -> Any:
    """glibc, if it is what `malloc` of this process means; else None."""
    if sys.platform != "linux":
        return None
    try:
        process, libc = ctypes.CDLL(None), ctypes.CDLL("libc.so.6")
        named, own = (ctypes.cast(library.malloc, ctypes.c_void_p).value for library in (process, libc))
        found = named == own and hasattr(libc, "gnu_get_libc_version")
    except (OSError, AttributeError):  # musl has no such file
        return None
    return libc if found else None
