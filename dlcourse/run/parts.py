"""The parts that a config names, built and fitted to each other before any data is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from dlcourse.config import tree
from dlcourse.config.build import NOT_SAID, Call, bind, call
from dlcourse.config.settings import Settings
from dlcourse.config.targets import resolve
from dlcourse.data.base import DataSet, mix
from dlcourse.errors import ConfigError, UserError
from dlcourse.lengths import Clock
from dlcourse.tasks.base import Task
from dlcourse.training.runtime import Runtime
from dlcourse.training.schedules import Schedule

START_GIVEN = 3  # a start value is called with (model, train split, generator) once before step 0


@dataclass(frozen=True)
class Network:
    """What a trained network is read back with; nothing of the data is read yet."""

    settings: Settings
    choices: Mapping[str, str | None]
    data: DataSet
    task: Task[Any, Any]
    model: nn.Module
    runtime: Runtime

    @property
    def name(self) -> str:
        """<model>-<data>, the folder that runs of this kind share."""
        return f"{self.choices.get('model') or 'model'}-{self.choices.get('data') or 'data'}"


@dataclass(frozen=True)
class Parts(Network):
    """Everything that a config describes, checked; nothing of the data is read yet."""

    optimizer: torch.optim.Optimizer
    schedule: Callable[[Clock], Schedule]
    init: Sequence[Call]


def assemble(config: Mapping[str, Any], *, choices: Mapping[str, str | None], allow_code: bool = True) -> Parts:
    """Build every part of a resolved config.

    Args:
        config: group -> call, and the settings that belong to no group.
        choices: group -> the option that was chosen.
        allow_code: whether modules of the folder where the command runs may be called.

    Raises:
        ConfigError: everything that is wrong or does not fit, one line each.
    """
    bench = _Bench(config, choices=choices, allow_code=allow_code)
    network = bench.network()
    # An optimizer is checked even where there is no model: a convolution has a weight for each kind of step.
    weights = (nn.Conv2d(1, 2, 1) if network is None else network.model).named_parameters()
    optimizer: torch.optim.Optimizer | None = bench.built("optimizer", weights)
    schedule: Schedule | None = bench.built("scheduler", Clock(steps=1000, steps_per_epoch=100))
    init = bench.start_values()
    if bench.problems or network is None or optimizer is None or schedule is None:
        raise ConfigError(*bench.problems)
    return Parts(
        **vars(network),
        optimizer=optimizer,
        schedule=lambda clock: call(config["scheduler"], clock, at="scheduler", facts={}, allow_code=allow_code),
        init=init,
    )


def assemble_network(
    config: Mapping[str, Any], *, choices: Mapping[str, str | None], allow_code: bool = False
) -> Network:
    """The parts of a run's config that reading its network takes, built as `assemble` does.

    The optimizer is left out: making any imports torch._dynamo, which takes as long as half of torch.

    Raises:
        ConfigError: everything that is wrong or does not fit, one line each.
    """
    bench = _Bench(config, choices=choices, allow_code=allow_code)
    network = bench.network()
    if bench.problems or network is None:
        raise ConfigError(*bench.problems)
    return network


class _Bench:
    """Where parts are built; what is wrong with them gathers in `problems`."""

    def __init__(self, config: Mapping[str, Any], *, choices: Mapping[str, str | None], allow_code: bool) -> None:
        self.problems: list[str] = []
        self._config, self._choices, self._allow_code = config, choices, allow_code
        try:
            self._settings = Settings.read(config)
        except ConfigError as error:
            self.problems.extend(error.problems)
            self._settings = Settings()

    def built(self, group: str, *args: object, facts: Mapping[str, object] | None = None) -> Any:
        """What a group's call makes; None if it cannot be made."""
        try:
            made = call(self._config[group], *args, at=group, facts=facts or {}, allow_code=self._allow_code)
        except UserError as error:
            self.problems.extend(error.problems)
            return None
        if isinstance(made, KINDS[group]):
            return made
        self.problems.append(f"{group} must make a {KINDS[group].__name__}, not a {type(made).__name__}")
        return None

    def network(self) -> Network | None:
        """Data set, task, model and runtime, fitted to each other; None if one of them cannot be made."""
        data: DataSet | None = self.built("data")
        runtime: Runtime | None = self.built("runtime")
        try:
            facts = {} if data is None else data.facts()
        except UserError as error:
            raise ConfigError(*self.problems, *error.problems) from error
        task: Task[Any, Any] | None = self.built("task", facts=facts)
        torch.manual_seed(mix(self._settings.seed, START))
        model = None if data is None else self._model(data, facts, task=task)
        if model is not None and runtime is not None:
            try:
                runtime = runtime.settle(model)
            except UserError as error:
                self.problems.extend(error.problems)
        if data is None or task is None or model is None or runtime is None:
            return None
        return Network(self._settings, self._choices, data, task, model, runtime)

    def start_values(self) -> list[Call]:
        """What `init` names, bound but for model, split and generator."""
        found: list[Call] = []
        for at, node in start_values(self._config.get("init")):
            try:
                own = {**node, "runs": self._settings.runs} if "runs" in node and node["runs"] is None else node
                found.append(bind(own, at=at, facts={}, allow_code=self._allow_code, given=START_GIVEN))
            except UserError as error:
                self.problems.extend(error.problems)
        return found

    def _model(self, data: DataSet, facts: Mapping[str, object], *, task: Task[Any, Any] | None) -> nn.Module | None:
        before = len(self.problems)
        model: nn.Module | None = None
        if wanted := self._other_kind(data):
            self.problems.append(wanted)
        else:
            model = self.built("model", facts=facts)
        misfit = None if model is None else kind_misfit(model, task, data, choices=self._choices)
        self.problems.extend([misfit] if misfit else [])
        self.problems[before:] = [
            about_fit(line, data, facts, choices=self._choices, allow_code=self._allow_code)
            for line in self.problems[before:]
        ]
        return model

    def _other_kind(self, data: DataSet) -> str | None:
        """That the model takes another kind of batch than the data gives, known from its class alone; or None."""
        node = self._config["model"]
        try:
            takes = getattr(resolve(node["_target_"], at="model", allow_code=self._allow_code), "takes", data.gives)
        except (UserError, KeyError, TypeError):
            return None  # told when it is built
        return None if takes == data.gives else f"model: it takes {takes}, and the data gives {data.gives}"


