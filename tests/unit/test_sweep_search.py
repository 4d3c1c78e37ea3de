"""Which arms are tried: grids, draws that a seed repeats, and what Optuna proposes from a journal."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from dlcourse.errors import ConfigError
from dlcourse.sweep.search import Grid, Random, Search, Tried, share
from dlcourse.sweep.space import Axis, Interval, Space, Values
from dlcourse.sweep.tpe import Tpe, optuna

LR = Interval("optimizer.lr", 1e-4, 1.0, log=True, whole=False)
WIDTH = Interval("model.width", 2, 9, log=False, whole=True)
KIND = Values("optimizer", ("sgd", "adamw", "rmsprop"))


def space(*axes: Axis) -> Space:
    return Space((), (), axes, (), ())


def all_of(search: Search, *, score: Callable[[tuple[str, ...]], float | None] = lambda words: 0.0) -> list[Tried]:
    tried: list[Tried] = []
    while (words := search.propose(tried)) is not None:
        tried.append(Tried(words, score(words), ended=True))
    return tried


def lr_of(words: tuple[str, ...]) -> float:
    return float(words[0].partition("=")[2])


def test_a_grid_is_the_product_the_last_axis_fastest() -> None:
    grid = Grid((Values("a", ("1", "2")), Values("b", ("x", "y"))))
    assert [one.words for one in all_of(grid)] == [
        ("a=1", "b=x"), ("a=1", "b=y"), ("a=2", "b=x"), ("a=2", "b=y"),
    ]  # fmt: skip
    assert [one.words for one in all_of(Grid(()))] == [()]


def test_draws_are_even() -> None:
    found = [share(1, arm, "x", 0) for arm in range(2000)]
    assert kstest(found, "uniform").pvalue > 0.01
    assert all(0 <= one < 1 for one in found)
    lrs = [math.log10(lr_of(one.words)) for one in all_of(Random(space(LR), 1000, 1))]
    assert kstest(lrs, "uniform", (-4, 4)).pvalue > 0.01


@given(st.integers(0, 99), st.integers(1, 30))
@settings(max_examples=20)
def test_random_arms_differ_repeat_by_seed_and_begin_alike(seed: int, trials: int) -> None:
    found = all_of(Random(space(KIND, WIDTH), trials, seed))
    assert len({one.words for one in found}) == len(found) == min(trials, 24)
    assert all_of(Random(space(KIND, WIDTH), trials + 5, seed))[: len(found)] == found


def test_a_space_that_is_used_up_ends_the_search() -> None:
    for search in (Random(space(KIND), 50, 1), Tpe(space(KIND), 50, 1)):
        assert {one.words for one in all_of(search)} == {(f"optimizer={name}",) for name in KIND.texts}


def test_another_seed_draws_other_arms() -> None:
    assert all_of(Random(space(LR), 5, 1)) != all_of(Random(space(LR), 5, 2))


@pytest.mark.parametrize("seed", [1, 2])
def test_tpe_soon_looks_where_arms_do_well(seed: int) -> None:
    pytest.importorskip("optuna")

    def score(words: tuple[str, ...]) -> float:
        return -abs(math.log10(lr_of(words)) + 2.7)

    def late(search: Search) -> float:
        found = [one.score or 0.0 for one in all_of(search, score=score)[12:]]
        return sum(found) / len(found)

    assert late(Tpe(space(LR), 22, seed)) > late(Random(space(LR), 22, seed)) + 0.3


def test_what_tpe_proposes_is_a_function_of_what_was_tried() -> None:
    pytest.importorskip("optuna")
    searched = space(LR, WIDTH, KIND)
    found = all_of(Tpe(searched, 12, 3), score=lambda words: -abs(math.log10(lr_of(words)) + 2))
    again: list[Tried] = []
    for one in found:  # a process of its own for each arm would see the same
        assert Tpe(searched, 12, 3).propose(again) == one.words
        again.append(one)
    other = [Tried(one.words, -(one.score or 0.0), ended=True) for one in found[:-1]]
    assert Tpe(searched, 12, 3).propose(other) != found[-1].words


def test_tpe_takes_arms_that_failed_and_arms_under_way() -> None:
    pytest.importorskip("optuna")
    tried = [Tried((f"optimizer.lr={10**-number}",), 0.5, ended=True) for number in range(4)]
    tried += [Tried(("optimizer.lr=0.5",), None, ended=True), Tried(("optimizer.lr=0.25",), None, ended=False)]
    words = Tpe(space(LR), 10, 1).propose(tried)
    assert words is not None and 1e-4 <= lr_of(words) <= 1


def test_tpe_avoids_where_everything_failed() -> None:
    pytest.importorskip("optuna")
    found = all_of(Tpe(space(LR), 24, 1), score=lambda words: None if lr_of(words) > 1e-3 else 0.9)
    late = [lr_of(one.words) <= 1e-3 for one in found[12:]]  # a quarter of even draws would be
    assert sum(late) > 0.5 * len(late)


def test_without_optuna_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", without)
    with pytest.raises(ConfigError, match=r'pip install "dlcourse\[sweep\]"'):
        optuna()
