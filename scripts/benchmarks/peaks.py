"""What this machine does at most: products a second by kind and type of number, and bytes a second to main memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import torch
from torch.nn.functional import conv2d

from benchmarks.work import Product

SECONDS = 0.15  # of trials for each peak
MOST_TRIALS = 50
Rate = tuple[float, float]
"""So much a second of the wall clock, and a second of processor time of all threads together."""


def peak(product: Product, *, device: torch.device, wait: Callable[[], None]) -> Rate:
    """Operations a second of large products of this kind; the best trial counts.

    Args:
        product: "convolution" or "matrix", and the type of its numbers.
        device: where.
        wait: returns when the device has done what it was asked for.
    """
    kind, name = product
    dtype, large = getattr(torch, name), device.type == "cuda"
    with torch.no_grad():
        if kind == "matrix":
            side = 8192 if large else 1024
            left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
            return best(lambda: left @ right, work=2 * side**3, device=device, wait=wait)
        found: list[Rate] = []
        for channels, pixels in ((64, 32), (256, 16)):
            batch = (2048 if large else 32) * 64 // channels
            images = torch.randn(batch, channels, pixels, pixels, device=device).to(dtype)
            images = images.to(memory_format=torch.channels_last)
            weight = torch.randn(channels, channels, 3, 3, device=device).to(dtype)
            weight = weight.to(memory_format=torch.channels_last)
            work = 2 * batch * pixels**2 * 9 * channels**2
            call = lambda images=images, weight=weight: conv2d(images, weight, padding=1)  # noqa: E731
            found.append(best(call, work=work, device=device, wait=wait))
        return highest(found)


def bandwidth(*, device: torch.device, wait: Callable[[], None]) -> Rate:
    """Bytes a second that a copy, or a sum of two into a third, reads and writes in stretches past every cache."""
    count = (2**30 if device.type == "cuda" else 2**27) // 4
    first, second, third = (torch.ones(count, device=device) for _ in range(3))
    copied = best(lambda: first.copy_(second), work=8 * count, device=device, wait=wait)
    added = best(lambda: torch.add(second, third, alpha=2.0, out=first), work=12 * count, device=device, wait=wait)
    return highest([copied, added])


def best(call: Callable[[], object], *, work: float, device: torch.device, wait: Callable[[], None]) -> Rate:
    """The most `work` a second of several trials; a GPU's trial is several calls, so that asking hides behind them."""
    calls = 10 if device.type == "cuda" else 1
    call()
    wait()
    found: list[Rate] = []
    until = time.perf_counter() + SECONDS
    while len(found) < 3 or (time.perf_counter() < until and len(found) < MOST_TRIALS):
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(calls):
            call()
        wait()
        found.append((calls * work / (time.perf_counter() - wall), calls * work / (time.process_time() - cpu)))
    return highest(found)


def highest(rates: Iterable[Rate]) -> Rate:
    """Of each clock the best."""
    walls, cpus = zip(*rates, strict=True)
    return max(walls), max(cpus)
