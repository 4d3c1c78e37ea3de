"""The deletion test: which words go, what is left, by hand, by brute force, and what is concluded from it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor, nn

from dlcourse.pages.curves import flip_curves
from dlcourse.tasks.attribution import is_word
from dlcourse.tasks.deletion import SHARES, Deletions, delete, keep, most, probabilities
from dlcourse.tasks.faithfulness import TITLES, Report, Trial, bootstrap, report, try_out


class Vote(nn.Module):
    """Word 2 speaks for class 1, word 3 for class 0, others for none; it looks at even ids."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.0, 0, 1, -1, 0, 0, 0, 0]))

    def forward(self, tokens: Tensor, lengths: Tensor, *, presence: Tensor | None = None) -> Tensor:
        votes = self.weight[tokens] * (1 if presence is None else presence)
        return torch.stack([torch.zeros(len(tokens)), (votes * is_word(tokens, lengths)).sum(1) + 0.1], 1)

    def attention(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        looked = ((tokens % 2 == 0) & is_word(tokens, lengths)) + 1e-6 * is_word(tokens, lengths)
        return looked / looked.sum(1, keepdim=True)


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def padded(lists: list[list[int]], *, width: int = 32) -> tuple[Tensor, Tensor]:
    return (
        torch.tensor([[*one, *[0] * (width - len(one))] for one in lists]),
        torch.tensor([len(one) for one in lists]),
    )


def test_the_deciding_word_flips_the_label_and_suffices() -> None:
    tokens, lengths = padded([[5, 3, 3, 5, 5, 5, 5, 5, 5, 5], [5, 5, 2, 5]])
    scores = (tokens == 3).float() + (tokens == 2).float()
    found = delete(Vote(), tokens, lengths, scores=scores, generator=chance(), shares=(0.1, 0.2))
    sure, half = (1 / (1 + math.exp(-value)) for value in (1.9, 1.1))
    one, none = 1 / (1 + math.exp(-0.9)), 1 / (1 + math.exp(0.1))
    assert found.flips.tolist() == [[False, True], [False, False]]
    torch.testing.assert_close(found.comprehensiveness[0], torch.tensor([sure - one, sure - none]))
    torch.testing.assert_close(found.sufficiency, torch.tensor([[sure - one, 0], [0, 0]]))
    torch.testing.assert_close(found.comprehensiveness[1], torch.full((2,), half - (1 - none)))


lists = st.lists(st.lists(st.integers(1, 7), min_size=1, max_size=40), min_size=1, max_size=5)


@given(documents=lists, seed=st.integers(0, 1000), share=st.sampled_from([*SHARES, 0.15, 0.3, 1.0]))
def test_the_highest_scores_go_and_the_rest_stays_in_order(documents: list[list[int]], seed: int, share: float) -> None:
    tokens, lengths = padded(documents, width=64)
    scores = torch.rand(tokens.shape, generator=chance(seed)) - 0.5
    top = most(scores, lengths, share=share, ties=torch.rand(tokens.shape, generator=chance(seed)))
    shorter, left = keep(tokens, lengths, ~top)
    assert shorter.shape[1] % 32 == 0 and shorter.shape[1] - 32 < left.max() <= shorter.shape[1]
    for row, words in enumerate(documents):
        count = math.ceil(round(share * len(words), 9))
        ranked = sorted(range(len(words)), key=lambda place, row=row: -scores[row, place])
        assert set(top[row].nonzero()[:, 0].tolist()) == set(ranked[:count])
        rest = [word for place, word in enumerate(words) if place not in ranked[:count]] or [1]
        assert shorter[row, : left[row]].tolist() == rest
        assert not shorter[row, left[row] :].any()


def test_a_part_of_a_word_is_a_whole_one() -> None:
    tokens, lengths = padded([[5] * 30, [5] * 31, [5]])
    assert most(tokens.float(), lengths, share=0.1, ties=tokens).sum(1).tolist() == [3, 4, 1]
    hundred = torch.zeros(1, 128), torch.tensor([100])
    assert int(most(*hundred, share=0.07, ties=hundred[0]).sum()) == 7
    with pytest.raises(ValueError, match="share must be above 0 and at most 1, not 0"):
        most(tokens.float(), lengths, share=0, ties=tokens)


def test_ties_are_broken_by_chance() -> None:
    lengths = torch.full((400,), 10)
    top = most(torch.zeros(400, 32), lengths, share=0.1, ties=torch.rand(400, 32, generator=chance()))
    places = top.float().argmax(1).bincount(minlength=10)
    assert len(places) == 10 and places.min() > 15


def test_a_document_with_nothing_left_is_one_unknown_word() -> None:
    tokens, lengths = padded([[5, 2], [3]])
    shorter, left = keep(tokens, lengths, torch.zeros(2, 32, dtype=torch.bool))
    assert left.tolist() == [1, 1] and shorter[:, 0].tolist() == [1, 1] and not shorter[:, 1:].any()


def test_the_interval_is_scipys() -> None:
    values = torch.randn(200, 2, generator=chance(), dtype=torch.float64) * torch.tensor([1, 5]) + 3
    for mean, column in zip(bootstrap(values, seed=0, resamples=4000), values.T.numpy(), strict=True):
        oracle = stats.bootstrap(
            (column,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(0)
        ).confidence_interval
        spread = column.std() / math.sqrt(200)
        assert mean.mean == pytest.approx(column.mean())
        assert abs(mean.low - oracle.low) < 0.15 * spread and abs(mean.high - oracle.high) < 0.15 * spread


def trial(count: int = 40) -> Trial:
    """Documents in which the odd word 3 alone decides, so that attention on even ids misses it."""
    rows = [[3 if place == row % 20 else 4 + place % 4 for place in range(20)] for row in range(count)]
    return try_out(Vote(), *padded(rows), generator=chance())


def test_a_report_says_that_gradients_find_what_attention_misses() -> None:
    found = report(trial(), run="x/1", split="test", seed=0)
    by = {(row.method, row.share): row for row in found.rows}
    assert {method for method, _ in by} == set(TITLES) and len(by) == 4 * len(SHARES)
    assert by["integrated_gradients", 0.05].flips.mean == 1
    assert by["attention", 0.1].flips.mean == 0
    assert by["integrated_gradients", 0.1].sufficiency.mean < by["attention", 0.1].sufficiency.mean
    assert "0.0 % of 40 documents by attention, 100.0 % by integrated gradients" in found.conclusion
    assert "do not read it as" in found.conclusion and found.conclusion.endswith(".")
    assert len(flip_curves(found).axes[0].lines) == 4


def test_the_same_seed_gives_the_same_report() -> None:
    assert report(trial(8), run="x", split="test", seed=1) == report(trial(8), run="x", split="test", seed=1)


def flipped(rates: dict[str, float], *, count: int = 200) -> Trial:
    def deletions(rate: float) -> Deletions:
        flips = torch.arange(count)[:, None].expand(count, len(SHARES)) < rate * count
        return Deletions(flips.float(), flips.float(), flips)

    return Trial(torch.full((count,), 0.5), {name: deletions(rate) for name, rate in rates.items()})


@pytest.mark.parametrize(
    ("attention", "gradients", "verdict"),
    [
        (0.3, 0.9, "by more than chance explains: do not read it as the explanation"),
        (0.05, 0.9, "not shown to find more of what decides than chance"),
        (0.0, 0.9, "less of what decides than chance"),
        (0.9, 0.9, "as many as integrated gradients is not resolved with so many documents: take more"),
        (0.9, 0.4, "finds more of the deciding words than integrated gradients, by more than chance explains"),
        (0.05, 0.05, "not resolved whether attention does better than chance: take more"),
    ],
)
def test_the_conclusion_follows_the_flips(attention: float, gradients: float, verdict: str) -> None:
    rates = {"attention": attention, "gradient_x_input": 0.05, "integrated_gradients": gradients, "random": 0.05}
    conclusion = report(flipped(rates), run="x", split="test", seed=0).conclusion
    assert verdict in conclusion and "nearly flat" not in conclusion


def contest(only_attention: int, only_gradients: int, *, documents: int) -> str:
    """The conclusion where so many labels flip by one method alone, and as many again by both; none by chance."""
    both = documents // 2

    def deletions(start: int, stop: int) -> Deletions:
        place = torch.arange(documents)
        flips = ((place < both) | ((place >= start) & (place < stop)))[:, None].expand(documents, len(SHARES))
        return Deletions(flips.float(), flips.float(), flips)

    middle = both + only_attention
    found = {
        "attention": deletions(both, middle),
        "gradient_x_input": deletions(0, 0),
        "integrated_gradients": deletions(middle, middle + only_gradients),
        "random": Deletions(
            *(torch.zeros(documents, len(SHARES), dtype=kind) for kind in (torch.float,) * 2),
            torch.zeros(documents, len(SHARES), dtype=torch.bool),
        ),
    }
    return report(Trial(torch.full((documents,), 0.5), found), run="x", split="test", seed=0).conclusion


@pytest.mark.parametrize(
    ("only_attention", "only_gradients", "documents", "verdict"),
    [
        (3, 12, 50, "finds fewer of those that decide than integrated gradients, by more than chance explains"),
        (4, 12, 50, "is not resolved with so many documents: take more"),
        (12, 3, 50, "finds more of the deciding words than integrated gradients, by more than chance explains"),
    ],
)
def test_attention_is_judged_by_mcnemars_test_on_the_same_documents(
    only_attention: int, only_gradients: int, documents: int, verdict: str
) -> None:
    conclusion = contest(only_attention, only_gradients, documents=documents)
    oracle = stats.binomtest(only_attention, only_attention + only_gradients).pvalue
    assert verdict in conclusion and f"p = {oracle:.2g} against integrated gradients" in conclusion
    assert ("more than chance explains" in conclusion) == (oracle < 0.05)
    assert "as well as" not in conclusion


def test_a_report_outlives_json_and_a_damaged_one_is_none() -> None:
    found = report(trial(6), run="x/1", split="val", seed=3)
    plain = json.loads(json.dumps(found.to_plain(), allow_nan=False))
    assert Report.of_plain(plain) == found
    for damaged in ({}, {**plain, "rows": [{}]}, {**plain, "entropy": {"mean": math.nan, "low": 0, "high": 0}},
                    {**plain, "conclusion": 3}, {**plain, "rows": 7}, {**plain, "seed": True},
                    {**plain, "contests": [{}]},
                    {name: value for name, value in plain.items() if name != "contests"}):  # fmt: skip
        assert Report.of_plain(damaged) is None


def test_probabilities_are_the_softmax() -> None:
    tokens, lengths = padded([[2, 5]])
    torch.testing.assert_close(probabilities(Vote(), tokens, lengths)[0, 1], torch.tensor(1 / (1 + math.exp(-1.1))))
