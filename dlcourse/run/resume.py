"""Going on with a run: its own config, the few settings that may change, its newest whole checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dlcourse.errors import CheckpointError, ConfigError, suggestion
from dlcourse.files import read_json
from dlcourse.folders import RunFolder
from dlcourse.run.environment import differences, environment
from dlcourse.run.parts import Parts
from dlcourse.run.prepare import Run
from dlcourse.training import checkpoint

MAY_CHANGE = (
    "epochs", "max_steps", "max_minutes", "stop_at", "early_stop.patience", "early_stop.min_delta",
    "checkpoint.every_minutes", "checkpoint.every_steps", "checkpoint.keep", "log_every", "test", "runtime.device",
    "runtime.threads", "runtime.allocator",
)  # fmt: skip
ASIDE = ("resume", "runs", "resume_anyway", "allow_code")
"""Said for this command, not for the run."""


def changed(config: Mapping[str, Any], wishes: Mapping[str, Any]) -> dict[str, Any]:
    """The run's config with what the command line changes; a `stop_at` of before does not hold any more.

    Raises:
        ConfigError: it would change what a resumed run must keep, one line each.
    """
    problems: list[str] = []
    merged = {key: dict(value) if isinstance(value, Mapping) else value for key, value in config.items()}
    merged["stop_at"] = None
    for key, value in flat(wishes):
        if key in ASIDE:
            continue
        if key not in MAY_CHANGE:
            hint = suggestion(key, MAY_CHANGE, most=len(MAY_CHANGE))
            problems.append(f"{key}: a resumed run keeps its settings; start a new run to change it{hint}")
        else:
            group, _, name = key.rpartition(".")
            (merged[group] if group else merged)[name] = value
    if problems:
        raise ConfigError(*problems)
    return merged


def flat(tree: Mapping[str, Any], *, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values of a nested mapping; lists are values."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flat(value, prefix=f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def restore(run: Run, *, anyway: bool) -> tuple[tuple[int, int], list[str]]:
    """Load the newest checkpoint into the run's state.

    Args:
        run: prepared from the run folder's config.
        anyway: go on although the data is not the same.

    Returns:
        How many bytes of metrics.jsonl and timing.jsonl belong to it, and what should be told.

    Raises:
        CheckpointError: no checkpoint can be read, or data or model are not those that it was made with.
    """
    saved, notes = checkpoint.newest(run.folder.checkpoints)
    if saved is None:
        return (0, 0), ["no checkpoint was written yet: starting at step 0"]
    if problems := data_changes(saved["data"], run.fingerprints):
        if not anyway:
            raise CheckpointError(*problems, "say resume_anyway=true to go on all the same")
        notes.extend(problems)
    try:
        run.state.load_state_dict(saved)
        metrics, timing = (int(size) for size in saved["history_bytes"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CheckpointError(
            f"{run.folder.checkpoints}: the checkpoint of step {saved['step']} does not fit this run ({reason})"
        ) from error
    if run.state.step < 0 or metrics < 0 or timing < 0:
        raise CheckpointError(f"{run.folder.checkpoints}: the newest checkpoint counts backwards; it was tampered with")
    notes += [
        f"{path.name} is shorter than when the checkpoint was written: some of its lines are lost"
        for path, size in ((run.folder.metrics, metrics), (run.folder.timing, timing))
        if not path.exists() or path.stat().st_size < size
    ]
    return (metrics, timing), notes


def data_changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """One line for each split whose fingerprint is another one."""
    return [
        f"data: the {name} split is not the one that this run was trained with (sha256 {str(before[name])[:12]}..., "
        f"now {now[name][:12]}...)"
        for name in now
        if name in before and before[name] != now[name]
    ]


def ends_exactness(folder: RunFolder, parts: Parts, wishes: Mapping[str, Any]) -> list[str]:
    """What makes the rest of the run differ from one that never stopped, one phrase each."""
    lengths = [
        name for name in ("epochs", "max_steps") if name in wishes and parts.choices.get("scheduler") != "constant"
    ]
    before = read_json(folder.path / "environment.json")
    return [
        *(f"{name} was changed, and with it the schedule" for name in lengths),
        *differences(before, environment(parts.runtime)),
    ]
