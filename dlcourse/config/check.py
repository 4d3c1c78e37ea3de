"""All faults that the command line alone shows, together and without torch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse.config import settings, tree
from dlcourse.config.annotations import annotation_of
from dlcourse.config.compose import PRIMARY, compose
from dlcourse.config.kinds import named_values, shown
from dlcourse.config.names import unknown
from dlcourse.config.overrides import Words, parse_all
from dlcourse.config.settings import GROUPS, KNOWN, Known
from dlcourse.config.targets import target_fault
from dlcourse.errors import ConfigError, suggestion

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

MOST_COMBINATIONS = 64
"""A sweep over more combinations of options than this is checked on the first ones; Hydra checks the rest."""


@dataclass(frozen=True)
class Change:
    """One override of a value: its key, what it would be (several in a sweep), and how it is written."""

    key: str
    values: tuple[Any, ...]
    sign: str
    """"" changes, "+" adds, "++" does either, "~" takes away."""


def check(words: Words) -> Words:
    """The same words as Hydra is to be given them, values quoted where its grammar asks for it.

    Raises:
        ConfigError: every unknown key and option, wrong type and range, one line each.
    """
    overrides, problems = parse_all(words.overrides)
    problems = [*words.problems, *problems]
    problems += [
        f"--config-dir={folder}: there is no such folder" for folder in words.config_dirs if not Path(folder).is_dir()
    ]
    available = tree.options(words.config_dirs)
    choices: dict[str, list[str]] = {}
    changes: list[Change] = []
    selecting: list[str] = []
    for override in overrides:
        line = override.input_line or ""
        if override.is_hydra_override():
            selecting += [line] if override.key_or_group == "hydra.searchpath" else []
        elif fault := _sweep_fault(override, sweeps=words.sweeps):
            problems.append(fault)
        elif override.key_or_group in available:
            problems += _check_option(override, available=available, choices=choices)
        else:
            changes.append(_change(override))
    dirs = [folder for folder in words.config_dirs if Path(folder).is_dir()]
    name = words.value("--config-name") or PRIMARY
    for chosen in _combinations(choices):
        in_use = tree.choose(chosen, extra=dirs)
        problems += _check_twins(in_use, extra=dirs)
        selected = [f"{group}={option}" for group, option in chosen.items()] + selecting
        try:
            config = compose(selected, config_dirs=dirs, name=name, resolve=False)
        except ConfigError as error:
            problems += error.problems
            continue
        problems += _check_config(config, changes=changes, own={one.group for one in in_use.values() if one.own})
    if problems:
        raise ConfigError(*dict.fromkeys(problems))  # combinations of a sweep repeat theirs
    return replace(words, overrides=tuple(override.input_line or "" for override in overrides))


def _sweep_fault(override: Override, *, sweeps: bool) -> str | None:
    if not override.is_sweep_override():
        return None
    line = override.input_line or ""
    if not sweeps:
        return f"{line}: several values make a sweep; add -m, or quote a comma that belongs to the value"
    if not override.is_discrete_sweep():
        return f"{line}: an interval has no end of values; write choice(...) or range(start,stop,step)"
    return None


def _values(override: Override, options: Sequence[str] = ()) -> tuple[Any, ...]:
    from hydra.core.override_parser.types import Glob, QuotedString

    raw: object = override.value()
    if isinstance(raw, Glob):
        return tuple(raw.filter(list(options)))
    if not override.is_sweep_override():
        return (raw,)
    return tuple(item.text if isinstance(item, QuotedString) else item for item in override.sweep_iterator())


def _change(override: Override) -> Change:
    from hydra.core.override_parser.types import OverrideType

    sign = {OverrideType.CHANGE: "", OverrideType.ADD: "+", OverrideType.FORCE_ADD: "++", OverrideType.DEL: "~"}
    values = () if override.is_delete() else _values(override)
    return Change(override.key_or_group, values, sign[override.type])


def _check_option(
    override: Override, *, available: Mapping[str, Mapping[str, tree.Option]], choices: dict[str, list[str]]
) -> Iterator[str]:
    """A line for each option that is not there; those that are go into `choices`, by group as Hydra is told it."""
    group = override.key_or_group
    if override.is_delete():
        if group != "experiment":
            yield f"~{group}: a run needs one; write {group}=NAME"
        return
    for value in _values(override, tuple(available[group])):
        if value is None and group == "experiment":
            yield "experiment=null: that is what it is; leave it out"
        elif isinstance(value, str | int) and str(value) in available[group]:
            choices.setdefault(override.get_key_element(), []).append(str(value))
        elif isinstance(value, list | dict):
            yield f"{group} takes the name of an option, not {shown(value)}{suggestion('', available[group])}"
        else:
            name = "null" if value is None else str(value)
            yield f"{group}={name}: there is no such option{suggestion(name, available[group])}"


def _check_twins(in_use: Mapping[str, tree.Option], *, extra: Sequence[str]) -> Iterator[str]:
    """A line for each option in use that a file of the user's and a shipped one both define."""
    twins = tree.twins(extra)
    for group, option in in_use.items():
        if path := twins.get((group, option.name)):
            yield f"{path} bears the name of the shipped {group}={option.name}; give the file another name"


