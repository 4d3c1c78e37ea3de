"""From checked parts to a run that can start: data read, start values set, folder written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from dlcourse.data.base import Draw, Splits, mix
from dlcourse.errors import CheckpointError, DataError
from dlcourse.files import write_json, write_text
from dlcourse.folders import MARK, RunFolder, find_run
from dlcourse.results.stored import CHOICES, read_config
from dlcourse.run.environment import environment
from dlcourse.run.parts import Network, Parts
from dlcourse.training.average import Average
from dlcourse.training.plan import Plan
from dlcourse.training.state import State, check_freezing

OWN_NAMES = frozenset({
    "config.yaml", "overrides.txt", "environment.json", "data.json", "task.json", "notes.json", "metrics.jsonl",
    "timing.jsonl", "predictions.npz", "figures", "log.txt", "status.json", "checkpoints",
})  # fmt: skip
"""What a run writes into its folder by itself."""


@dataclass(frozen=True)
class Run:
    """Everything that training needs, put together; its folder is claimed."""

    parts: Parts
    folder: RunFolder
    splits: Splits
    plan: Plan
    state: State
    fingerprints: Mapping[str, str]


def prepare(parts: Parts, folder: RunFolder) -> Run:
    """Read the data, place everything on the device, and set up the state before step 0.

    Raises:
        DataError: the data cannot be read, or is to keep a file that cannot stand in a run folder.
        ConfigError: the device cannot compute this model in this precision.
    """
    parts.runtime.apply()
    splits = read_splits(parts)
    check_keepsakes(splits.keepsakes)
    plan, state = begin(parts, splits)
    fingerprints = {name: getattr(splits, name).fingerprint for name in ("train", "val", "test")}
    return Run(parts, folder, splits, plan, state, fingerprints)


def begin(parts: Parts, splits: Splits) -> tuple[Plan, State]:
    """Place the model on the device, try a step, and set up plan and state before step 0.

    Raises:
        ConfigError: the device cannot compute this model in this precision, or `freeze` does not fit the model.
    """
    runtime, settings = parts.runtime, parts.settings
    plan = Plan.make(settings, steps_per_epoch=splits.train.steps(settings.batch_size))
    check_freezing(parts.model, [name for name, _ in plan.freeze])
    model = runtime.placed(parts.model)
    _rehearse(parts, splits, model)
    state = State(
        model=model,
        optimizer=parts.optimizer,
        schedule=parts.schedule(plan.clock),
        scaler=runtime.scaler(),
        average=Average(model, decay=settings.ema) if settings.ema else None,
    )
    return plan, state


def _rehearse(parts: Parts, splits: Splits, model: nn.Module) -> None:
    """Try a step on two samples, or on one if that is all that a micro-batch holds.

    As validation sees them and, if that has another shape, as the first epoch does.
    """
    smallest = min(parts.settings.batch_size, len(splits.train)) // parts.settings.accumulate
    indices = torch.arange(min(2, max(1, smallest)))
    plain, drawn = (splits.train.fetch(indices, draw=draw) for draw in (None, Draw(parts.settings.seed, 0)))
    shapes = [[tensor.shape for tensor in batch.inputs] for batch in (plain, drawn)]
    for batch in (plain,) if shapes[0] == shapes[1] else (plain, drawn):
        parts.runtime.rehearse(model, lambda twin, batch=batch: parts.task.loss(twin, batch))


def read_splits(parts: Network) -> Splits:
    """The data set's splits on the run's device."""
    runtime, read = parts.runtime, parts.data.load()
    moved = {
        name: getattr(read, name).to(runtime.place, memory_format=runtime.memory_format)
        for name in ("train", "val", "test")
    }
    return replace(read, **moved)


def check_keepsakes(names: Iterable[str]) -> None:
    """Raise DataError unless each is the name of a file that can stand in a run folder, and is not the run's own."""
    # What a name says comes from a data set, which may be anybody's: it must not lead out of the folder.
    wrong = [name for name in names if name.lower() in OWN_NAMES or not re.fullmatch(r"\w[\w-]*(\.[\w-]+)*", name)]
    if wrong:
        raise DataError(
            *(f"data: a run cannot keep {name!r}; it takes a plain file name that is not its own" for name in wrong)
        )


def set_start_values(run: Run) -> list[str]:
    """Call what `init=` names, in order, once (a resumed run never does); gives what they have to tell."""
    return start_from(run.parts, run.splits, run.state)


def start_from(parts: Parts, splits: Splits, state: State) -> list[str]:
    """Put the start values that `init=` names into a state before step 0; gives what they have to tell."""
    generator = torch.Generator().manual_seed(mix(parts.settings.seed, 1))
    notes = [start(state.model, splits.train, generator) for start in parts.init]
    if state.average is not None:
        state.average.model.load_state_dict(state.model.state_dict())
    return [f"{start.at}: {note}" for start, note in zip(parts.init, notes, strict=True) if note]


def write_head(run: Run, config: Mapping[str, Any], *, overrides: list[str]) -> None:
    """Write what is known before the first step: config, overrides, environment, data, what decides, keepsakes."""
    parts, folder = run.parts, run.folder
    # A resumed run, which asks for no start values any more, may have outlived the run that it started from.
    write_config(run, {**config, "init": pinned(config.get("init"), runs=parts.settings.runs)})
    write_text(folder.path / "overrides.txt", "".join(f"{word}\n" for word in overrides))
    write_json(folder.path / "environment.json", environment(parts.runtime))
    sizes = {name: {"items": len(getattr(run.splits, name)), "sha256": sha} for name, sha in run.fingerprints.items()}
    write_json(folder.data, sizes)
    write_json(folder.task, {"best": list(parts.task.best)})
    for name, text in run.splits.keepsakes.items():
        write_text(folder.path / name, text)


def write_config(run: Run, config: Mapping[str, Any]) -> None:
    """Write config.yaml: the config with what `auto` chose and the data decided, and the options chosen."""
    known = [name for name in config["runtime"] if name != "_target_"]
    runtime = {**config["runtime"], **{name: getattr(run.parts.runtime, name) for name in known}}
    data = {**config["data"], **run.parts.data.settled()}
    resolved = {**config, "runtime": runtime, "data": data, CHOICES: dict(run.parts.choices)}
    write_text(run.folder.config, yaml.safe_dump(resolved, allow_unicode=True, sort_keys=False))


def pinned(node: Any, *, runs: str) -> Any:
    """The calls of `init` with the runs that they start from by their full names: another `latest` will come."""
    if isinstance(node, list):
        return [pinned(one, runs=runs) for one in node]
    if not isinstance(node, Mapping):
        return node
    if "_target_" not in node:
        return {name: pinned(one, runs=runs) for name, one in node.items()}
    word = node.get("run")
    if "runs" not in node or not isinstance(word, str) or (Path(word).expanduser() / MARK).is_file():
        return dict(node)
    place = Path(node["runs"] or runs).expanduser()
    return {**node, "run": find_run(word, runs=place).path.relative_to(place).as_posix()}


def read_head(folder: RunFolder) -> tuple[dict[str, Any], dict[str, str | None]]:
    """The config that a run was started with, and the options that it chose.

    Raises:
        CheckpointError: config.yaml is damaged.
    """
    try:
        config, choices = read_config(folder.config)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(f"{folder.config}: damaged ({reason}); the run cannot be built again") from error
    groups = ("task", "optimizer", "scheduler", "runtime", "data", "model")
    if not all(isinstance(config.get(group), dict) for group in groups):
        raise CheckpointError(f"{folder.config}: damaged (a group is missing); the run cannot be built again")
    return config, dict(choices)
