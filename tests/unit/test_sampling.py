"""How scores become chances and a chance a choice: by hand, and against plain sorting in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from dlcourse.tasks.drawing import BLOCK, choose, draw
from dlcourse.tasks.sampling import Sampling

NOTHING = torch.zeros(1, 0, dtype=torch.int64)
SCORES = st.lists(st.integers(0, 60), min_size=1, max_size=10, unique=True).flatmap(
    lambda steps: st.permutations([*(-step / 8 for step in steps), -math.inf, -math.inf])
)
"""Different ones, for which of two equal scores comes first is nobody's promise."""


def chances(*values: float) -> Tensor:
    return torch.tensor([values])


def weights(scores: Tensor, *, used: Tensor = NOTHING, **settings: float) -> list[float]:
    found = Sampling(**settings).weights(scores.clone(), used=used)[0]  # type: ignore[arg-type]
    return (found / found.sum()).tolist()


def test_each_setting_by_hand() -> None:
    scores = chances(0.5, 0.3, 0.2)
    assert weights(scores) == pytest.approx([0.5, 0.3, 0.2])
    assert weights(scores, temperature=0.5) == pytest.approx([25 / 38, 9 / 38, 4 / 38])
    assert weights(scores, top_k=2) == pytest.approx([5 / 8, 3 / 8, 0])
    assert weights(scores, top_k=9) == pytest.approx([0.5, 0.3, 0.2])
    assert weights(scores, min_p=0.5) == pytest.approx([5 / 8, 3 / 8, 0])
    assert weights(scores, min_p=1.0) == pytest.approx([1, 0, 0])
    used = torch.tensor([[0, 0, 2]])
    assert weights(scores, used=used, repetition=math.log(5)) == pytest.approx([10 / 44, 30 / 44, 4 / 44])


def test_no_settings_leave_nothing_to_choose() -> None:
    used = torch.tensor([[0, 1, 2]])
    for settings in ({"repetition": 1e6}, {"temperature": 1e-3}, {"repetition": 60.0, "temperature": 1e-3}):
        assert weights(chances(1e-37, 2e-37, 0.0), used=used, **settings)[2] == 0
        assert sum(weights(chances(1e-37, 2e-37, 0.0), used=used, **settings)) == pytest.approx(1)


def numbers(rows: int, columns: int = 1) -> Tensor:
    return torch.rand(rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@given(SCORES, st.floats(0.2, 3), st.integers(1, 12))
def test_the_chances_are_those_of_plain_sorting(row: list[float], temperature: float, top_k: int) -> None:
    found = weights(torch.tensor([row]).softmax(1), temperature=temperature, top_k=top_k)
    order = np.argsort(-np.array(row), kind="stable")[:top_k]
    kept = np.exp(np.array(row)[order] / temperature)
    wanted = np.zeros(len(row))
    wanted[order] = kept / kept.sum()
    assert found == pytest.approx(wanted, abs=1e-5)
    assert all(chance == 0 for chance, score in zip(found, row, strict=True) if score == -math.inf)


@pytest.mark.parametrize("top_p", [1e-6, 0.05, 0.3, 0.7, 0.95, 1.0])
def test_a_nucleus_is_that_of_plain_sorting(top_p: float) -> None:
    rows = 20_000
    row = torch.randn(150, generator=torch.Generator().manual_seed(1)).mul(1.5).softmax(0)
    found = choose(row.expand(rows, -1), numbers(rows, 8), top_p=top_p).bincount(minlength=150) / rows
    order = row.argsort(descending=True)
    before = row[order].cumsum(0) - row[order]
    wanted = torch.zeros(150).scatter(0, order, row[order].masked_fill(before >= top_p, 0.0))
    assert not found[wanted == 0].any()
    torch.testing.assert_close(found, wanted / wanted.sum(), atol=0.015, rtol=0)


@given(SCORES, st.floats(0.05, 1), st.floats(0, 1, exclude_max=True))
def test_even_with_one_number_nothing_outside_a_nucleus_is_chosen(
    row: list[float], top_p: float, number: float
) -> None:
    chances = torch.tensor([row]).softmax(1)
    place = int(choose(chances, torch.tensor([[number]], dtype=torch.float64), top_p=top_p))
    before = float(chances[chances > chances[0, place]].sum())
    assume(abs(before - top_p) > 1e-5)  # nearer than that, rounding decides
    assert before < top_p and chances[0, place] > 0


@pytest.mark.parametrize("count", [6, BLOCK, 2 * BLOCK + 6])
def test_what_is_drawn_is_as_frequent_as_its_weight(count: int) -> None:
    rows = 20_000
    wanted = torch.zeros(count)
    wanted[[1, 3, count - 1]] = torch.tensor([1.0, 3.0, 4.0])
    drawn = draw(wanted.expand(rows, -1), numbers(rows)[:, 0]).bincount(minlength=count) / rows
    torch.testing.assert_close(drawn, wanted / 8, atol=0.01, rtol=0)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=3 * BLOCK).filter(any), st.floats(0, 1, exclude_max=True))
def test_a_number_falls_where_running_sums_put_it(row: list[int], number: float) -> None:
    place = int(draw(torch.tensor([row]).float(), torch.tensor([number], dtype=torch.float64)))
    sums = np.cumsum(row)
    assume(np.abs(sums - number * sums[-1]).min() > 1e-9)  # on a border, rounding decides
    assert place == np.searchsorted(sums, number * sums[-1], side="right")


@given(st.lists(st.sampled_from([0.0, 1e-30, 1e-3, 1.0]), min_size=1, max_size=2 * BLOCK + 1).filter(any))
def test_nothing_without_weight_is_drawn_at_either_end(row: list[float]) -> None:
    ends = torch.tensor([0.0, math.nextafter(1.0, 0.0)], dtype=torch.float64)
    assert all(row[place] > 0 for place in draw(torch.tensor([row, row]), ends).tolist())


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0.0},
        {"temperature": math.nan},
        {"top_k": 0},
        {"min_p": -0.1},
        {"min_p": 1.1},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"repetition": -1.0},
    ],
)
def test_settings_out_of_range_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} must be"):
        Sampling(**wrong)  # type: ignore[arg-type]
