"""Everything that changes while training, as one value that a checkpoint can hold."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.errors import CheckpointError, ConfigError, suggestion
from dlcourse.training.average import Average
from dlcourse.training.schedules import Schedule


@dataclass
class State:
    """A run in progress after `step` optimizer steps.

    Args:
        model: the trained model.
        optimizer: its groups' rates as built are the base rates that the schedule multiplies.
        schedule: the learning-rate factor of every step.
        scaler: the loss scaler of fp16, idle in other precisions.
        average: the moving average of the weights, if there is one.
        step: optimizer steps done.
        losses: the losses since the last training record, still on the device.
        validations: (step, deciding number, lower is better) of every validation so far.
        skipped: steps left out for a non-finite loss or gradient, or because fp16 overflowed.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    scaler: torch.amp.GradScaler
    average: Average | None = None
    step: int = 0
    losses: list[Tensor] = field(default_factory=list[Tensor])
    validations: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    skipped: int = 0
    base_rates: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.base_rates = [group["lr"] for group in self.optimizer.param_groups]

    @property
    def judged(self) -> nn.Module:
        """The model that validation, test and prediction use: the average if there is one."""
        if self.average is None:
            return self.model
        self.average.copy_buffers()
        return self.average.model

    @property
    def validated(self) -> int:
        """The step of the last validation, 0 before the first."""
        return self.validations[-1][0] if self.validations else 0

    @property
    def best(self) -> tuple[int, float]:
        """(step, deciding number) of the best validation so far, the later of two equals; step 0 if none was finite."""
        finite = (item for item in reversed(self.validations) if math.isfinite(item[1]))
        return min(finite, key=lambda item: item[1], default=(0, math.inf))

    def waited(self, min_delta: float) -> int:
        """Validations since the last one that was better than the best before it by more than `min_delta`."""
        best, waited = math.inf, 0
        for _, value in self.validations:
            best, waited = (value, 0) if value < best - min_delta else (best, waited + 1)
        return waited

    def set_rates(self) -> float:
        """Put this step's learning rates into the optimizer; gives the first group's."""
        factor = self.schedule.factor(self.step)
        for group, base in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = base * factor
        return self.base_rates[0] * factor

    def freeze(self, names: Iterable[str]) -> None:
        """Train these weights no longer; a name stands for all below it."""
        for name in names:
            for parameter in weights_below(self.model, name):
                parameter.requires_grad_(False)

    def is_finite(self) -> bool:
        """Whether every weight is a finite number (reads from the device)."""
        weights = [parameter.detach() for parameter in self.model.parameters()]
        norms = torch._foreach_norm(weights, float("inf"))
        return bool(torch.isfinite(torch.stack([norm.float() for norm in norms])).all())

    def state_dict(self) -> dict[str, Any]:
        """Tensors and plain data, from which `load_state_dict` continues bit for bit."""
        if self.average is not None:
            self.average.copy_buffers()
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "ema": None if self.average is None else self.average.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "losses": torch.stack(self.losses) if self.losses else torch.zeros(0),
            "best": [[step, value] for step, value in self.validations],
            "skipped": self.skipped,
        }

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Take up what `state_dict` gave.

        Raises:
            CheckpointError: the weights are those of another model, or the optimizer's state is another's.
        """
        load_weights(self.model, saved["model"])
        if self.average is not None:
            load_weights(self.average.model, saved["ema"] or saved["model"])
        check_optimizer(self.optimizer, saved["optimizer"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.schedule.load_state_dict(saved["scheduler"])
        self.scaler.load_state_dict(saved["scaler"])
        device = next(self.model.parameters()).device
        self.losses = list(saved["losses"].to(device).unbind())
        self.validations = [(int(step), float(value)) for step, value in saved["best"]]
        self.step, self.skipped = int(saved["step"]), int(saved["skipped"])


def check_optimizer(optimizer: torch.optim.Optimizer, saved: Mapping[str, Any]) -> None:
    """Hold a saved state against the optimizer that is to take it up, which torch does only at its next step.

    Raises:
        CheckpointError: another optimizer's, or damaged.
    """
    own = optimizer.state_dict()["param_groups"]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if kinds(saved.get("param_groups")) != kinds(own):
        raise CheckpointError("the checkpoint's optimizer is another one: its groups hold other settings or weights")
    kept = {tuple(sorted((str(name), isinstance(value, Tensor)) for name, value in entries.items()))
            for entries in saved["state"].values()}  # fmt: skip
    if len(kept) > 1:
        raise CheckpointError("the checkpoint's optimizer is damaged: it does not remember the same of every weight")
    for number, entries in saved["state"].items():
        for name, value in entries.items():
            fits = not isinstance(value, Tensor) or is_state_of(parameters[number], value)
            if not (fits and isinstance(value, Tensor | int | float | None)):
                raise CheckpointError(f"the checkpoint's optimizer is damaged: {name} of weight {number} does not fit")


def is_state_of(parameter: Tensor, value: Tensor) -> bool:
    """Whether a tensor can be an optimizer's memory of `parameter`: as large, or one number."""
    return value.shape in (parameter.shape, ()) and value.layout == torch.strided and value.dtype.is_floating_point


