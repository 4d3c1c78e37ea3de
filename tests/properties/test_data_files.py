"""Whatever bytes a data file holds, the answer is a right reading or a DataError."""

import gzip
import io
import struct
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dlcourse.data.cifar import CIFAR10
from dlcourse.data.decode import decode_all
from dlcourse.data.fetch import gunzip, unpack_tar
from dlcourse.data.idx import parse_idx, read_idx
from dlcourse.errors import DataError

RECORD = 3073
FEWER = settings(max_examples=max(60, settings.default.max_examples // 4))  # each takes some milliseconds
T = TypeVar("T")


def png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.arange(300, dtype=np.uint16).astype(np.uint8).reshape(10, 10, 3)).save(buffer, "PNG")
    return buffer.getvalue()


def tar_gz() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("set/a", "set/b"):
            info = tarfile.TarInfo(name)
            info.size = 600
            archive.addfile(info, io.BytesIO(bytes(600)))
    return buffer.getvalue()


def attempt(read: Callable[[], T]) -> T | DataError:
    """What `read` gives, or its refusal; any other exception fails the test."""
    try:
        return read()
    except DataError as error:
        return error


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """`whole` with some bytes changed, cut short or followed by others."""
    content = bytearray(whole)
    for place, byte in draw(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=6)):
        content[place] = byte
    return bytes(content[: draw(st.integers(0, len(whole)))] if draw(st.booleans()) else content) + draw(
        st.binary(max_size=8)
    )


@FEWER
@given(labels=st.lists(st.integers(0, 12), min_size=1, max_size=4), change=st.sampled_from([0, 0, -1, 1, RECORD]))
def test_a_cifar_file_is_read_right_or_refused(labels: list[int], change: int) -> None:
    records = b"".join(bytes([label]) + bytes([label * 20]) * 3072 for label in labels)
    content = (records + bytes(change)) if change >= 0 else records[:change]
    with tempfile.TemporaryDirectory() as name, patch.multiple(CIFAR10, train_records=len(labels), test_records=1):
        for file in CIFAR10.train_files:
            Path(name, file).write_bytes(content)
        Path(name, "test_batch.bin").write_bytes(bytes(RECORD))
        parts = attempt(CIFAR10(root=name, download=False).read)
    assert isinstance(parts, DataError) == bool(change or max(labels) > 9)
    if isinstance(parts, DataError):
        assert "data_batch_1.bin" in str(parts)
    else:
        assert parts.train.labels.tolist() == labels * 5
        assert parts.train.images[:, 3, 4, 1].tolist() == [label * 20 for label in labels * 5]


@given(content=st.binary(max_size=64), dimensions=st.sampled_from([1, 3]))
def test_arbitrary_bytes_are_no_idx_file_or_a_right_one(content: bytes, dimensions: int) -> None:
    array = attempt(lambda: parse_idx(content, name="x", dimensions=dimensions))
    assert isinstance(array, DataError) or bytes(array.flatten().tolist()) == content[4 + 4 * dimensions :]


@given(shape=st.tuples(*[st.integers(1, 5)] * 3), data=st.data())
def test_an_idx_file_gives_back_its_array_and_a_damaged_one_never_more(
    shape: tuple[int, int, int], data: st.DataObject
) -> None:
    size = int(np.prod(shape))
    body = data.draw(st.binary(min_size=size, max_size=size))
    whole = struct.pack(">BBBB3I", 0, 0, 8, 3, *shape) + body
    assert bytes(parse_idx(whole, name="x", dimensions=3).flatten().tolist()) == body
    content = data.draw(damaged(whole))
    array = attempt(lambda: parse_idx(content, name="x", dimensions=3))
    assert isinstance(array, DataError) or array.numel() == len(content) - 16


@given(content=st.one_of(st.binary(max_size=200), damaged(gzip.compress(bytes(range(200))))))
def test_a_gzipped_file_is_unpacked_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "x.gz")
        path.write_bytes(content)
        for answer in (attempt(lambda: gunzip(path, limit=10_000)), attempt(lambda: read_idx(path, dimensions=1))):
            assert not isinstance(answer, DataError) or "x.gz" in str(answer)


@given(plain=damaged(tar_gz()))
def test_a_damaged_archive_is_unpacked_inside_its_folder_or_refused(plain: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        archive = Path(name, "a.tar.gz")
        archive.write_bytes(gzip.compress(plain, 1))
        inside = Path(name, "inside")
        inside.mkdir()
        answer = attempt(lambda: unpack_tar(archive, folder=inside, limit=100_000))
        if isinstance(answer, DataError):
            assert "\n" not in str(answer)
            assert list(inside.iterdir()) == []
        assert sorted(path.name for path in Path(name).iterdir()) == ["a.tar.gz", "inside"]


@FEWER
@given(content=st.one_of(st.binary(max_size=100), damaged(png())), extension=st.sampled_from(["png", "jpg", "gif"]))
def test_any_bytes_are_decoded_to_one_square_or_refused_by_name(content: bytes, extension: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, f"x.{extension}")
        path.write_bytes(content)
        images = attempt(lambda: decode_all([path], size=4, channels=3, workers=1))
    if isinstance(images, DataError):
        assert str(path) in str(images)
        assert "\n" not in str(images)
    else:
        assert images.shape == (1, 4, 4, 3)
