"""`dlcourse explain KEY [overrides]`: one setting's type, default, where it is set, and what its docstring says."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlcourse.config import tree
from dlcourse.config.build import argument_types
from dlcourse.config.check import check
from dlcourse.config.compose import compose
from dlcourse.config.docs import argument_docs
from dlcourse.config.kinds import describe, shown
from dlcourse.config.names import unknown
from dlcourse.config.overrides import Words, parse_all, split
from dlcourse.config.settings import KNOWN
from dlcourse.config.targets import resolve
from dlcourse.errors import ConfigError

USAGE = """\
usage: dlcourse explain KEY [GROUP=OPTION ...] [SETTING=VALUE ...]

One setting: its value, type and default, where it is set and what it does.

  dlcourse explain epochs
  dlcourse explain optimizer.lr
  dlcourse explain optimizer.betas optimizer=adamw
  dlcourse explain optimizer
"""


def main(argv: list[str]) -> int:
    """Print what is known of one key."""
    if {"--help", "-h"} & set(argv):
        print(USAGE, end="")
        return 0
    words = split(argv)
    named = [word.removeprefix("key=") for word in words.overrides if "=" not in word.removeprefix("key=")]
    if len(named) != 1:
        raise ConfigError("explain takes one key, such as optimizer.lr; overrides are key=value")
    overrides = tuple(word for word in words.overrides if "=" in word.removeprefix("key="))
    print("\n".join(explain(named[0], words=check(replace(words, overrides=overrides)))))
    return 0


def explain(key: str, *, words: Words) -> Iterator[str]:
    """The lines of the answer.

    Raises:
        ConfigError: there is no such key in the config that `words` compose.
    """
    chosen = tree.choose(_choices(words), extra=words.config_dirs)
    available = tree.options(words.config_dirs)
    if key in available:
        yield from _group(key, available[key], chosen=chosen.get(key))
        return
    config = compose(words.overrides, config_dirs=words.config_dirs, resolve=False)
    values = tree.flat(config)
    present, value = tree.look_up(config, key)
    parent = key.rpartition(".")[0]
    node = tree.look_up(config, parent)[1] if parent else config
    if not present:
        callee = str(node["_target_"]).rpartition(".")[2] if node and "_target_" in node else None
        raise ConfigError(unknown(key, known=[one for one in values if not one.endswith("_target_")], callee=callee))
    yield f"{key} = {shown(value)}"
    if known := KNOWN.get(key):
        yield f"  type     {describe(known.annotation)}"
        if known.range:
            yield f"  allowed  {known.range.words}"
        yield f"  default  {shown(known.default)}"
        yield from _where(key, chosen=chosen, words=words)
        yield from _sentence(known.doc)
        return
    yield from _of_call(key, node=node, chosen=chosen, words=words)


def _of_call(key: str, *, node: Mapping[str, Any], chosen: Mapping[str, tree.Option], words: Words) -> Iterator[str]:
    """What the signature and the docstring say of an argument."""
    name = key.rpartition(".")[2]
    if isinstance(node[name], Mapping):
        for inner in tree.flat(node[name], prefix=f"{key}."):
            sentence = KNOWN[inner].doc if inner in KNOWN else ""
            yield f"  {inner:26} {sentence}".rstrip()
    if "_target_" not in node:
        yield from _where(key, chosen=chosen, words=words)
        return
    callee = resolve(node["_target_"], at=key.rpartition(".")[0], allow_code=True)
    hints, parameters = argument_types(callee), inspect.signature(callee).parameters
    if name in hints:
        yield f"  type     {describe(hints[name])}"
    if name in parameters:
        default = parameters[name].default
        needed = default is inspect.Parameter.empty
        yield f"  default  {'none: the data or the config must say' if needed else shown(default)}"
    yield from _where(key, chosen=chosen, words=words)
    yield f"  for      {node['_target_']}"
    yield from _sentence(argument_docs(callee).get(name, ""))


def _group(group: str, members: Mapping[str, tree.Option], *, chosen: tree.Option | None) -> Iterator[str]:
    yield f"{group} = {chosen.name if chosen else 'null'}"
    for name, option in members.items():
        yield f"  {name:14} {option.purpose}{'  (yours)' if option.own else ''}".rstrip()
    if chosen:
        keys = [key for key in tree.flat(tree.read_yaml(chosen.path)) if not key.startswith(("_", "defaults"))]
        yield from textwrap.wrap(f"its settings: {', '.join(keys)}", initial_indent="  ", subsequent_indent="    ")


def _where(key: str, *, chosen: Mapping[str, tree.Option], words: Words) -> Iterator[str]:
    """Who has the last word on a key: the command line, an option's file, or train.yaml."""
    if any(override.key_or_group == key for override in parse_all(words.overrides)[0]):
        yield "  set      on the command line"
        return
    for option in reversed(list(chosen.values())):
        content = tree.read_yaml(option.path)
        keys = tree.flat(content if tree.is_global(option.path) else {option.group: content})
        if key in keys:
            yield f"  set in   {_short(option.path)} ({option.group}={option.name})"
            return
    yield f"  set in   {_short(tree.package_folder() / 'train.yaml')}"


def _sentence(text: str) -> Iterator[str]:
    yield from textwrap.wrap(text, width=100, initial_indent="  ", subsequent_indent="  ")


def _short(path: Path) -> str:
    """A path as seen from here, if it is below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _choices(words: Words) -> dict[str, str | None]:
    """group -> option, as the command line has it."""
    groups = tree.options(words.config_dirs)
    found = parse_all(words.overrides)[0]
    return {one.key_or_group: str(one.value()) for one in found if one.key_or_group in groups}
