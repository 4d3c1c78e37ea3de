"""Ragged arrays are lists of lists."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.text.ragged import Ragged

LISTS = st.lists(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5), max_size=6)


def plain(ragged: Ragged) -> list[list[int]]:
    return [items.tolist() for items in ragged]


def test_three_lists_by_hand() -> None:
    ragged = Ragged.of([[5, 6], [], [7]])
    assert ragged.values.tolist() == [5, 6, 7] and ragged.values.dtype == np.int32
    assert ragged.offsets.tolist() == [0, 2, 2, 3] and ragged.offsets.dtype == np.int64
    assert ragged.lengths.tolist() == [2, 0, 1]
    assert len(ragged) == 3
    assert ragged[-1].tolist() == [7]
    assert plain(ragged.select([2, 0, 0])) == [[7], [5, 6], [5, 6]]


@given(LISTS)
def test_lists_come_back(lists: list[list[int]]) -> None:
    ragged = Ragged.of(lists)
    assert plain(ragged) == lists == [ragged[index].tolist() for index in range(len(lists))]
    assert ragged.lengths.tolist() == list(map(len, lists))


@given(LISTS.filter(bool), st.data())
def test_selecting_is_indexing(lists: list[list[int]], data: st.DataObject) -> None:
    indices = data.draw(st.lists(st.integers(-len(lists), len(lists) - 1)))
    chosen = Ragged.of(lists).select(indices)
    assert plain(chosen) == [lists[index] for index in indices]
    assert plain(Ragged.of(lists).select(np.array(indices, dtype=np.int32))) == plain(chosen)


@given(st.lists(LISTS))
def test_joining_is_adding_lists(parts: list[list[list[int]]]) -> None:
    assert plain(Ragged.join(map(Ragged.of, parts))) == list(chain.from_iterable(parts))


def test_arrays_may_be_mapped_from_files(tmp_path: Path) -> None:
    ragged = Ragged.of([[1], [2, 3]])
    for name, array in (("values", ragged.values), ("offsets", ragged.offsets)):
        np.save(tmp_path / f"{name}.npy", array)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("values", "offsets")]
    assert plain(Ragged(*mapped).select([1])) == [[2, 3]]


@pytest.mark.parametrize("index", [2, -3])
def test_a_list_that_is_not_there_is_an_index_error(index: int) -> None:
    ragged = Ragged.of([[1], [2]])
    with pytest.raises(IndexError):
        ragged[index]
    with pytest.raises(IndexError):
        ragged.select([index])


@pytest.mark.parametrize(
    ("values", "offsets", "named"),
    [
        (np.zeros(2, np.int64), np.array([0, 2]), "values"),
        (np.zeros((2, 1), np.int32), np.array([0, 2]), "values"),
        (np.zeros(2, np.int32), np.array([0, 2], np.int32), "offsets"),
        (np.zeros(2, np.int32), np.array([], np.int64), "offsets"),
        (np.zeros(2, np.int32), np.array([0, 3]), "offsets"),
        (np.zeros(2, np.int32), np.array([1, 2]), "offsets"),
        (np.zeros(2, np.int32), np.array([0, 2, 1, 2]), "offsets"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(values: np.ndarray, offsets: np.ndarray, named: str) -> None:
    with pytest.raises(ValueError, match=rf"^{named} must"):
        Ragged(values, offsets)


def test_an_id_of_more_than_32_bits_is_refused() -> None:
    with pytest.raises(ValueError, match=f"^lists must hold ids of 32 bits, not {2**31}"):
        Ragged.of([[2**31]])