def is_plain(value: object) -> bool:
    """Whether it is a tensor that lies in memory as numbers."""
    return isinstance(value, Tensor) and value.layout == torch.strided and value.device.type == "cpu"


def kinds(value: object) -> object:
    """The shape of nested lists and mappings with the types of what they hold; whole numbers pass for others."""
    if isinstance(value, Mapping):
        return {key: kinds(item) for key, item in value.items() if key != "params"} | {"params": value.get("params")}
    if isinstance(value, list | tuple):
        return [kinds(item) for item in value]
    return float if type(value) is int else type(value)


def weights_below(model: nn.Module, name: str) -> list[nn.Parameter]:
    """The parameter of that name, or all of the module of that name; none if there is neither."""
    return [one for full, one in model.named_parameters() if f"{full}.".startswith(f"{name}.")]


def check_freezing(model: nn.Module, names: Sequence[str]) -> None:
    """Hold the names of `freeze` against the model.

    Raises:
        ConfigError: one names no weight, or together they leave none to train.
    """
    weights = [name for name, _ in model.named_parameters()]
    modules = [name for name, module in model.named_modules() if name and any(True for _ in module.parameters())]
    if strange := [name for name in names if not weights_below(model, name)]:
        raise ConfigError(
            *(f"freeze: the model has no weights {name}{suggestion(name, [*weights, *modules])}" for name in strange)
        )
    held = {id(one) for name in names for one in weights_below(model, name)}
    if not any(one.requires_grad and id(one) not in held for one in model.parameters()):
        raise ConfigError("freeze: it leaves nothing to train; take fewer names")


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Copy `weights` into `model`.

    Raises:
        CheckpointError: names or shapes differ; the first three differences are named.
    """
    own = model.state_dict()
    if strange := [name for name, value in weights.items() if not is_plain(value)]:
        raise CheckpointError(f"the checkpoint's weights are damaged: {strange[0]} is no plain tensor")
    lacking = [f"{name} is missing" for name in own if name not in weights]
    unknown = [f"{name} is not in this model" for name in weights if name not in own]
    reshaped = [
        f"{name} is {list(weights[name].shape)}, this model has {list(own[name].shape)}"
        for name in own
        if name in weights and weights[name].shape != own[name].shape
    ]
    if differences := lacking + unknown + reshaped:
        more = f" and {len(differences) - 3} more" if len(differences) > 3 else ""
        raise CheckpointError(f"the checkpoint's weights are another model's: {'; '.join(differences[:3])}{more}")
    model.load_state_dict(dict(weights))