def _combinations(choices: Mapping[str, Sequence[str]]) -> Iterator[dict[str, str]]:
    for chosen in itertools.islice(itertools.product(*choices.values()), MOST_COMBINATIONS):
        yield dict(zip(choices, chosen, strict=True))


def _check_config(config: dict[str, Any], *, changes: Sequence[Change], own: set[str]) -> Iterator[str]:
    """The faults of one composition with every change laid over it.

    Args:
        config: what the chosen options make.
        changes: what the command line changes of it.
        own: the groups whose option is a file of the user's.
    """
    yield from _check_targets(config)
    for change in changes:
        yield from _check_change(config, change=change, own=own)
    for change in changes:
        if change.sign != "~" and change.key in KNOWN and len(change.values) == 1:
            tree.lay(config, change.key, value=change.values[0])
    yield from settings.faults(_without_interpolations(config))


def _check_change(config: Mapping[str, Any], *, change: Change, own: set[str]) -> Iterator[str]:
    present, default = tree.look_up(config, change.key)
    if change.sign == "~":
        if not present:
            yield unknown(change.key, known=_keys(config), callee=_callee(config, change.key))
        elif change.key in KNOWN:
            yield f"~{change.key}: a run needs this setting; write {change.key}=VALUE"
        return
    if not present and (change.sign == "" or change.key.split(".")[0] not in GROUPS):
        yield unknown(change.key, known=_keys(config), callee=_callee(config, change.key))
        return
    if present and change.sign == "+":
        yield f"+{change.key}: it is there already; write {change.key}={shown(change.values[0])}"
        return
    for value in change.values:
        if change.key.rpartition(".")[2] == "_target_":
            line = target_fault(value, at=change.key)
        elif change.key in KNOWN:
            line = None if _interpolated(value) else KNOWN[change.key].fault(value)
        else:
            # Who writes `lr: 1` into a YAML means a number; a shipped one says 1.0.
            loose = isinstance(default, int) and isinstance(value, float) and change.key.partition(".")[0] in own
            line = _argument_fault(config, change.key, value, default=default) if present and not loose else None
        if line:
            yield line


def _argument_fault(config: Mapping[str, Any], key: str, value: object, *, default: object) -> str | None:
    """The line for a value that an argument cannot take: by its annotation if that names words, else by its default."""
    annotation = annotation_of(_target(config, key) or "", key.rpartition(".")[2])
    if not set(named_values(annotation)) - {"true", "false"}:
        return _type_fault(key, value, default=default)
    return None if _interpolated(value) else Known(key, annotation, default, range=None, doc="").fault(value)


def _type_fault(key: str, value: object, *, default: object) -> str | None:
    """The line for a value of another type than its default; null and text defaults say too little to judge by."""
    if _interpolated(value) or _interpolated(default) or value is None or default is None:
        return None
    if isinstance(default, Mapping):
        inner = next(iter(default), "NAME")
        return None if isinstance(value, Mapping) else f"{key} is a group of settings; write {key}.{inner}=VALUE"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    wanted: dict[object, tuple[bool, str]] = {
        bool: (isinstance(value, bool), "true or false"),
        int: (number and (not isinstance(value, float)), "a whole number"),
        float: (number, "a number"),
        list: (isinstance(value, list), "a list such as [1,2]"),
        str: (not isinstance(value, list | dict), "text"),
    }
    fits, words = wanted.get(type(default), (True, ""))
    return None if fits else f"{key} must be {words}, not {shown(value)}"


def _interpolated(value: object) -> bool:
    return isinstance(value, str) and "${" in value


def _without_interpolations(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config without the values that only resolving can tell."""
    return {
        key: _without_interpolations(value) if isinstance(value, Mapping) else value
        for key, value in config.items()
        if not _interpolated(value)
    }


def _check_targets(node: object, *, at: str = "") -> Iterator[str]:
    pairs = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        here = f"{at}.{key}" if at else str(key)
        if key == "_target_":
            if line := target_fault(value, at=here):
                yield line
        else:
            yield from _check_targets(value, at=here)


def _callee(config: Mapping[str, Any], key: str) -> str | None:
    """The last word of what the key's parent calls: `sgd`."""
    target = _target(config, key)
    return target.rpartition(".")[2] if target else None


def _target(config: Mapping[str, Any], key: str) -> str | None:
    """What the key's parent calls, if it is a call."""
    present, parent = tree.look_up(config, key.rpartition(".")[0])
    target = parent.get("_target_") if present and isinstance(parent, Mapping) else None
    return str(target) if target else None


def _keys(config: Mapping[str, Any]) -> list[str]:
    return [key for key in tree.flat(config) if key.rpartition(".")[2] != "_target_"]
