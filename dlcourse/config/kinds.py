"""Plain values against Python annotations: which values fit, what a person would call them."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

NAMES: Mapping[object, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    type(None): "null",
}
SEQUENCES = (list, tuple, Sequence, set, frozenset)


class Misfit(TypeError):
    """A value is not what its annotation allows; the text is what it must be."""


def conform(value: object, annotation: Any) -> Any:
    """The value as the annotation wants it: 1 becomes 1.0 for a float, a list becomes a tuple where one is asked for.

    Annotations that say nothing about plain values (a Tensor, a callable) let everything through.

    Raises:
        Misfit: no reading of the value fits.
    """
    for choice in choices(annotation):
        accepted, reading = _read(value, choice)
        if accepted:
            return reading
    raise Misfit(describe(annotation))


def choices(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, those that take a value unchanged first; a plain annotation is its own only member."""
    if get_origin(annotation) in (Union, types.UnionType):
        # int before float before str, so that `int | str` keeps 3 a number.
        order = [bool, int, float]
        return tuple(sorted(get_args(annotation), key=lambda kind: order.index(kind) if kind in order else len(order)))
    return (annotation,)


def describe(annotation: Any) -> str:
    """What a person would call it: "a whole number or null"."""
    words: list[str] = []
    members = choices(annotation)
    for choice in sorted(members, key=lambda member: member is type(None)):
        origin = get_origin(choice)
        if origin is Literal:
            words += [str(name) for name in get_args(choice)]
        elif choice is bool:
            words += ["true", "false"]
        elif origin in SEQUENCES or choice in SEQUENCES:
            words.append("a list such as [1,2]")
        else:
            words.append(NAMES.get(choice, getattr(choice, "__name__", str(choice))))
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _read(value: object, kind: Any) -> tuple[bool, object]:
    """Whether `value` can be read as `kind`, and what it is then."""
    origin = get_origin(kind)
    if origin is Literal:
        # A comparison alone would let True pass for 1.
        return any(value == name and type(value) is type(name) for name in get_args(kind)), value
    if origin in SEQUENCES or kind in SEQUENCES:
        return _read_sequence(value, kind)
    plain = isinstance(value, int | float | str) and not isinstance(value, bool)
    if kind is bool:
        fits, reading = isinstance(value, bool), value
    elif kind is int:
        fits, reading = plain and isinstance(value, int), value
    elif kind is float:
        fits = plain and isinstance(value, int | float)
        reading = float(value) if fits else value  # type: ignore[arg-type]
    elif kind is str or kind is Path:
        # A folder may be called 2024, which YAML reads as a number.
        fits = plain and isinstance(value, str | int)
        reading = (str(value) if kind is str else Path(str(value))) if fits else value
    else:
        fits, reading = value is None or kind is not type(None), value
    return fits, reading


def _read_sequence(value: object, kind: Any) -> tuple[bool, object]:
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return False, value
    members = get_args(kind)
    make = tuple if (get_origin(kind) or kind) is tuple else list
    fixed = make is tuple and members and members[-1] is not ...
    if fixed and len(members) != len(value):
        return False, value
    wanted = members if fixed else (members[0] if members else object,) * len(value)
    try:
        return True, make(conform(item, member) for item, member in zip(value, wanted, strict=True))
    except Misfit:
        return False, value


def named_values(annotation: Any) -> list[str]:
    """The values that can be told one by one: those of a Literal, true and false; none for numbers and text."""
    found: list[str] = []
    for choice in choices(annotation):
        found += ["true", "false"] if choice is bool else []
        found += map(str, get_args(choice)) if get_origin(choice) is Literal else []
    return found


def expand(text: str) -> str:
    """A path with its leading `~/` put in full; nothing else about it is touched."""
    return str(Path.home()) + text[1:] if text == "~" or text.startswith("~/") else text


def shown(value: object) -> str:
    """A value as it would stand on the command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{shown(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(shown(item) for item in value) + "]"
    return repr(value) if isinstance(value, str) else str(value)
