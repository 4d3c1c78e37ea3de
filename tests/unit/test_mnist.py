"""MNIST's idx files, plain, gzipped, missing and broken."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcourse.data import mnist
from dlcourse.data.fetch import Remote
from dlcourse.data.idx import parse_idx
from dlcourse.data.mnist import MNIST, FashionMNIST
from dlcourse.errors import DataError

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx(array: np.ndarray) -> bytes:
    """An idx file by the format's description."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def contents(*, train: int = 40, test: int = 20) -> dict[str, bytes]:
    generator = np.random.default_rng(0)
    arrays = [
        array
        for count in (train, test)
        for array in (generator.integers(0, 256, (count, 28, 28)), np.arange(count) % 10)
    ]
    return {name: idx(array) for name, array in zip(FILES, arrays, strict=True)}


def write(folder: Path, *, packed: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents().items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("place", ["mnist", "MNIST/raw", "MNIST", "."])
def test_files_are_found_plain_or_packed_wherever_they_usually_lie(tmp_path: Path, place: str, packed: bool) -> None:
    write(tmp_path / place, packed=packed)
    parts = MNIST(root=str(tmp_path), download=False).read()
    raw = contents()[FILES[0]]
    expected = np.frombuffer(raw, np.uint8, 784, 16 + 7 * 784).reshape(28, 28, 1)
    assert np.array_equal(parts.train.images[7].numpy(), expected)
    assert parts.test.labels.tolist() == [number % 10 for number in range(20)]
    assert parts.train.labels.dtype == torch.int64


def test_both_sets_have_ten_grey_classes() -> None:
    for kind in (MNIST, FashionMNIST):
        facts = kind().facts()
        assert (facts["num_classes"], facts["in_channels"], facts["image_size"]) == (10, 1, 28)


def test_missing_files_are_fetched_from_every_mirror_with_their_checksums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Remote] = []

    def deliver(remote: Remote, *, folder: Path) -> Path:
        asked.append(remote)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / remote.name).write_bytes(gzip.compress(contents()[remote.name.removesuffix(".gz")]))
        return folder / remote.name

    monkeypatch.setattr(mnist, "fetch", deliver)
    splits = MNIST(root=str(tmp_path)).load()
    assert (len(splits.train), len(splits.val), len(splits.test)) == (30, 10, 20)
    assert [remote.name for remote in asked] == [f"{name}.gz" for name in FILES]
    assert asked[0].checksum == "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873"
    assert asked[3].urls[0] == "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz"


def test_addresses_and_checksums_are_those_that_torchvision_cites() -> None:
    from torchvision.datasets import mnist as cited

    for ours, theirs in ((MNIST, cited.MNIST), (FashionMNIST, cited.FashionMNIST)):
        assert list(ours.mirrors) == theirs.mirrors
        assert list(zip([f"{name}.gz" for name in FILES], ours.checksums, strict=True)) == theirs.resources


def test_nothing_is_fetched_when_download_is_false(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no mnist folder, and data.download is false"):
        MNIST(root=str(tmp_path), download=False).load()
    (write(tmp_path / "mnist") / FILES[1]).unlink()
    with pytest.raises(DataError, match=rf"lacks {FILES[1]}"):
        MNIST(root=str(tmp_path), download=False).load()


@pytest.mark.parametrize("packed", [False, True])
def test_a_truncated_file_is_named_with_both_sizes(tmp_path: Path, packed: bool) -> None:
    folder = write(tmp_path / "mnist", packed=packed)
    short = contents()[FILES[0]][:-5]
    path = folder / (FILES[0] + ".gz" * packed)
    path.write_bytes(gzip.compress(short) if packed else short)
    with pytest.raises(DataError, match=rf"{path.name}: expected 31,376 bytes for 40 x 28 x 28, found 31,371"):
        MNIST(root=str(tmp_path)).load()


def test_a_label_out_of_range_is_named_with_its_record(tmp_path: Path) -> None:
    folder = write(tmp_path / "mnist")
    (folder / FILES[3]).write_bytes(idx(np.array([0] * 19 + [10])))
    with pytest.raises(DataError, match=rf"{FILES[3]}: record 19 has label 10"):
        MNIST(root=str(tmp_path)).load()


def test_images_and_labels_must_be_equally_many(tmp_path: Path) -> None:
    folder = write(tmp_path / "mnist")
    (folder / FILES[1]).write_bytes(idx(np.zeros(39)))
    with pytest.raises(DataError, match=r"holds 40 images, .* holds 39 labels"):
        MNIST(root=str(tmp_path)).load()


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "mnist")
    (folder / FILES[0]).write_bytes(idx(np.zeros((40, 14, 56))))
    with pytest.raises(DataError, match=r"expected images of 28x28 pixels, found 14x56"):
        MNIST(root=str(tmp_path)).load()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"\0\0\x08\x03" + b"\0" * 8,
        idx(np.zeros((2, 2))),
        struct.pack(">BBBB3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1),
        struct.pack(">BBBB3I", 0, 0, 13, 3, 1, 1, 1) + b"x",
        idx(np.zeros((0, 28, 28))),
    ],
)
def test_a_header_that_lies_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match=r"^x: "):
        parse_idx(content, name="x", dimensions=3)
