"""The moving average of the weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dlcourse.training.average import Average


def filled(model: nn.Module, value: float) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(value)


def first(model: nn.Module) -> float:
    return float(next(model.parameters()).detach().view(-1)[0])


def test_two_steps_by_hand() -> None:
    model = nn.Linear(2, 1)
    filled(model, 0.0)
    average = Average(model, decay=0.5)
    filled(model, 1.0)
    average.update(100)  # past the slow start: half of 0 and half of 1
    assert first(average.model) == pytest.approx(0.5)
    filled(model, 2.0)
    average.update(101)
    assert first(average.model) == pytest.approx(1.25)


def test_a_short_run_does_not_average_its_random_start() -> None:
    model = nn.Linear(2, 1)
    filled(model, 100.0)
    average = Average(model, decay=0.9999)
    filled(model, 1.0)
    for step in range(50):
        average.update(step)
    assert first(average.model) == pytest.approx(1.0, abs=0.01)


def test_the_first_step_keeps_a_tenth() -> None:
    model = nn.Linear(2, 1)
    filled(model, 1.0)
    average = Average(model, decay=0.999)
    filled(model, 0.0)
    average.update(0)
    assert first(average.model) == pytest.approx(0.1)


def test_buffers_are_copied_not_averaged() -> None:
    model = nn.BatchNorm1d(3)
    average = Average(model, decay=0.999)
    model(torch.randn(8, 3))
    average.copy_buffers()
    for name, buffer in model.named_buffers():
        assert torch.equal(dict(average.model.named_buffers())[name], buffer)


def test_the_average_is_apart_from_the_model_and_learns_nothing() -> None:
    model = nn.Linear(2, 1)
    average = Average(model, decay=0.9)
    filled(model, 7.0)
    assert first(average.model) != 7.0
    assert not average.model.training
    assert not any(parameter.requires_grad for parameter in average.model.parameters())
