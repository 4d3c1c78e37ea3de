"""Arrays kept on the disk: made once, checked when read, never in the way."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from dlcourse.data import cache
from dlcourse.data.cache import cache_folder, cached

ARRAYS: Mapping[str, np.ndarray] = {
    "values": np.arange(1000, dtype=np.int32),
    "offsets": np.array([0, 3, 1000]),
    "none": np.zeros((0, 4), dtype=np.float32),
    "flags": np.array([[True], [False]]),
    "one": np.array(7.5),
}


class Maker:
    """Counts how often it is asked."""

    def __init__(self, arrays: Mapping[str, np.ndarray] = ARRAYS) -> None:
        self.arrays, self.asked = arrays, 0

    def __call__(self) -> Mapping[str, np.ndarray]:
        self.asked += 1
        return self.arrays


def same(found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray] = ARRAYS) -> bool:
    return found.keys() == expected.keys() and all(
        np.array_equal(found[name], one) and found[name].dtype == one.dtype for name, one in expected.items()
    )


def test_arrays_are_made_once_and_then_mapped_from_the_disk(tmp_path: Path) -> None:
    make = Maker()
    for _ in range(3):
        found = cached("some-key_1", make, folder=tmp_path / "新 a=(1)")
        assert same(found)
        assert isinstance(found["values"], np.memmap) and not found["values"].flags.writeable
    assert make.asked == 1
    assert [path.name for path in (tmp_path / "新 a=(1)").iterdir()] == ["some-key_1"]


def test_another_key_is_another_entry(tmp_path: Path) -> None:
    make = Maker()
    cached("a", make, folder=tmp_path)
    cached("b", make, folder=tmp_path)
    assert make.asked == 2


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def pickled(path: Path) -> None:
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)


@pytest.mark.parametrize("damage", [flip, shorten, pickled, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_damaged_array_is_made_anew(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    make = Maker()
    cached("key", make, folder=tmp_path)
    damage(tmp_path / "key" / "values.npy")
    assert same(cached("key", make, folder=tmp_path))
    assert same(cached("key", make, folder=tmp_path))
    assert make.asked == 2


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"values": 1}', '{"other": 1}'])
def test_an_entry_without_its_contents_is_made_anew(tmp_path: Path, content: str) -> None:
    make = Maker()
    cached("key", make, folder=tmp_path)
    (tmp_path / "key" / "contents.json").write_text(content)
    assert same(cached("key", make, folder=tmp_path))
    assert make.asked == 2


def test_a_folder_that_cannot_be_written_only_costs_the_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    make = Maker()
    for _ in range(2):
        assert same(cached("key", make, folder=tmp_path / "file" / "cache"))
    assert make.asked == 2


def test_a_writer_that_dies_leaves_no_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache, "write_json", die)
    with pytest.raises(KeyboardInterrupt):
        cached("key", Maker(), folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_fault_while_making_is_passed_on_and_nothing_is_kept(tmp_path: Path) -> None:
    def fail() -> Mapping[str, np.ndarray]:
        raise LookupError("no")

    with pytest.raises(LookupError):
        cached("key", fail, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_folder_is_ones_own_or_the_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("DLCOURSE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == tmp_path / ".cache" / "dlcourse"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "dlcourse"
    monkeypatch.setenv("DLCOURSE_CACHE", "~/own")
    assert cache_folder() == tmp_path / "own"
    cached("key", Maker())
    assert (tmp_path / "own" / "key" / "values.npy").is_file()


def test_without_a_home_folder_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLCOURSE_CACHE", "~no-such-user-here/x")
    make = Maker()
    assert same(cached("key", make)) and same(cached("key", make))
    assert make.asked == 2


@pytest.mark.parametrize("key", ["", "a/b", "..", "a b", "x" * 101])
def test_a_key_that_is_no_file_name_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match=r"^key must be 1 to 100 letters"):
        cached(key, Maker(), folder=tmp_path)
    with pytest.raises(ValueError, match=r"^array name must be"):
        cached("key", Maker({"../x": np.zeros(1)}), folder=tmp_path)