KINDS: Mapping[str, type[Any]] = {
    "data": DataSet, "task": Task, "model": nn.Module, "optimizer": torch.optim.Optimizer, "scheduler": Schedule,
    "runtime": Runtime,
}  # fmt: skip
"""What each group has to make."""

START = 0x57A27  # keeps the draws of start values apart from those of step 0


def start_values(node: Any) -> Iterator[tuple[str, Any]]:
    """Where each start value stands and its call; `init` holds one call, several by name, or a list of them."""
    if isinstance(node, Mapping) and "_target_" in node:
        yield "init", node
    elif isinstance(node, Mapping):
        yield from ((f"init.{name}", one) for name, one in node.items())
    else:
        yield from ((f"init.{number}", one) for number, one in enumerate(node or []))


def kind_misfit(
    model: nn.Module, task: Task[Any, Any] | None, data: DataSet, *, choices: Mapping[str, str | None]
) -> str | None:
    """Why these do not belong together, or None."""
    takes = getattr(model, "takes", data.gives)
    if takes != data.gives:
        return f"model: it takes {takes}, and the data gives {data.gives}"
    if task is not None and task.takes != data.gives:
        return f"task={choices.get('task')} is for {task.takes}, and data={choices.get('data')} gives {data.gives}"
    return None


def about_fit(
    line: str, data: DataSet, facts: Mapping[str, object], *, choices: Mapping[str, str | None], allow_code: bool
) -> str:
    """`line`; if it is about what the data gives, with both names and the models that would fit."""
    about = line.removeprefix("model.").removeprefix("model: ")
    lacking = line.startswith("model.") and line.endswith(NOT_SAID)
    if not (lacking or line.startswith("model:") or about.split(" ")[0] in facts):
        return line
    names = ", ".join(fitting_models(data, facts, allow_code=allow_code)) or "none"
    return f"model={choices.get('model')} does not fit data={choices.get('data')}: {about}; models that fit: {names}"


def fitting_models(data: DataSet, facts: Mapping[str, object], *, allow_code: bool) -> Iterator[str]:
    """The model options that take what `data` gives, tried on the meta device, which allocates nothing."""
    for name, option in tree.options()["model"].items():
        node = {key: value for key, value in tree.read_yaml(option.path).items() if key != "defaults"}
        try:
            with torch.device("meta"):
                model = call(node, at="model", facts=facts, allow_code=allow_code)
        except UserError:
            continue
        if getattr(model, "takes", data.gives) == data.gives:
            yield name
