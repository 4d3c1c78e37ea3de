"""What a sweep's words span: the words that all arms share, the axes along which arms differ, and the seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from dlcourse.config import tree
from dlcourse.config.check import check
from dlcourse.config.overrides import Words, parse_all, split
from dlcourse.errors import ConfigError, suggestion

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

TAKEN: Mapping[str, str] = {
    "resume": "a sweep goes on by itself: give it the same words again",
    "stop_at": "halving=3 stops the arms of a sweep that fall behind",
    "run": "a sweep names the folders of its runs; runs= says where they go",
}
DIGITS = 4
"""Significant digits of a value drawn from an interval: enough to search by, few enough to be typed."""


@dataclass(frozen=True)
class Values:
    """An axis of several values.

    Args:
        key: as Hydra is told it: optimizer.lr, +model.x, model.
        texts: each value as it is written behind the key; no two are the same.
    """

    key: str
    texts: tuple[str, ...]

    def at(self, share: float) -> str:
        """The value that lies at `share` (from 0 to below 1) of the axis."""
        return self.texts[int(share * len(self.texts))]


@dataclass(frozen=True)
class Interval:
    """An axis of all numbers between two, both among them.

    Args:
        key: as Hydra is told it.
        low: the smallest value.
        high: the largest value, above the smallest.
        log: whether equal shares of the axis are equal ratios.
        whole: whether only whole numbers count.
    """

    key: str
    low: float
    high: float
    log: bool
    whole: bool

    def at(self, share: float) -> str:
        """The value that lies at `share` (from 0 to below 1) of the axis."""
        low, high = (self.low - 0.5, self.high + 0.5) if self.whole else (self.low, self.high)
        if self.log:
            return self.text(math.exp(math.log(low) + share * (math.log(high) - math.log(low))))
        return self.text(low + share * (high - low))

    def text(self, value: float) -> str:
        """How a value is written: four significant digits, and never outside."""
        if self.whole:
            return str(min(max(round(value), int(self.low)), int(self.high)))
        return repr(min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high))


Axis = Values | Interval


@dataclass(frozen=True)
class Space:
    """The words of a sweep, read.

    Args:
        flags: Hydra's flags that every training is given: --config-dir.
        fixed: what all arms share.
        axes: what they differ in, in the order of the command line.
        seeds: those of a `seed=` among the words; empty without one.
        lines: every word but seed= as it was read, in alphabetical order: what makes two sweeps the same.
    """

    flags: tuple[str, ...]
    fixed: tuple[str, ...]
    axes: tuple[Axis, ...]
    seeds: tuple[int, ...]
    lines: tuple[str, ...]

    @property
    def size(self) -> float:
        """How many arms there are; infinite with an interval of fractions."""
        return math.prod(
            len(axis.texts) if isinstance(axis, Values) else axis.high - axis.low + 1 if axis.whole else math.inf
            for axis in self.axes
        )

    def group(self, words: Sequence[str]) -> str:
        """<model>-<data> of the arm that has these words beside the shared ones."""
        dirs = _dirs(self.flags)
        available = tree.options(dirs)
        given = {
            override.key_or_group: str(override.value())
            for override in parse_all([*self.fixed, *words])[0]
            if override.key_or_group in available and not override.is_delete()
        }
        chosen = tree.choose(given, extra=dirs)
        return "-".join(chosen[group].name if group in chosen else group for group in ("model", "data"))


def read_space(argv: Sequence[str], *, own: Sequence[str] = ()) -> Space:
    """What the words of `dlcourse train` span.

    Args:
        argv: the words, without those of the sweep itself.
        own: the arguments of the sweep, of which a word may be a misspelling.

    Raises:
        ConfigError: every fault that a word or one of its values has by itself, one line each.
    """
    words = split(argv)
    problems = [*words.problems, *_refused_flags(words.flags), *misspelt(words.overrides, own=own)]
    wrong = {problem.partition(":")[0] for problem in problems}
    overrides, faults = parse_all([word for word in words.overrides if word.partition("=")[0] not in wrong])
    problems += faults
    axes: list[Axis] = []
    lines: dict[str, str] = {}
    seeds: tuple[int, ...] = ()
    checked: list[str] = []
    for override in overrides:
        key, line = override.key_or_group, override.input_line or ""
        if fault := _fault(override, said=lines):
            problems.append(fault)
            continue
        lines[key] = line
        if override.is_sweep_override():
            axis = axis_of(override, dirs=words.config_dirs)
            checked.append(line if isinstance(axis, Values) else f"{axis.key}={_ends(axis)}")
            axes += [axis] if key != "seed" else []
            seeds = _seeds(axis) if key == "seed" else seeds
        else:
            checked.append(line)
            value = override.value()
            seeds = (value,) if key == "seed" and isinstance(value, int) else seeds
    try:
        check(replace(words, flags=(*words.flags, "--multirun"), overrides=tuple(checked), problems=()))
    except ConfigError as error:
        problems += [_hinted(problem, axes=axes) for problem in error.problems]
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
    moving = {axis.key.lstrip("+") for axis in axes} | {"seed"}
    fixed = [line for key, line in lines.items() if key not in {key.partition("@")[0] for key in moving}]
    lines.pop("seed", None)
    return Space(words.flags, tuple(fixed), tuple(axes), seeds, tuple(sorted(lines.values())))


def check_arms(space: Space, arms: Sequence[Sequence[str]]) -> None:
    """Raise ConfigError with the faults that show only where the values of several axes meet."""
    problems: list[str] = []
    for words in arms:
        try:
            check(Words(space.flags, (*space.fixed, *words)))
        except ConfigError as error:
            problems += [f"{' '.join(words)}: {problem}" for problem in error.problems]
    if problems:
        raise ConfigError(*problems)


def axis_of(override: Override, *, dirs: Sequence[str] = ()) -> Axis:
    """The axis that an override of several values is."""
    from hydra.core.override_parser.types import Glob, IntervalSweep, Transformer

    key, raw = override.get_key_element(), cast("object", override.value())
    if isinstance(raw, IntervalSweep):
        low, high = cast("tuple[float, float]", (raw.start, raw.end))
        return Interval(key, low, high, log="log" in raw.tags, whole=isinstance(low, int) and isinstance(high, int))
    if isinstance(raw, Glob):
        return Values(key, tuple(raw.filter(list(tree.options(dirs).get(override.key_or_group, {})))))
    texts = [str(text) for text in override.sweep_iterator(transformer=Transformer.str)]
    return Values(key, tuple(dict.fromkeys(texts)))


def misspelt(words: Sequence[str], *, own: Sequence[str]) -> Iterator[str]:
    """A line for each word that is nearer to an argument of the sweep than to any setting."""
    from dlcourse.config.settings import KNOWN
    from dlcourse.errors import nearest

    known = {*KNOWN, *tree.options()}
    for word in words:
        key = word.partition("=")[0]
        if "." not in key and key not in known and nearest(key, [*known, *own]) in own:
            yield f"{key}: there is no such argument{suggestion(key, own)}"


def _refused_flags(flags: Sequence[str]) -> Iterator[str]:
    for flag in flags:
        if flag in ("--multirun", "--run"):
            yield f"{flag}: every sweep runs many; leave it out"
        elif not flag.startswith("--config-dir="):
            yield f"{flag.partition('=')[0]} is not taken by sweep; dlcourse train takes it"


def _fault(override: Override, *, said: Mapping[str, str]) -> str | None:
    """What a sweep cannot do with an override that train would take."""
    from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, RangeSweep, Sweep

    key, line, raw = override.key_or_group, override.input_line or "", cast("object", override.value())
    if key in TAKEN:
        return f"{key}: {TAKEN[key]}"
    if override.is_hydra_override():
        return f"{line}: a sweep starts its trainings itself; nothing of Hydra's own can be set"
    if key in said:
        return f"{key} is given twice: {said[key]} and {line}"
    if isinstance(raw, Sweep) and (tags := sorted(set(raw.tags) - {"log"})):
        return f"{line}: the tag {tags[0]!r} means nothing here; there is log, for an interval"
    if isinstance(raw, ChoiceSweep | RangeSweep) and raw.shuffle:
        return f"{line}: a shuffled order is another one each time; search=random draws in an order that stays"
    if isinstance(raw, IntervalSweep):
        low, high = cast("tuple[float, float]", (raw.start, raw.end))
        if key == "seed":
            return f"{line}: seeds are told one by one, such as seed=1,2,3, or counted by seeds=3"
        if not low < high:
            return f"{line}: the first number must be below the second"
        if "log" in raw.tags and low <= 0:
            return f"{line}: on a logarithmic scale all numbers must be above 0"
    return None


def _ends(axis: Interval) -> str:
    """The ends of an interval as values that can be checked."""
    return f"choice({axis.text(axis.low)},{axis.text(axis.high)})"


def _hinted(problem: str, *, axes: Sequence[Axis]) -> str:
    """The problem, with what to write where an interval gave fractions to a setting of whole numbers."""
    for axis in axes:
        if isinstance(axis, Interval) and problem.startswith(f"{axis.key} must be a whole number"):
            return f"{axis.key} must be a whole number; write {axis.key}=int(interval({axis.low:g},{axis.high:g}))"
    return problem


def _seeds(axis: Axis) -> tuple[int, ...]:
    """The seeds that `seed=1,2,3` tells; what is none is told by the check."""
    texts = axis.texts if isinstance(axis, Values) else ()
    return tuple(int(text) for text in texts if text.isdecimal())


def _dirs(flags: Sequence[str]) -> tuple[str, ...]:
    return Words(tuple(flags), ()).config_dirs
