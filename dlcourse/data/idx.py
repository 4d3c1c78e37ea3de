"""The idx format of MNIST's files (described at http://yann.lecun.com/exdb/mnist/)."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import torch
from torch import Tensor

from dlcourse.data.fetch import INSTEAD, gunzip
from dlcourse.errors import DataError

_LIMIT = 1 << 30
"""Most bytes that a file may have: twenty times the largest official one."""
_UNSIGNED_BYTE = 8
"""The type code of MNIST's files."""


def read_idx(path: Path, *, dimensions: int) -> Tensor:
    """The uint8 array in an idx file, plain or gzipped (.gz).

    Raises:
        DataError: the file cannot be read or is not what its header promises.
    """
    return parse_idx(_content(path), name=str(path), dimensions=dimensions)


def parse_idx(content: bytes, *, name: str, dimensions: int) -> Tensor:
    """The uint8 array in an idx file.

    The format: two zero bytes, the type, the number of dimensions, each dimension as a big-endian uint32, the bytes.

    Args:
        content: the whole file.
        name: what an error calls it.
        dimensions: how many the array must have.

    Raises:
        DataError: the header is another one, or the length is not what it promises.
    """
    header = 4 + 4 * dimensions
    if len(content) < header or content[:4] != bytes((0, 0, _UNSIGNED_BYTE, dimensions)):
        raise DataError(
            f"{name}: no idx file of bytes in {dimensions} dimensions, found header {content[:4].hex(' ')!r}"
        )
    shape: tuple[int, ...] = struct.unpack(f">{dimensions}I", content[4:header])
    expected = header + math.prod(shape)
    if len(content) != expected or expected == header:
        raise DataError(
            f"{name}: expected {expected:,} bytes for {' x '.join(map(str, shape))}, found {len(content):,}: "
            f"move it away to download it again, or {INSTEAD}"
        )
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=header).view(shape)


def _content(path: Path) -> bytes:
    if path.suffix == ".gz":
        return gunzip(path, limit=_LIMIT)
    try:
        size = path.stat().st_size
        if size > _LIMIT:
            raise DataError(f"{path}: expected at most {_LIMIT:,} bytes, found {size:,}")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): {INSTEAD}") from None
