"""Muon, with the singular value decomposition and torch's SGD as the oracles."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dlcourse.config.compose import compose
from dlcourse.errors import ConfigError
from dlcourse.run.parts import assemble
from dlcourse.training.muon import muon, orthogonalised


def a_model() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 1),
        nn.Flatten(), nn.Linear(32, 6), nn.Linear(6, 3),
    )  # fmt: skip


def named(optimizer: torch.optim.Optimizer, *, orthogonal: bool) -> set[str]:
    return {
        name for group in optimizer.param_groups if group["orthogonal"] is orthogonal for name in group["param_names"]
    }


def take_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    inputs = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    optimizer.zero_grad()
    model(inputs).square().sum().backward()
    optimizer.step()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 99))
def test_singular_values_come_near_one_and_the_directions_stay(rows: int, columns: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    u, _, v = torch.linalg.svd(torch.randn(rows, columns, generator=generator), full_matrices=False)
    values = torch.linspace(1.0, 0.1, min(rows, columns))
    found = orthogonalised(u * values @ v, iterations=5)
    # The source names 0.7 to 1.2; where the quintic overshoots it reaches 0.67.
    assert ((torch.linalg.svdvals(found) > 0.6) & (torch.linalg.svdvals(found) < 1.25)).all()
    inside = u.T @ found @ v.T
    assert (inside - inside.diag().diag()).abs().max() < 1e-3


@pytest.mark.parametrize("iterations", [1, 3, 5])
@pytest.mark.parametrize(("rows", "columns"), [(8, 72), (72, 8), (16, 16), (1, 5)])
def test_small_squares_give_what_the_source_iterates_on_matrices(rows: int, columns: int, iterations: int) -> None:
    spread = torch.logspace(0, -6, rows, dtype=torch.float64).unsqueeze(1)
    matrix = spread * torch.randn(rows, columns, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    x = matrix / matrix.norm()
    for _ in range(iterations):
        x = 3.4445 * x - 4.7750 * x @ x.T @ x + 2.0315 * x @ x.T @ x @ x.T @ x
    torch.testing.assert_close(orthogonalised(matrix, iterations=iterations), x, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(orthogonalised(matrix.float(), iterations=iterations), x.float(), rtol=1e-3, atol=1e-5)


def test_the_scale_of_a_gradient_changes_nothing() -> None:
    matrix = torch.randn(4, 6, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(orthogonalised(1e-6 * matrix, iterations=5), orthogonalised(matrix, iterations=5))


def test_a_gradient_of_zeros_moves_nothing() -> None:
    assert (orthogonalised(torch.zeros(4, 6), iterations=5) == 0).all()


def test_a_convolution_counts_as_one_row_for_each_output() -> None:
    kernel = torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(4))
    found = orthogonalised(kernel, iterations=5)
    assert found.shape == kernel.shape
    torch.testing.assert_close(found.flatten(1), orthogonalised(kernel.flatten(1), iterations=5))


def test_convolutions_alone_take_orthogonal_steps() -> None:
    optimizer = muon(a_model().named_parameters())
    assert named(optimizer, orthogonal=True) == {"0.weight", "2.weight"}
    assert named(optimizer, orthogonal=False) == {
        "1.weight",
        "1.bias",
        "2.bias",
        "4.weight",
        "4.bias",
        "5.weight",
        "5.bias",
    }


def test_matrices_take_them_too_if_asked_but_for_the_last() -> None:
    optimizer = muon(a_model().named_parameters(), matrices=True)
    assert named(optimizer, orthogonal=True) == {"0.weight", "2.weight", "4.weight"}


def test_a_frozen_weight_is_left_out() -> None:
    model = a_model()
    model[0].requires_grad_(False)
    assert named(muon(model.named_parameters()), orthogonal=True) == {"2.weight"}


@pytest.mark.parametrize("decay_all", [False, True])
def test_the_others_move_as_under_sgd(decay_all: bool) -> None:
    ours, theirs = a_model(), a_model()
    with torch.no_grad():
        for model in (ours, theirs):
            for parameter in model.parameters():
                parameter.add_(0.1)  # some biases begin at 0, which no decay would move
    given = {"other_lr": 0.01, "other_momentum": 0.8, "other_weight_decay": 0.1}
    optimizer = muon(ours.named_parameters(), **given, decay_all=decay_all)
    chosen = [parameter for name, parameter in theirs.named_parameters() if name in ("4.weight", "5.weight")]
    spared = [parameter for parameter in theirs.parameters() if parameter.ndim < 2]
    groups = [{"params": chosen, "weight_decay": 0.1}, {"params": spared, "weight_decay": 0.1 if decay_all else 0.0}]
    for_others = torch.optim.SGD(groups, lr=0.01, momentum=0.8, nesterov=True)
    for _ in range(3):
        take_step(ours, optimizer)
        take_step(theirs, for_others)
        for name in ("0.weight", "2.weight"):  # which only one of the two moves
            theirs.get_parameter(name).data.copy_(ours.get_parameter(name))
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(theirs.get_parameter(name), parameter, rtol=1e-4, atol=1e-6)


def test_a_step_by_hand() -> None:
    weight = nn.Parameter(torch.zeros(2, 1, 1, 2))
    optimizer = muon([("weight", weight)], lr=0.5, momentum=0.9, iterations=5)
    weight.grad = torch.tensor([[3.0, 0.0], [0.0, -3.0]]).reshape(2, 1, 1, 2)
    optimizer.step()
    moved = -weight.detach().flatten(1) / 0.5
    assert moved[0, 1] == moved[1, 0] == 0
    assert 0.6 < moved[0, 0] < 1.25 and moved[1, 1] == -moved[0, 0]


def test_weight_decay_takes_its_share_times_the_learning_rate() -> None:
    weight = nn.Parameter(torch.full((2, 1, 1, 2), 10.0))
    weight.grad = torch.zeros_like(weight)
    muon([("weight", weight)], lr=0.5, weight_decay=0.1).step()
    torch.testing.assert_close(weight.detach(), torch.full((2, 1, 1, 2), 9.5))


def test_unit_filters_hold_the_norm_at_the_root_of_the_outputs() -> None:
    weight = nn.Parameter(torch.full((4, 1, 3, 3), 7.0))
    weight.grad = torch.zeros_like(weight)
    muon([("weight", weight)], unit_filters=True).step()
    assert weight.norm().item() == pytest.approx(2.0)


def test_going_on_from_a_state_is_as_if_it_had_never_stopped() -> None:
    straight, broken = a_model(), a_model()
    one, other = (muon(model.named_parameters(), unit_filters=True) for model in (straight, broken))
    for _ in range(2):
        take_step(straight, one)
        take_step(broken, other)
    again = muon(broken.named_parameters(), unit_filters=True)
    again.load_state_dict(other.state_dict())
    take_step(straight, one)
    take_step(broken, again)
    for first, second in zip(straight.parameters(), broken.parameters(), strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"lr": 0.0}, "lr must be positive, not 0.0"),
        ({"momentum": 1.0}, "momentum must lie in"),
        ({"other_lr": -1.0}, "other_lr must be positive, not -1.0"),
        ({"other_momentum": -0.1}, "other_momentum must lie in"),
        ({"weight_decay": -1.0}, "weight_decay must not be negative, not -1.0"),
        ({"other_weight_decay": float("nan")}, "other_weight_decay must not be negative, not nan"),
        ({"iterations": 0}, "iterations must be 1 or more, not 0"),
    ],
)
def test_a_number_out_of_range_is_said(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        muon(a_model().named_parameters(), **wrong)


def test_a_model_without_convolutions_is_told_what_to_say() -> None:
    with pytest.raises(ValueError, match="matrices must be true for a model without convolutions"):
        muon(nn.Linear(3, 2).named_parameters())


def test_a_faulty_model_brings_no_second_fault() -> None:
    with pytest.raises(ConfigError) as fault:
        assemble(compose(["model=resnet18", "model.width=0", "optimizer=muon"]), choices={})
    assert len(fault.value.problems) == 1 and "width" in fault.value.problems[0]
