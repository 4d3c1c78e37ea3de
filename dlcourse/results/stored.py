"""A run folder's config.yaml as plain data: anybody's file, so it is measured before it is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from dlcourse.config.tree import look_up

MOST_BYTES, MOST_VALUES, MOST_DEPTH = 200_000, 10_000, 20  # ours has 2,000, 100 and 3
CHOICES = "choices"  # the key of config.yaml under which the chosen options stand


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, in C where there is one: a thousand configs take 2 s instead of 15."""


def read_config(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The config that a run was started with, and group -> option chosen, groups without one left out.

    Raises:
        ValueError: it is none; the text says why.
        OSError: it cannot be read.
    """
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"it has more than {MOST_BYTES:,} bytes")
    text = path.read_text(encoding="utf-8")
    try:
        check_depth(text)
        config = yaml.load(text, Loader=_Loader)  # noqa: S506  (a safe loader)
    except (yaml.YAMLError, RecursionError, OverflowError, TypeError) as error:
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error
    check_extent(config)
    if not isinstance(config, dict):
        raise ValueError("it does not hold keys and values")  # noqa: TRY004  (a file is at fault, not an argument)
    choices: object = cast("dict[str, Any]", config).pop(CHOICES, None)
    if not isinstance(choices, dict):
        raise ValueError("it does not say which options were chosen")  # noqa: TRY004
    named = {group: name for group, name in cast("dict[Any, Any]", choices).items() if name is not None}
    if not all(isinstance(word, str) for pair in named.items() for word in pair):
        raise ValueError("an option that was chosen is no name")
    return cast("dict[str, Any]", config), named


def check_depth(text: str) -> None:
    """Raise ValueError if values stand in values more than `MOST_DEPTH` deep: libyaml's own stack would overflow."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise ValueError(f"it is nested more than {MOST_DEPTH} deep")


def check_extent(value: object) -> None:
    """Raise ValueError if there are more values in it than a config has, as where an alias holds itself."""
    waiting: list[tuple[object, int]] = [(value, 0)]
    count = 0
    while waiting:
        item, depth = waiting.pop()
        count += 1
        if depth > MOST_DEPTH:
            raise ValueError(f"it is nested more than {MOST_DEPTH} deep")
        if isinstance(item, dict | list):
            inner = cast("dict[Any, Any]", item).values() if isinstance(item, dict) else cast("list[object]", item)
            waiting += [(one, depth + 1) for one in inner]
        if count + len(waiting) > MOST_VALUES:
            raise ValueError(f"it holds more than {MOST_VALUES:,} values")


def plain_settings(config: Mapping[str, Any], *, choices: Mapping[str, str]) -> dict[str, object]:
    """Dotted name -> value of every plain setting and list, `_target_`s apart; the choices under the groups' names.

    Args:
        config: as `read_config` gives it, which bounds its size.
        choices: likewise.
    """
    found: dict[str, object] = {}
    waiting: list[tuple[str, object]] = [("", config)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            inner = cast("dict[Any, Any]", value).items()
            waiting += [(f"{name}.{key}" if name else str(key), one) for key, one in reversed(list(inner))]
        elif name.rpartition(".")[2] != "_target_":
            found[name] = plain(value)
    return {**found, **choices}


def targets_of(config: Mapping[str, Any], *, choices: Mapping[str, str]) -> dict[str, str]:
    """Group -> the `_target_` that its option calls; a group that calls nothing is left out.

    Args:
        config: as `read_config` gives it.
        choices: likewise.
    """
    found = {group: look_up(config, f"{place_of(group)}._target_")[1] for group in choices}
    return {group: target for group, target in found.items() if isinstance(target, str)}


def place_of(group: str) -> str:
    """Where in a config the option of a group stands: `init.svd` of `init@init.svd`."""
    name, _, place = group.partition("@")
    return place or name


def plain(value: object) -> object:
    """The value as JSON can hold it; what it cannot, such as YAML's dates, as text."""
    if isinstance(value, list):
        return [one if isinstance(one, bool | int | float | str | None) else str(one) for one in value]
    return value if isinstance(value, bool | int | float | str | None) else str(value)
