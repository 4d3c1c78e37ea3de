"""Whether two runs ended on the same bits: SHA-256 of every part of their checkpoints and of their metrics."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from dlcourse.folders import RunFolder
from dlcourse.training import checkpoint

PARTS: Mapping[str, tuple[str, ...]] = {
    "weights": ("model",),
    "ema": ("ema",),
    "optimizer": ("optimizer",),
    "scheduler": ("scheduler",),
    "scaler": ("scaler",),
    "best so far": ("best",),
    "place": ("step", "epoch", "batch", "losses", "skipped"),
}
"""What it is called -> its keys in a checkpoint."""


@dataclass(frozen=True)
class Part:
    """One part of a run: what it is called, its SHA-256, and that of everything in it by dotted name."""

    name: str
    sha256: str
    leaves: Mapping[str, str]


def parts_of(folder: RunFolder) -> list[Part]:
    """Everything that must be equal, the last checkpoint's parts first.

    Raises:
        CheckpointError: a checkpoint cannot be read.
    """
    last, best = (checkpoint.load(folder.checkpoints / f"{name}.pt") for name in ("last", "best"))
    lines = folder.metrics.read_bytes().splitlines(keepends=True)
    keys = [key for keys in PARTS.values() for key in keys]
    return [
        *(part(name, {key: last.get(key) for key in keys}) for name, keys in PARTS.items()),
        part("best.pt", {key: best.get(key) for key in keys}),
        part("metrics.jsonl", {f"line {number}": line for number, line in enumerate(lines, start=1)}),
    ]


def part(name: str, value: Mapping[str, object]) -> Part:
    """`value` with its digests."""
    leaves = dict(digests(value, at=name))
    whole = hashlib.sha256("".join(f"{at}={digest}\n" for at, digest in leaves.items()).encode()).hexdigest()
    return Part(name, whole, leaves)


def digests(value: Any, *, at: str) -> Iterator[tuple[str, str]]:
    """(dotted name, SHA-256) of every tensor and plain value nested in `value`."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from digests(item, at=f"{at}.{key}")
    elif isinstance(value, list | tuple):
        yield f"{at}.length", str(len(value))
        for number, item in enumerate(value):
            yield from digests(item, at=f"{at}.{number}")
    elif value is not None:
        yield at, hashlib.sha256(raw(value)).hexdigest()


def raw(value: object) -> bytes:
    """The bits of one value, its type and shape before them."""
    if isinstance(value, torch.Tensor):
        head = f"{value.dtype} {tuple(value.shape)} ".encode()
        return head + value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
    return value if isinstance(value, bytes) else repr(value).encode()


def first_difference(straight: list[Part], broken: list[Part]) -> str | None:
    """The name of the first thing that is not the same in both, None if everything is."""
    for one, other in zip(straight, broken, strict=True):
        for name in [*one.leaves, *other.leaves]:
            if one.leaves.get(name) != other.leaves.get(name):
                return name
    return None
