"""How scores become chances: by hand, and against plain sorting in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from dlcourse.tasks.composing import draw
from dlcourse.tasks.sampling import Sampling

NOTHING = torch.zeros(1, 0, dtype=torch.int64)
SCORES = st.lists(st.integers(0, 60), min_size=1, max_size=10, unique=True).flatmap(
    lambda steps: st.permutations([*(-step / 8 for step in steps), -math.inf, -math.inf])
)
"""Different ones, for which of two equal scores comes first is nobody's promise."""


def chances(*values: float) -> Tensor:
    return torch.tensor([values]).log()


def weights(scores: Tensor, *, used: Tensor = NOTHING, **settings: float) -> list[float]:
    found = Sampling(**settings).weights(scores, used=used)[0]  # type: ignore[arg-type]
    return (found / found.sum()).tolist()


def test_each_setting_by_hand() -> None:
    scores = chances(0.5, 0.3, 0.2)
    assert weights(scores) == pytest.approx([0.5, 0.3, 0.2])
    assert weights(scores, temperature=0.5) == pytest.approx([25 / 38, 9 / 38, 4 / 38])
    assert weights(scores, top_k=2) == pytest.approx([5 / 8, 3 / 8, 0])
    assert weights(scores, top_k=9) == pytest.approx([0.5, 0.3, 0.2])
    assert weights(scores, top_p=0.6) == pytest.approx([5 / 8, 3 / 8, 0])
    assert weights(scores, top_p=0.1) == pytest.approx([1, 0, 0])
    used = torch.tensor([[0, 0, 2]])
    assert weights(scores, used=used, repetition=math.log(5)) == pytest.approx([10 / 44, 30 / 44, 4 / 44])


@given(SCORES, st.floats(0.2, 3), st.integers(1, 12), st.floats(0.05, 1))
def test_the_chances_are_those_of_plain_sorting(row: list[float], temperature: float, top_k: int, top_p: float) -> None:
    found = weights(torch.tensor([row]), temperature=temperature, top_k=top_k, top_p=top_p)
    order = np.argsort(-np.array(row), kind="stable")[:top_k]
    kept = np.exp(np.array(row)[order] / temperature)
    kept /= kept.sum()
    before = np.cumsum(kept) - kept
    assume(np.abs(before - top_p).min() > 1e-5)  # nearer than that, rounding decides
    kept[before >= top_p] = 0
    wanted = np.zeros(len(row))
    wanted[order] = kept / kept.sum()
    assert found == pytest.approx(wanted, abs=1e-5)
    assert all(chance == 0 for chance, score in zip(found, row, strict=True) if score == -math.inf)


def test_what_is_drawn_is_as_frequent_as_its_weight() -> None:
    uniforms = torch.rand(20_000, generator=torch.Generator().manual_seed(0))
    drawn = draw(torch.tensor([[0.0, 1.0, 0.0, 3.0, 4.0, 0.0]]).expand(20_000, -1), uniforms)
    counts = drawn.bincount(minlength=6) / 20_000
    torch.testing.assert_close(counts, torch.tensor([0, 1 / 8, 0, 3 / 8, 1 / 2, 0]), atol=0.01, rtol=0)


@given(st.lists(st.sampled_from([0.0, 1e-30, 1e-3, 1.0]), min_size=1, max_size=9).filter(any))
def test_nothing_without_weight_is_drawn_at_either_end(row: list[float]) -> None:
    below_one = math.nextafter(1.0, 0.0)  # 1.0 in single precision: worse than any number that is drawn
    found = draw(torch.tensor([row, row]), torch.tensor([0.0, below_one]))
    assert all(row[place] > 0 for place in found.tolist())


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 0.0},
        {"temperature": math.nan},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"repetition": -1.0},
    ],
)
def test_settings_out_of_range_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} must be"):
        Sampling(**wrong)  # type: ignore[arg-type]
