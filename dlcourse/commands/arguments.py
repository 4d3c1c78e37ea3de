"""The one reader of words for commands that Hydra does not compose.

`key=value`, `--key value`, `--key=value` and, where declared, a bare word are the same argument; values are verbatim.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from dlcourse.config.kinds import Misfit, choices, conform, describe, expand, shown
from dlcourse.errors import ConfigError, suggestion

KEY = re.compile(r"[A-Za-z_][\w.-]*")
WORDS = {"true": True, "false": False, "null": None}

T = TypeVar("T")


def argument(help: str, *, default: object = MISSING, bare: bool = False, key: str | None = None) -> Any:
    """A dataclass field that a command line can set.

    Args:
        help: the sentence that --help prints.
        default: its value when nothing is said; without one it must be given.
        bare: whether a word without `key=` means this argument.
        key: its name on the command line if it is not the field's, such as "runtime.device".
    """
    return field(default=default, metadata={"help": help, "bare": bare, "key": key})  # type: ignore[call-overload]


@dataclass(frozen=True)
class Slot:
    """One field as the command line sees it."""

    key: str
    item: Field[Any]
    annotation: object

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.item.default is MISSING

    @property
    def many(self) -> bool:
        """Whether it takes every word that it is given, in a tuple."""
        return get_origin(self.annotation) is tuple

    def value(self, text: str) -> object:
        """The typed value of what was written; a path's `~/` is expanded.

        Raises:
            Misfit: the text is no such value.
        """
        annotation = get_args(self.annotation)[0] if self.many else self.annotation
        kinds = choices(annotation)
        if str in kinds or Path in kinds:
            if text == "null" and type(None) in kinds:
                return None
            text = expand(text)
            return Path(text) if Path in kinds else text
        for reading in (WORDS.get(text.lower(), text), _number(text)):
            try:
                return conform(reading, annotation)
            except Misfit:
                continue
        raise Misfit(describe(annotation))


def read(kind: type[T], argv: Sequence[str], *, command: str, purpose: str = "") -> T:
    """The arguments of one command, typed.

    Args:
        kind: a frozen dataclass whose fields were made by `argument`.
        argv: the words after the command's name.
        command: its name, for the messages.
        purpose: what the command does, for --help.

    Raises:
        ConfigError: every fault, one line each.
        SystemExit: after printing the help, if that was asked for.
    """
    if {"--help", "-h"} & set(argv):
        print(usage(kind, command=command, purpose=purpose), end="")
        raise SystemExit(0)
    slots = slots_of(kind)
    values: dict[str, Any] = {}
    problems: list[str] = []
    for key, text in _pairs(argv, slots=slots, problems=problems):
        slot = slots[key]
        try:
            value = slot.value(text)
        except Misfit as misfit:
            problems.append(f"{key} must be {misfit}, not {shown(text)}")
            continue
        if slot.many:
            values[slot.item.name] = (*values.get(slot.item.name, ()), value)
        elif (before := values.setdefault(slot.item.name, value)) is not value and before != value:
            problems.append(f"{key} is given twice: {shown(before)} and {shown(value)}")
    told = " ".join(problems)
    bare = [key.upper() for key, slot in slots.items() if slot.required and slot.item.metadata["bare"]]
    for key, slot in slots.items():
        if slot.required and slot.item.name not in values and f"{key} must" not in told:
            # One of several words that stand side by side is best shown beside the others.
            form = " ".join(bare) if len(bare) > 1 and slot.item.metadata["bare"] else f"{key}={key.upper()}"
            problems.append(f"{key} is missing; write dlcourse {command} {form}")
    if problems:
        raise ConfigError(*problems)
    return kind(**values)


def slots_of(kind: type[Any]) -> dict[str, Slot]:
    """Key on the command line -> field."""
    hints = get_type_hints(kind)
    slots = [Slot(item.metadata["key"] or item.name, item, hints[item.name]) for item in fields(kind)]
    return {slot.key: slot for slot in slots}


def usage(kind: type[Any], *, command: str, purpose: str) -> str:
    """What --help prints, made from the dataclass."""
    slots = slots_of(kind)
    words = [f"[{key}={key.upper()}]" if not slot.required else f"{key}={key.upper()}" for key, slot in slots.items()]
    lines = [f"usage: dlcourse {command} {' '.join(words)}".rstrip(), *([f"\n{purpose}"] if purpose else []), ""]
    for key, slot in slots.items():
        default = "" if slot.required else f"; default {shown(slot.item.default)}"
        bare = "; its name may be left out" if slot.item.metadata["bare"] else ""
        lines += textwrap.wrap(
            f"{slot.item.metadata['help']} ({describe(slot.annotation)}{default}{bare})",
            width=100, initial_indent=f"  {key:18} ", subsequent_indent=" " * 21,
        )  # fmt: skip
    return "\n".join([*lines, ""])


def _pairs(argv: Sequence[str], *, slots: dict[str, Slot], problems: list[str]) -> list[tuple[str, str]]:
    """(key, text) for every word, in order; those that say nothing become problems."""
    found: list[tuple[str, str]] = []
    bare = [key for key, slot in slots.items() if slot.item.metadata["bare"]]
    words = list(argv)
    only_bare = False
    while words:
        word = words.pop(0)
        if word == "--" and not only_bare:
            only_bare = True
            continue
        dashed = word.startswith("--") and not only_bare
        key, equals, text = word.removeprefix("--").partition("=") if dashed else word.partition("=")
        if dashed:
            key = key if key in slots else key.replace("-", "_")
        named = dashed or (bool(equals) and not only_bare and KEY.fullmatch(key) is not None)
        if named and key not in slots:
            texts = not dashed and any(slots[name].many for name in bare)
            hint = f"; a text that holds = stands behind --, as in -- {word!r}" if texts else ""
            problems.append(f"{key}: there is no such argument{suggestion(key, slots)}{hint}")
            if dashed and not equals and words and "=" not in words[0] and not words[0].startswith("-"):
                words.pop(0)  # its value
        elif named and equals:
            found.append((key, text))
        elif named:
            found += _dashed_value(key, words, slot=slots[key], problems=problems)
        elif word.startswith("-") and len(word) > 1 and not only_bare:
            problems.append(f"{word}: there is no such flag{suggestion(word.lstrip('-'), slots)}")
        elif free := [name for name in bare if slots[name].many or name not in dict(found)]:
            found.append((free[0], word))
        else:
            problems.append(f"{word!r} says nothing here; write key=value{suggestion(word, slots)}")
    return found


def _dashed_value(key: str, words: list[str], *, slot: Slot, problems: list[str]) -> list[tuple[str, str]]:
    """What follows `--key`; a switch needs nothing."""
    if slot.annotation is bool and (not words or words[0].lower() not in ("true", "false")):
        return [(key, "true")]
    if not words:
        problems.append(f"--{key} needs a value: {describe(slot.annotation)}")
        return []
    return [(key, words.pop(0))]


def _number(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
