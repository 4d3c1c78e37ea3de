"""Optimizers, with torch's own as the oracle."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from dlcourse.training import optimizers

ALL: dict[str, Callable[..., torch.optim.Optimizer]] = {
    name: getattr(optimizers, name) for name in ("adam", "adamw", "rmsprop", "sgd")
}
TORCHS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "adam": (torch.optim.Adam, {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-6}),
    "adamw": (torch.optim.AdamW, {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-6}),
    "rmsprop": (torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.9, "momentum": 0.5, "centered": True}),
    "sgd": (torch.optim.SGD, {"lr": 0.01, "momentum": 0.8, "nesterov": True}),
}


def a_model() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))


def steps(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    inputs = torch.randn(4, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    for _ in range(3):
        model(inputs).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.state_dict()


@pytest.mark.parametrize("name", sorted(ALL))
def test_biases_and_norms_are_not_decayed(name: str) -> None:
    optimizer = ALL[name](a_model().named_parameters(), weight_decay=0.1)
    named = {tuple(group["param_names"]): group["weight_decay"] for group in optimizer.param_groups}
    assert named == {("0.weight", "4.weight"): 0.1, ("0.bias", "2.weight", "2.bias", "4.bias"): 0.0}


@pytest.mark.parametrize("name", sorted(ALL))
def test_all_are_decayed_if_asked(name: str) -> None:
    optimizer = ALL[name](a_model().named_parameters(), weight_decay=0.1, decay_all=True)
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.1]
    assert len(optimizer.param_groups[0]["params"]) == 6


@pytest.mark.parametrize("name", sorted(ALL))
def test_steps_are_those_of_torch_with_the_same_groups(name: str) -> None:
    kind, arguments = TORCHS[name]
    ours, theirs = a_model(), a_model()
    decayed = [parameter for parameter in theirs.parameters() if parameter.ndim > 1]
    spared = [parameter for parameter in theirs.parameters() if parameter.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": spared, "weight_decay": 0.0}]
    expected = steps(theirs, kind(groups, **arguments))
    got = steps(ours, ALL[name](ours.named_parameters(), weight_decay=0.05, **arguments))
    for key, value in expected.items():
        torch.testing.assert_close(got[key], value)  # ours are fused: another order of rounding


def test_frozen_parameters_are_left_out() -> None:
    model = a_model()
    model[0].requires_grad_(False)
    names = [name for group in optimizers.sgd(model.named_parameters()).param_groups for name in group["param_names"]]
    assert sorted(names) == ["2.bias", "2.weight", "4.bias", "4.weight"]


@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"lr": 0.0}, "lr must be positive, not 0.0"),
        ({"lr": -1.0}, "lr must be positive, not -1.0"),
        ({"lr": math.nan}, "lr must be positive, not nan"),
        ({"lr": math.inf}, "lr must be positive, not inf"),
        ({"weight_decay": -0.1}, "weight_decay must not be negative, not -0.1"),
    ],
)
def test_a_bad_value_is_refused_by_its_name(name: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}"):
        ALL[name](a_model().named_parameters(), **arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("sgd", {"momentum": 1.0}, "momentum must lie in 0 <= momentum < 1, not 1.0"),
        ("sgd", {"momentum": 0.0}, "nesterov needs a momentum above 0; say nesterov=false"),
        ("adam", {"betas": [0.9]}, "betas must be two numbers in 0 <= beta < 1"),
        ("adamw", {"betas": [0.9, 1.0]}, "betas must be two numbers"),
        ("rmsprop", {"alpha": 1.5}, "alpha must lie in"),
        ("rmsprop", {"momentum": -0.1}, "momentum must lie in"),
    ],
)
def test_a_bad_argument_of_one_optimizer_is_refused(name: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}"):
        ALL[name](a_model().named_parameters(), **arguments)


@pytest.mark.parametrize("name", sorted(ALL))
def test_an_overflow_in_the_first_step_leaves_no_trace(name: str) -> None:
    """The fused SGD of torch 2.15 went on from momentum that was never set."""
    spared, struck = nn.Linear(3, 2), nn.Linear(3, 2)
    struck.load_state_dict(spared.state_dict())
    for model, gradients in ((spared, [1.0, 2.0]), (struck, [float("inf"), 1.0, 2.0])):
        optimizer = ALL[name](model.named_parameters())
        scaler = torch.amp.GradScaler("cpu", init_scale=1.0, growth_interval=10_000)
        for gradient in gradients:
            scaler.scale(sum(parameter.sum() for parameter in model.parameters()) * gradient).backward()  # type: ignore[union-attr]
            scaler.step(optimizer)
            scaler.update(1.0)
            optimizer.zero_grad()
    for expected, got in zip(spared.parameters(), struck.parameters(), strict=True):
        torch.testing.assert_close(got, expected)
