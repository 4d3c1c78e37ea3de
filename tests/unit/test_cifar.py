"""CIFAR's binary files, made small, read whole and broken in every way that users meet."""

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcourse.data import cifar
from dlcourse.data.cifar import CIFAR10, CIFAR100
from dlcourse.data.fetch import Remote
from dlcourse.data.images import ImageSplit
from dlcourse.errors import DataError

TRAIN, TEST = 30, 10


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a few records: their number is the only thing that differs from the official format."""
    for kind in (CIFAR10, CIFAR100):
        monkeypatch.setattr(kind, "train_records", TRAIN)
        monkeypatch.setattr(kind, "test_records", TEST)


def contents(kind: type[CIFAR10] | type[CIFAR100]) -> dict[str, bytes]:
    """Official-looking files by name; record i of a file has label i modulo the number of classes."""
    generator = np.random.default_rng(0)
    files: dict[str, bytes] = {}
    for name in (*kind.train_files, *kind.test_files):
        count = TEST if name in kind.test_files else TRAIN
        table = generator.integers(0, 256, (count, kind.label_bytes + 3072), dtype=np.uint8)
        table[:, 0] = 19
        table[:, kind.label_bytes - 1] = np.arange(count) % 10
        files[name] = table.tobytes()
    return files


def write(folder: Path, kind: type[CIFAR10] | type[CIFAR100]) -> Path:
    folder.mkdir(parents=True)
    for name, content in contents(kind).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("kind", [CIFAR10, CIFAR100])
def test_records_become_images_with_their_labels(tmp_path: Path, kind: type[CIFAR10] | type[CIFAR100]) -> None:
    write(tmp_path / kind.folder_name, kind)
    parts = kind(root=str(tmp_path), download=False).read()
    record = 2 if kind is CIFAR100 else TRAIN + 2  # of the second file, where there is one
    raw = contents(kind)[kind.train_files[-1 if kind is CIFAR100 else 1]]
    start = 2 * (kind.label_bytes + 3072)
    label = raw[start + kind.label_bytes - 1]
    planes = np.frombuffer(raw, np.uint8, 3072, start + kind.label_bytes).reshape(3, 32, 32)
    assert int(parts.train.labels[record]) == label == 2
    assert np.array_equal(parts.train.images[record].numpy(), planes.transpose(1, 2, 0))
    assert len(parts.train.labels) == TRAIN * len(kind.train_files)
    assert len(parts.test.labels) == TEST


@pytest.mark.parametrize("inside", [False, True])
def test_root_is_the_sets_folder_or_the_one_that_holds_it(tmp_path: Path, inside: bool) -> None:
    folder = write(tmp_path / "数据 a=(1)" / "cifar-10-batches-bin", CIFAR10)
    splits = CIFAR10(root=str(folder if inside else folder.parent)).load()
    assert (len(splits.train), len(splits.val), len(splits.test)) == (130, 20, 10)


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write(tmp_path / "mine" / "cifar-10-batches-bin", CIFAR10)
    assert len(CIFAR10(root="~/mine").load().test) == TEST


def test_facts_are_known_before_anything_is_read() -> None:
    ten, hundred = CIFAR10(root="/nowhere").facts(), CIFAR100(root="/nowhere").facts()
    assert (ten["num_classes"], ten["in_channels"], ten["image_size"]) == (10, 3, 32)
    assert hundred["num_classes"] == len(set(CIFAR100.known_classes)) == 100
    assert list(CIFAR100.known_classes) == sorted(CIFAR100.known_classes)


def test_class_names_come_from_the_publishers_file_if_it_is_there(tmp_path: Path) -> None:
    folder = write(tmp_path / "cifar-10-batches-bin", CIFAR10)
    names = [f"kind {number}" for number in range(10)]
    (folder / "batches.meta.txt").write_text("\n".join(names) + "\n\n")
    train = CIFAR10(root=str(tmp_path)).load().train
    assert isinstance(train, ImageSplit)
    assert train.classes == tuple(names)
    (folder / "batches.meta.txt").write_text("one\ntwo\n")
    with pytest.raises(DataError, match=r"batches.meta.txt: expected 10 different class names, found 2"):
        CIFAR10(root=str(tmp_path)).load()


def test_other_bytes_than_the_official_ones_are_accepted_with_their_own_fingerprint(tmp_path: Path) -> None:
    folder = write(tmp_path / "cifar-10-batches-bin", CIFAR10)
    before = CIFAR10(root=str(tmp_path)).load().test.fingerprint
    content = bytearray((folder / "test_batch.bin").read_bytes())
    content[-1] ^= 1
    (folder / "test_batch.bin").write_bytes(content)
    assert CIFAR10(root=str(tmp_path)).load().test.fingerprint != before


@pytest.mark.parametrize("change", [-1, 1, -3073])
def test_a_file_of_the_wrong_size_is_named_with_both_sizes(tmp_path: Path, change: int) -> None:
    path = write(tmp_path / "cifar-10-batches-bin", CIFAR10) / "data_batch_3.bin"
    whole = path.read_bytes()
    path.write_bytes(whole[:change] if change < 0 else whole + b"x")
    with pytest.raises(DataError) as caught:
        CIFAR10(root=str(tmp_path)).load()
    assert f"data_batch_3.bin: expected {TRAIN * 3073:,} bytes, found {TRAIN * 3073 + change:,}" in str(caught.value)


def test_a_label_out_of_range_is_named_with_its_record(tmp_path: Path) -> None:
    path = write(tmp_path / "cifar-10-batches-bin", CIFAR10) / "data_batch_2.bin"
    content = bytearray(path.read_bytes())
    content[4 * 3073] = 10
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"data_batch_2.bin: record 4 has label 10, but labels are 0 to 9"):
        CIFAR10(root=str(tmp_path)).load()


def test_missing_files_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "cifar-10-batches-bin", CIFAR10)
    (folder / "data_batch_5.bin").unlink()
    (folder / "test_batch.bin").unlink()
    with pytest.raises(DataError, match=r"lacks data_batch_5.bin, test_batch.bin"):
        CIFAR10(root=str(tmp_path)).load()


def test_a_missing_set_that_may_not_be_downloaded_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no cifar-10-batches-bin folder.*data.download=true.*data.root="):
        CIFAR10(root=str(tmp_path), download=False).load()


def test_a_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(DataError, match=r"is no folder"):
        CIFAR10(root=str(tmp_path / "x")).load()


def test_a_missing_set_is_downloaded_unpacked_and_its_archive_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in contents(CIFAR10).items():
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))

    def deliver(remote: Remote, *, folder: Path) -> Path:
        assert remote == CIFAR10.archive
        folder.mkdir(parents=True)
        path = folder / remote.name
        path.write_bytes(packed.getvalue())
        return path

    monkeypatch.setattr(cifar, "fetch", deliver)
    root = tmp_path / "new" / "data"
    assert len(CIFAR10(root=str(root)).load().test) == TEST
    assert [path.name for path in root.iterdir()] == ["cifar-10-batches-bin"]


def test_the_official_checksums_stand_beside_the_publishers_addresses() -> None:
    assert CIFAR10.archive.checksum == "md5:c32a1d4ab5d03f1284b67883e8d87530"
    assert CIFAR100.archive.name == "cifar-100-binary.tar.gz"
    assert len(hashlib.md5(b"").hexdigest()) + 4 == len(CIFAR100.archive.checksum)


@pytest.mark.parametrize("root", ["", "a\0b", "~no-such-user-here/x"])
def test_an_impossible_root_is_refused_by_name(root: str) -> None:
    with pytest.raises(ValueError, match=r"^root "):
        CIFAR10(root=root)


def test_the_same_folder_gives_the_same_splits(tmp_path: Path) -> None:
    write(tmp_path / "cifar-10-batches-bin", CIFAR10)
    first, second = (CIFAR10(root=str(tmp_path)).load() for _ in range(2))
    assert first.train.fingerprint == second.train.fingerprint
    assert torch.equal(first.train.fetch(torch.arange(3)).labels, second.train.fetch(torch.arange(3)).labels)
