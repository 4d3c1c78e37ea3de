"""Every top-level setting: type, default, range and what it does; needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any, Literal, Self, cast, get_origin, get_type_hints

from dlcourse.config.kinds import Misfit, conform, shown
from dlcourse.errors import ConfigError, suggestion
from dlcourse.lengths import parse_length

GROUPS = ("task", "optimizer", "scheduler", "runtime", "data", "model", "init", "experiment")
"""The config groups in the order in which train.yaml composes them."""


@dataclass(frozen=True)
class Range:
    """What a number or text may be, and how that is said."""

    words: str
    least: float | None = None
    above: float | None = None
    below: float | None = None
    says: Callable[[Any], bool] | None = None
    """Whether the value is one, in place of the three limits."""

    def holds(self, value: Any) -> bool:
        """Whether the value lies inside; NaN never does."""
        if self.says is not None:
            return self.says(value)
        return (
            (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and abs(value) != float("inf")
        )


def _is_length(value: str) -> bool:
    try:
        return parse_length(value)[0] > 0
    except ValueError:
        return False


def _are_names_until(values: Sequence[str]) -> bool:
    return all(name and _is_length(length) for name, _, length in (value.rpartition("@") for value in values))


def setting(default: object, doc: str, *, range: Range | None = None) -> Any:
    """A dataclass field that knows its sentence and its range."""
    return field(default=default, metadata={"doc": doc, "range": range})


POSITIVE = Range("1 or more", least=1)
COUNT = Range("0 or more", least=0)
ABOVE_ZERO = Range("above 0", above=0)


@dataclass(frozen=True)
class Checkpointing:
    """When the state is written down."""

    every_minutes: float | None = setting(
        10.0, "Minutes between two checkpoints; null writes them only at validations and at the end.", range=ABOVE_ZERO
    )
    every_steps: int | None = setting(
        None, "Optimizer steps between two checkpoints; null counts none.", range=POSITIVE
    )
    keep: int = setting(1, "How many previous checkpoints stay beside the last and the best.", range=COUNT)


@dataclass(frozen=True)
class EarlyStopping:
    """When to give up before the end."""

    patience: int | None = setting(
        None, "Validations without improvement after which training stops; null never stops.", range=POSITIVE
    )
    min_delta: float = setting(0.0, "The smallest change of the best number that counts as one.", range=COUNT)


@dataclass(frozen=True)
class Settings:
    """The settings that belong to no group."""

    seed: int = setting(1, "Decides everything random: start values, order, augmentation, dropout.", range=COUNT)
    epochs: int = setting(30, "Passes over the training split.", range=POSITIVE)
    max_steps: int | None = setting(
        None, "Optimizer steps after which training ends, in place of epochs.", range=POSITIVE
    )
    max_minutes: float | None = setting(
        None, "Minutes after which training stops; the schedule is not shortened.", range=ABOVE_ZERO
    )
    stop_at: str | None = setting(
        None, "Length after which training saves and waits to be gone on with, as if it had never stopped: 2ep, 500st.",
        range=Range("a length above 0 such as 2ep, 500st or 30%", says=_is_length),
    )  # fmt: skip
    batch_size: int = setting(128, "Samples in one optimizer step.", range=POSITIVE)
    accumulate: int = setting(
        1, "Micro-batches that a batch is cut into, to save memory; at most batch_size.", range=POSITIVE
    )
    clip_norm: float | None = setting(None, "Largest norm of the whole gradient; null leaves it.", range=ABOVE_ZERO)
    clip_value: float | None = setting(None, "Largest size of one gradient value; null leaves it.", range=ABOVE_ZERO)
    ema: float = setting(
        0.0, "Decay of the averaged weights that are evaluated and kept as best; 0 is off.",
        range=Range("from 0 to below 1", least=0, below=1),
    )  # fmt: skip
    freeze: tuple[str, ...] = setting(
        (), "Weights that stay as they are from a length on, a name standing for all below it: [whiten.bias@3ep].",
        range=Range("a list of names and lengths such as [whiten.bias@3ep,blocks.0@50%]", says=_are_names_until),
    )  # fmt: skip
    validate_every: str = setting(
        "1ep", "Length between two validations: epochs (2ep, 0.5ep) or steps (500st).",
        range=Range("a length above 0 such as 2ep, 0.5ep or 500st", says=_is_length),
    )  # fmt: skip
    checkpoint: Checkpointing = field(default_factory=Checkpointing)
    early_stop: EarlyStopping = field(default_factory=EarlyStopping)
    on_nonfinite: Literal["stop", "skip"] = setting(
        "stop", "What a loss or gradient that is not finite does: stop the run, or skip that step."
    )
    test: bool = setting(True, "Test the best checkpoint at the end; false keeps the test split for a later look.")
    log_every: int = setting(50, "Optimizer steps between two training records.", range=POSITIVE)
    runs: str = setting("runs", "Folder that run folders go to.")
    run: str | None = setting(None, "This run's own folder; null names one by model, data and time.")
    resume: str | None = setting(None, "The run to go on with: a path, <model>-<data>/<time> or latest.")
    resume_anyway: bool = setting(False, "Go on although something changed that ends bit-for-bit equality.")
    allow_code: bool = setting(False, "Run Python files that a run folder's config names.")

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Self:
        """The settings of a composed config, whose groups are left to those who build them.

        Raises:
            ConfigError: every wrong type, range and unknown name, one line each.
        """
        problems = list(faults(config))
        if problems:
            raise ConfigError(*problems)
        return _make(cls, config)


@dataclass(frozen=True)
class Known:
    """One setting: its dotted key, annotation, default, range and sentence."""

    key: str
    annotation: object
    default: object
    range: Range | None
    doc: str

    def fault(self, value: object) -> str | None:
        """The error line of a value, or None if it fits."""
        try:
            found = conform(value, self.annotation)
        except Misfit as misfit:
            words = self.range.words if self.range and get_origin(self.annotation) is tuple else misfit
            return f"{self.key} must be {words}, not {shown(value)}"
        if found is not None and self.range is not None and not self.range.holds(found):
            return f"{self.key} must be {self.range.words}, not {shown(value)}"
        return None


def known(owner: type[Any] = Settings, *, prefix: str = "") -> Iterator[Known]:
    """Every setting in the order of the dataclass, nested ones by dotted key."""
    hints = get_type_hints(owner)
    for item in fields(owner):
        annotation = hints[item.name]
        if is_dataclass(annotation):
            yield from known(annotation, prefix=f"{prefix}{item.name}.")  # type: ignore[arg-type]
        else:
            default = None if item.default is MISSING else item.default
            yield Known(prefix + item.name, annotation, default, item.metadata["range"], item.metadata["doc"])


KNOWN: Mapping[str, Known] = {one.key: one for one in known()}


def faults(config: Mapping[str, Any]) -> Iterator[str]:
    """One line for everything wrong with the settings of a composed config."""
    parents = {key.split(".")[0] for key in KNOWN if "." in key}
    given: dict[str, object] = {}
    for name, value in config.items():
        if name == "experiment" and isinstance(value, Mapping):
            yield "experiment: the file's first line must be '# @package _global_', or nothing in it takes effect"
        if name in GROUPS or name == "hydra":
            continue
        if name in parents:
            if not isinstance(value, Mapping):
                yield f"{name} must be a group of settings, not {shown(value)}"
                continue
            given.update({f"{name}.{inner}": item for inner, item in value.items()})
        else:
            given[str(name)] = value
    wrong: set[str] = set()
    for key, value in given.items():
        if key not in KNOWN:
            yield f"{key}: there is no such setting{suggestion(key, [*KNOWN, *GROUPS])}"
        elif line := KNOWN[key].fault(value):
            wrong.add(key)
            yield line
    accumulate, batch_size = (given.get(key, KNOWN[key].default) for key in ("accumulate", "batch_size"))
    if not wrong & {"accumulate", "batch_size"} and accumulate > batch_size:  # type: ignore[operator]
        yield f"accumulate ({accumulate}) must be at most batch_size ({batch_size})"


def _make(owner: type[Any], config: Mapping[str, Any]) -> Any:
    hints = get_type_hints(owner)
    values: dict[str, object] = {}
    for item in fields(owner):
        if item.name in config:
            annotation, value = hints[item.name], config[item.name]
            values[item.name] = (
                _make(cast("type[Any]", annotation), value) if is_dataclass(annotation) else conform(value, annotation)
            )
    return owner(**values)
