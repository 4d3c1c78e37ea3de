"""`dlcourse train`: compose, check, train, test; or go on with a run."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.commands import kfold
from dlcourse.commands.nouns import counted
from dlcourse.config.compose import Where, run_hydra
from dlcourse.config.overrides import Resume, resume_request
from dlcourse.errors import ConfigError
from dlcourse.results.record import MECHANICS

if TYPE_CHECKING:
    from rich.table import Table

    from dlcourse.folders import RunFolder
    from dlcourse.run.drive import Outcome
    from dlcourse.run.prepare import Run
    from dlcourse.training.observers import Observer


def main(argv: list[str]) -> int:
    """Train what the overrides say; gives the exit code."""
    if kfold.asked(argv):
        return kfold.main(argv)
    request = resume_request(argv)
    return run_hydra(argv, train) if request is None else resume(request)


def train(config: dict[str, Any], where: Where, *, watching: Sequence[Observer] = ()) -> int:
    """One job: a new run in a folder of its own; `watching` is told of every event."""
    # torch, imported below, takes two seconds: only once the command line is accepted
    from dlcourse.folders import claim, held, release
    from dlcourse.run.drive import drive
    from dlcourse.run.parts import assemble
    from dlcourse.run.prepare import prepare, set_start_values, write_head

    parts = assemble(config, choices=where.choices)
    settings = parts.settings
    wanted = where.folder if settings.run is None else Path(settings.run).expanduser()
    folder = claim(Path(settings.runs).expanduser(), group=parts.name, job=where.job, wanted=wanted)
    try:
        run = prepare(parts, folder)
        notes = set_start_values(run)
        try:
            write_head(run, config, overrides=where.overrides)
        except OSError as error:
            raise ConfigError(f"{folder.path}: {error.strerror or error}; name another place with runs=") from error
    except BaseException:
        release(folder)
        raise
    greet(run)
    for note in notes:
        print(note)
    with held(folder):
        named = hyperparameters(config, where.choices)
        return finish(run, drive(run, hyperparameters=named, watching=watching))


def resume(request: Resume, *, watching: Sequence[Observer] = ()) -> int:
    """Go on with a run in its own folder, which no other process may be doing; `watching` is told of every event."""
    from dlcourse.folders import find_run, held

    folder = find_run(request.run, runs=Path(str(request.changes.get("runs", "runs"))).expanduser())
    with held(folder):
        return _resume(folder, request.changes, watching=watching)


def _resume(folder: RunFolder, wishes: Mapping[str, Any], *, watching: Sequence[Observer]) -> int:
    from dlcourse.run.drive import drive
    from dlcourse.run.parts import assemble
    from dlcourse.run.prepare import prepare, read_head, set_start_values, write_config
    from dlcourse.run.resume import MAY_CHANGE, changed, ends_exactness, flat, restore

    before, choices = read_head(folder)
    config = changed(before, wishes)
    # what a run folder says never makes code of this folder run unless the user says so
    allow_code = bool(wishes.get("allow_code", False))
    parts = assemble(config, choices=choices, allow_code=allow_code)
    run = prepare(parts, folder)
    kept, notes = restore(run, anyway=bool(wishes.get("resume_anyway", False)))
    if run.state.step == 0:
        notes += set_start_values(run)
    for note in notes:
        print(note)
    if inexact := ends_exactness(folder, parts, wishes):
        print(f"from here on not bit for bit what the unbroken run would be: {'; '.join(inexact)}")
    if before.get("stop_at") or any(name in MAY_CHANGE for name, _ in flat(wishes)):
        write_config(run, config)  # so that resume=latest goes on with what was last asked for
    greet(run)
    if run.state.step >= run.plan.steps:
        print("the run is complete; give it more epochs= to go on")
    named = hyperparameters(config, choices)
    return finish(run, drive(run, hyperparameters=named, kept=kept, watching=watching))


def hyperparameters(config: Mapping[str, Any], choices: Mapping[str, str | None]) -> dict[str, object]:
    """What TensorBoard's HPARAMS tab compares runs by: the options chosen and every plain value of theirs."""
    from dlcourse.run.resume import flat

    values = {
        name: value
        for name, value in flat(config)
        if value is not None and not isinstance(value, list) and name not in MECHANICS and not name.endswith("_target_")
    }
    return {**{group: name for group, name in choices.items() if name is not None}, **values}


