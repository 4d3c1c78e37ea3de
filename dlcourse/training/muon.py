"""Muon: momentum made orthogonal before each step (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from dlcourse.training.optimizers import Named, check_rate, check_share, parameter_groups

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic that Newton-Schulz iterates: steep at 0, so that five iterations do (the source, "Derivation")."""


def orthogonalised(matrix: Tensor, *, iterations: int) -> Tensor:
    """Nearly the closest semi-orthogonal matrix: singular values in about 0.7 to 1.2 in place of whatever they were.

    Args:
        matrix: [R, C]; a tensor of more axes counts as [R, everything else].
        iterations: of Newton-Schulz; 5 are usual, fewer leave small singular values smaller.

    Returns:
        The same shape and dtype; zeros of zeros.
    """
    first, second, third = COEFFICIENTS
    flat = matrix.flatten(1)
    tall = flat.shape[0] > flat.shape[1]
    x = flat.T if tall else flat
    x = x / (x.norm() + 1e-12)
    # An iteration multiplies x by a polynomial of x @ x.T, which commutes with it. So all of them are done on these
    # squares, and x itself enters two products in place of two an iteration: half the time for the wide matrices of
    # convolutions, a quarter more for square ones.
    gram, total = x @ x.T, None
    for left in reversed(range(iterations)):
        factor = second * gram + third * gram @ gram
        factor.diagonal().add_(first)
        total = factor if total is None else factor @ total
        if left:
            gram = factor @ (factor @ gram)
    x = x if total is None else total @ x
    return (x.T if tall else x).reshape(matrix.shape)


class Muon(torch.optim.Optimizer):
    """Orthogonal steps for the groups that say `orthogonal`, Nesterov's for the others.

    Args:
        groups: each with `params`, `lr`, `momentum`, `weight_decay`, and `orthogonal`, `iterations`, `unit_filters`.
    """

    def __init__(self, groups: Iterable[dict[str, Any]]) -> None:
        super().__init__(groups, {})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One step; parameters without a gradient stay as they are."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)
        return loss

    def _move(self, parameter: Parameter, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        gradient, momentum, buffer = parameter.grad, group["momentum"], state["momentum_buffer"]
        assert gradient is not None
        if not group["orthogonal"] and group["weight_decay"]:
            gradient = gradient.add(parameter, alpha=group["weight_decay"])
        buffer.mul_(momentum).add_(gradient)
        direction = gradient.add(buffer, alpha=momentum)
        if group["orthogonal"]:
            rows = len(parameter)
            if group["unit_filters"]:
                parameter.mul_(rows**0.5 / (parameter.norm() + 1e-12))
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            # A tall matrix's step would else move each of its rows less than a wide one's.
            wide = max(1.0, rows / (parameter.numel() / rows)) ** 0.5
            direction = orthogonalised(direction, iterations=group["iterations"]).mul_(wide)
        parameter.add_(direction, alpha=-group["lr"])


def muon(
    named: Named,
    *,
    lr: float = 0.02,
    momentum: float = 0.95,
    weight_decay: float = 0.0,
    iterations: int = 5,
    unit_filters: bool = False,
    matrices: bool = False,
    other_lr: float = 0.05,
    other_momentum: float = 0.9,
    other_weight_decay: float = 0.0,
    decay_all: bool = False,
) -> torch.optim.Optimizer:
    """Muon for convolutions and, if asked, matrices; SGD with Nesterov momentum for everything else.

    Args:
        named: the model's named parameters.
        lr: base learning rate of the orthogonal steps, which the scheduler multiplies.
        momentum: share of the last direction that is kept.
        weight_decay: share of every weight taken off at each orthogonal step, times the learning rate.
        iterations: of Newton-Schulz for each step.
        unit_filters: hold the norm of each orthogonally trained weight at the root of its outputs, so that the learning
            rate is the share of it that a step changes; only for layers with batch norm behind them.
        matrices: take orthogonal steps for weights of two axes too, the last one (the output layer) apart.
        other_lr: base learning rate of all other parameters.
        other_momentum: their momentum.
        other_weight_decay: share of their squared weights added to the loss (times 1/2), of two axes or more.
        decay_all: decay biases and norms too.

    Raises:
        ValueError: a number is out of range, or no parameter would be trained orthogonally.
    """
    check_rate(lr)
    for name, value in (("momentum", momentum), ("other_momentum", other_momentum)):
        check_share(name, value)
    if not other_lr > 0 or other_lr == float("inf"):
        raise ValueError(f"other_lr must be positive, not {other_lr}")
    for name, value in (("weight_decay", weight_decay), ("other_weight_decay", other_weight_decay)):
        if not value >= 0:
            raise ValueError(f"{name} must not be negative, not {value}")
    if iterations < 1:
        raise ValueError(f"iterations must be 1 or more, not {iterations}")
    trained = [item for item in named if item[1].requires_grad]
    weights = [name for name, parameter in trained if parameter.ndim >= 2]
    chosen = {
        name
        for name, parameter in trained
        if len(parameter) > 1 and (parameter.ndim > 2 or (matrices and parameter.ndim == 2 and name != weights[-1]))
    }
    if not chosen:
        raise ValueError(
            "matrices must be true for a model without convolutions; nothing is left to take orthogonal steps"
        )
    orthogonal = {"orthogonal": True, "iterations": iterations, "unit_filters": unit_filters}
    plain = {"orthogonal": False, "iterations": 0, "unit_filters": False, "lr": other_lr, "momentum": other_momentum}
    rest = [item for item in trained if item[0] not in chosen]
    groups = [
        {"params": [item for item in trained if item[0] in chosen], "lr": lr, "momentum": momentum,
         "weight_decay": weight_decay, **orthogonal},
        *({**group, **plain} for group in parameter_groups(rest, weight_decay=other_weight_decay, decay_all=decay_all)),
    ]  # fmt: skip
    return Muon(groups)
