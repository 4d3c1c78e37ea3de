"""Python functions on the threads that torch's own operations run on: those of its OpenMP.

Threads of Python's would have to share the processor with these, which after each operation of torch go on spinning for
milliseconds, in wait of the next one. An operation of torch on one of these threads keeps to it alone.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

import torch

T = TypeVar("T")


def available() -> bool:
    """Whether torch computes by OpenMP, and by one that has the entry of GCC's (so has LLVM's on Linux)."""
    return _parallel() is not None


def side_by_side(work: Callable[[int], T], shares: int) -> list[T]:
    """`[work(0), work(1), ...]`, each on a thread of its own as far as there are so many; gradients are off.

    Raises:
        Whatever `work` raises, once the others are done.
    """
    done: dict[int, T] = {}
    faults: list[BaseException] = []
    left = iter(range(shares))

    def body(_: Any) -> None:
        try:
            with torch.no_grad():
                for share in left:
                    done[share] = work(share)
        except BaseException as fault:  # noqa: BLE001  ctypes would print it and go on
            faults.append(fault)

    parallel = _parallel()
    if parallel is None or shares == 1:
        body(None)
    else:
        parallel(_BODY(body), None, shares, 0)
    if faults:
        raise faults[0]
    return [done[share] for share in range(shares)]


def split(part: Callable[[int, int], T], count: int) -> list[T]:
    """`part(first, last)` of as many equal ranges of `count` things as torch has threads, side by side."""
    shares = max(1, min(torch.get_num_threads(), count))
    bounds = [count * share // shares for share in range(shares + 1)]
    return side_by_side(lambda share: part(bounds[share], bounds[share + 1]), shares)


_BODY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


@lru_cache(maxsize=1)
def _parallel() -> Callable[..., object] | None:
    """libgomp's entry into a parallel region, `GOMP_parallel(function, data, threads, flags)`."""
    if "parallel backend: OpenMP" not in torch.__config__.parallel_info():
        return None
    try:
        return ctypes.CDLL(None).GOMP_parallel  # torch loads it for all of the process
    except (AttributeError, OSError, TypeError):
        return None
