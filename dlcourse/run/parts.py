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
from dlcourse.data.base import DataSet, mix
from dlcourse.errors import ConfigError, UserError
from dlcourse.lengths import Clock
from dlcourse.tasks.base import Task
from dlcourse.training.runtime import Runtime
from dlcourse.training.schedules import Schedule

START_GIVEN = 3  # a start value is called with (model, train split, generator) once before step 0


@dataclass(frozen=True)
class Parts:
    """Everything that a config describes, checked; nothing of the data is read yet."""

    settings: Settings
    choices: Mapping[str, str | None]
    data: DataSet
    task: Task[Any, Any]
    model: nn.Module
    runtime: Runtime
    optimizer: torch.optim.Optimizer
    schedule: Callable[[Clock], Schedule]
    init: Sequence[Call]

    @property
    def name(self) -> str:
        """<model>-<data>, the folder that runs of this kind share."""
        return f"{self.choices.get('model') or 'model'}-{self.choices.get('data') or 'data'}"


def assemble(config: Mapping[str, Any], *, choices: Mapping[str, str | None], allow_code: bool = True) -> Parts:
    """Build every part of a resolved config.

    Args:
        config: group -> call, and the settings that belong to no group.
        choices: group -> the option that was chosen.
        allow_code: whether modules of the folder where the command runs may be called.

    Raises:
        ConfigError: everything that is wrong or does not fit, one line each.
    """
    problems: list[str] = []

    def built(group: str, *args: object, facts: Mapping[str, object] | None = None) -> Any:
        try:
            made = call(config[group], *args, at=group, facts=facts or {}, allow_code=allow_code)
        except UserError as error:
            problems.extend(error.problems)
            return None
        if isinstance(made, KINDS[group]):
            return made
        problems.append(f"{group} must make a {KINDS[group].__name__}, not a {type(made).__name__}")
        return None

    try:
        settings = Settings.read(config)
    except ConfigError as error:
        problems.extend(error.problems)
        settings = Settings()
    data: DataSet | None = built("data")
    runtime: Runtime | None = built("runtime")
    try:
        facts = {} if data is None else data.facts()
    except UserError as error:
        raise ConfigError(*problems, *error.problems) from error
    task: Task[Any, Any] | None = built("task", facts=facts)

    torch.manual_seed(mix(settings.seed, START))
    model: nn.Module | None = None
    if data is not None:
        before = len(problems)
        model = built("model", facts=facts)
        misfit = None if model is None else kind_misfit(model, task, data, choices=choices)
        problems.extend([misfit] if misfit else [])
        problems[before:] = [
            about_fit(line, data, facts, choices=choices, allow_code=allow_code) for line in problems[before:]
        ]

    stand_in = nn.Linear(1, 1) if model is None else model
    if model is not None and runtime is not None:
        try:
            runtime = runtime.settle(model)
        except UserError as error:
            problems.extend(error.problems)
    optimizer: torch.optim.Optimizer | None = built("optimizer", stand_in.named_parameters())
    schedule: Schedule | None = built("scheduler", Clock(steps=1000, steps_per_epoch=100))
    init: list[Call] = []
    for at, node in start_values(config.get("init")):
        try:
            given = {"runs": settings.runs}
            init.append(bind(node, at=at, facts=given, allow_code=allow_code, given=START_GIVEN))
        except UserError as error:
            problems.extend(error.problems)
    if (
        problems
        or data is None
        or task is None
        or model is None
        or runtime is None
        or optimizer is None
        or schedule is None
    ):
        raise ConfigError(*problems)
    return Parts(
        settings=settings,
        choices=choices,
        data=data,
        task=task,
        model=model,
        runtime=runtime,
        optimizer=optimizer,
        schedule=lambda clock: call(config["scheduler"], clock, at="scheduler", facts={}, allow_code=allow_code),
        init=init,
    )


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
