"""The temperature against scipy's search, what it leaves alone, and where there is none."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from dlcourse.calibration import expected_calibration_error, fit_temperature
from dlcourse.metrics import ClassificationStats
from dlcourse.tasks.classification import Classification

SEEDS = st.integers(0, 2**32 - 1)


def drawn(count: int, *, classes: int, seed: int = 0, loudness: float = 1.0) -> tuple[Tensor, Tensor]:
    """Labels drawn from softmax(z), and the logits loudness * z of a model that is too sure of itself."""
    generator = torch.Generator().manual_seed(seed)
    true = 2 * torch.randn(count, classes, generator=generator)
    labels = torch.multinomial(true.softmax(1), 1, generator=generator)[:, 0]
    return loudness * true, labels


def stats_of(logits: Tensor, labels: Tensor) -> ClassificationStats:
    return ClassificationStats.from_logits(logits, labels, indices=torch.arange(len(labels)))


def test_three_items_by_hand() -> None:
    # Each says 4 : 0, and two of three are right: the best is a chance of 2/3, so 4 / T = log 2.
    logits = torch.tensor([[4.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    assert fit_temperature(logits, torch.tensor([0, 0, 0])) == pytest.approx(4 / math.log(2), rel=1e-9)


@pytest.mark.parametrize("classes", [2, 3, 20])
@pytest.mark.parametrize("loudness", [0.3, 1.0, 7.0])
def test_it_is_the_minimum_that_scipy_finds(classes: int, loudness: float) -> None:
    logits, labels = drawn(400, classes=classes, loudness=loudness)

    def loss(log_temperature: float) -> float:
        return cross_entropy(logits.double() / math.exp(log_temperature), labels).item()

    found = minimize_scalar(loss, bounds=(-4, 4), method="bounded", options={"xatol": 1e-10})
    assert fit_temperature(logits, labels) == pytest.approx(math.exp(found.x), rel=1e-6)


@given(seed=SEEDS, classes=st.integers(2, 6), loudness=st.floats(0.5, 4))
def test_louder_logits_have_a_temperature_as_much_higher(seed: int, classes: int, loudness: float) -> None:
    logits, labels = drawn(60, classes=classes, seed=seed)
    once, louder = fit_temperature(logits, labels), fit_temperature(loudness * logits.double(), labels)
    if once is not None and louder is not None:
        assert louder == pytest.approx(loudness * once, rel=1e-6)
        before, after = cross_entropy(logits, labels), cross_entropy(logits / once, labels)
        assert after <= before + 1e-6


def test_what_a_sure_model_overstates_is_mended() -> None:
    task = Classification()
    val, test = (stats_of(*drawn(3000, classes=3, seed=seed, loudness=4)) for seed in (1, 2))
    numbers = task.conclude(test, val=val)
    assert set(numbers) == {"temperature", "ece_scaled"}
    assert numbers["temperature"] == pytest.approx(4, rel=0.1)
    assert numbers["ece_scaled"] < 0.03 < 0.1 < test.summary()["ece"]


def test_the_scaled_error_is_that_of_logits_over_the_temperature() -> None:
    val, test = (stats_of(*drawn(300, classes=4, seed=seed, loudness=2)) for seed in (3, 4))
    numbers = Classification().conclude(test, val=val)
    scaled = stats_of((test.logits.double() / numbers["temperature"]).float(), test.labels)
    assert numbers["ece_scaled"] == pytest.approx(scaled.summary()["ece"], abs=1e-6)


def test_the_same_numbers_in_another_order_give_the_same_temperature() -> None:
    logits, labels = drawn(500, classes=3, loudness=3)
    order = torch.randperm(500, generator=torch.Generator().manual_seed(1))
    whole = stats_of(logits, labels)
    shuffled = ClassificationStats.from_logits(logits[order], labels[order], indices=order)
    task, test = Classification(), stats_of(*drawn(50, classes=3, seed=9))
    assert task.conclude(test, val=whole) == task.conclude(test, val=shuffled)


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (3.0 * one_hot(torch.arange(5)), torch.arange(5)),  # all right: the colder the better
        (1000.0 * one_hot(torch.arange(5)), torch.arange(5)),
        (3.0 * one_hot(torch.arange(5)), (torch.arange(5) + 1) % 5),  # all wrong: the hotter the better
        (torch.zeros(4, 2), torch.tensor([0, 0, 1, 1])),  # prefers nothing: all temperatures are alike
        (torch.tensor([[math.nan, 0.0], [1.0, 0.0]]), torch.tensor([0, 1])),
        (torch.tensor([[math.inf, 0.0], [1.0, 0.0]]), torch.tensor([0, 1])),
        (torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64)),
    ],
)
def test_where_validation_determines_none_there_is_none(logits: Tensor, labels: Tensor) -> None:
    assert fit_temperature(logits, labels) is None
    test = stats_of(*drawn(20, classes=logits.shape[1]))
    assert Classification().conclude(test, val=stats_of(logits, labels)) == {}


def test_validation_of_one_class_gives_finite_numbers() -> None:
    logits, _ = drawn(200, classes=2)
    numbers = Classification().conclude(
        stats_of(*drawn(20, classes=2)), val=stats_of(logits + torch.tensor([1.5, 0]), torch.zeros(200).long())
    )
    assert numbers
    assert all(map(math.isfinite, numbers.values()))


def test_a_test_split_that_is_empty_or_not_finite_concludes_nothing() -> None:
    val = stats_of(*drawn(200, classes=2))
    empty = stats_of(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64))
    broken = stats_of(torch.full((3, 2), math.nan), torch.tensor([0, 1, 0]))
    assert Classification().conclude(empty, val=val) == {}
    assert Classification().conclude(broken, val=val) == {}


def test_the_old_name_of_the_calibration_error_still_works() -> None:
    from dlcourse import metrics

    assert metrics.expected_calibration_error is expected_calibration_error