def greet(run: Run) -> None:
    """Say what is trained, where, how and for how long."""
    runtime, plan, parts = run.parts.runtime, run.plan, run.parts
    weights = sum(parameter.numel() for parameter in run.state.model.parameters())
    layout = ", channels_last" if runtime.channels_last else ""
    sizes = " / ".join(f"{len(split):,}" for split in (run.splits.train, run.splits.val, run.splits.test))
    print(f"model  {parts.choices.get('model')}: {weights:,} weights")
    print(f"data   {parts.choices.get('data')}: {sizes} to train / validate / test")
    for note in parts.data.notes():
        print(f"       {note}")
    kernels = ", own kernels" if runtime.kernels == "own" else ""
    print(f"on     {runtime.device}, {runtime.precision}{layout}{kernels}, {counted(runtime.threads, 'thread')}")
    start = f" from step {run.state.step}" if run.state.step else ""
    print(
        f"steps  {plan.steps:,}{start}, {plan.clock.steps_per_epoch} an epoch, {parts.settings.batch_size} samples each"
    )
    items, size = len(run.splits.train), parts.settings.batch_size
    if items // size == plan.clock.steps_per_epoch and items % size > items // 10:
        print(f"       full batches only: {items % size:,} of {items:,} sit out each epoch; a smaller batch_size helps")
    print(f"folder {run.folder.path}", flush=True)


def finish(run: Run, outcome: Outcome) -> int:
    """The closing table and what a user wants next."""
    if outcome.unfinished:
        print(f"stopped by {outcome.reason} after step {run.state.step}; go on with:")
        print(f"  dlcourse train resume={shown(run.folder)}")
        return outcome.exit_code
    from rich.console import Console

    print()
    terminal = Console(highlight=False)
    for table in tables(run, outcome):
        terminal.print(table)
    words = {"early_stop": "stopped early: no better validation", "max_minutes": "stopped by max_minutes"}
    if outcome.reason in words:
        print(f"{words[outcome.reason]}, at step {run.state.step} of {run.plan.steps}")
    name = shown(run.folder)
    print("next:")
    settings = run.parts.settings
    runs = settings.runs if settings.run is None else str(run.folder.path.parent)
    board = "dlcourse board" if runs == "runs" else f"dlcourse board {quoted(runs)}"
    print(f"  {board:28}  # curves, pictures and hyper-parameters in TensorBoard")
    for line in ("eval run={run}", *run.parts.task.afterwards):
        print(f"  dlcourse {line.format(run=name)}")
    longer = f"epochs={2 * settings.epochs}" if settings.max_steps is None else f"max_steps={2 * settings.max_steps}"
    print(f"  dlcourse train resume={name} {longer}")
    return 0


MOST_ROWS = 20  # classes that still make a readable table


def tables(run: Run, outcome: Outcome) -> Iterator[Table]:
    """The numbers of the best epoch on validation and test; then the test's finer ones (`recall/cat`), a row each.

    A number that stands in both, as `recall_cat` and `recall/cat`, is shown in the second alone.
    """
    from rich.markup import escape
    from rich.table import Table

    finer = [name.split("/", 1) for name in outcome.test if "/" in name]
    finer = finer if len({row for _, row in finer}) <= MOST_ROWS else []
    below = {f"{column}_{row}" for column, row in finer}
    step, _ = run.state.best
    count = len(run.state.validations)
    title = f"best of {counted(count, 'validation')}: step {step} (epoch {run.plan.epoch(step):g})"
    table = Table(title=title, min_width=len(title))  # or a short table breaks its title
    best = best_validation(run.folder, step)
    columns = {"validation": best, "test": outcome.test} if outcome.test else {"validation": best}
    table.add_column("", justify="left")
    for column in columns:
        table.add_column(column, justify="right")
    for name in [name for name in outcome.test or best if "/" not in name and name not in below]:
        table.add_row(name, *(number(numbers.get(name)) for numbers in columns.values()))
    yield table

    columns, rows = dict.fromkeys(column for column, _ in finer), dict.fromkeys(row for _, row in finer)
    if rows:
        table = Table(title="test")
        for column in ("", *columns):
            table.add_column(column, justify="right" if column else "left")
        for row in rows:
            table.add_row(escape(row), *(number(outcome.test.get(f"{column}/{row}")) for column in columns))
        yield table


def best_validation(folder: RunFolder, step: int) -> dict[str, float]:
    """The numbers of the validation at `step`, as metrics.jsonl has them."""
    records = [record for record in folder.records() if record.get("split") == "val" and record.get("step") == step]
    return records[-1]["scalars"] if records else {}


def number(value: float | None) -> str:
    """A number as the closing table shows it; what was counted is an int."""
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.4f}"


def shown(folder: RunFolder) -> str:
    """How the user names this run on a command line in this folder."""
    return quoted(folder.path.relative_to("runs").as_posix() if in_runs(folder) else str(folder.path))


def in_runs(folder: RunFolder) -> bool:
    """Whether it is runs/GROUP/TIME, where every command looks by itself."""
    return len(folder.path.parts) == 3 and folder.path.parts[0] == "runs"


def quoted(text: str) -> str:
    """`text` as a shell takes it; letters of any language need no quotes."""
    return shlex.quote(text) if re.search(r"[^\w@%+=:,./-]", text) else text
