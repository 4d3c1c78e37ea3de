"""`dlcourse explain KEY [overrides]`: what one setting, one group or one option is, and where it is set."""

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
  dlcourse explain optimizer                     the options of a group
  dlcourse explain data=reviews                  one option and its settings, or by its name alone
  dlcourse explain data.path data=reviews        a setting that only some options have
"""


def main(argv: list[str]) -> int:
    """Print what is known of one key."""
    if {"--help", "-h"} & set(argv):
        print(USAGE, end="")
        return 0
    words = split(argv)
    named = [word.removeprefix("key=") for word in words.overrides if "=" not in word.removeprefix("key=")]
    overrides = tuple(word for word in words.overrides if "=" in word.removeprefix("key="))
    if not named and len(overrides) == 1:  # `init=from_run` asks for the option, `epochs=5` for the setting
        key, _, value = overrides[0].partition("=")
        named = [value if key in tree.options(words.config_dirs) else key]
    if len(named) != 1:
        raise ConfigError("explain takes one key, such as optimizer.lr; overrides are key=value")
    print("\n".join(explain(named[0], words=check(replace(words, overrides=overrides)))))
    return 0


def explain(key: str, *, words: Words) -> Iterator[str]:
    """The lines of the answer.

    Args:
        key: a setting, a group, or the name of an option, of which `words` may say the group.
        words: what the config is composed of.

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
    if not present and (found := _named(key, available=available, given=_choices(words))):
        for option in found:
            yield from _option(option)
        return
    if not present:
        if takers := _takers(key, members=available.get(key.partition(".")[0], {})):
            group = key.partition(".")[0]
            option = chosen.get(group)
            raise ConfigError(
                f"{key}: {group}={option.name if option else 'null'} takes no such argument, but "
                f"{', '.join(takers)} {'do' if len(takers) > 1 else 'does'}; "
                f"write dlcourse explain {key} {group}={takers[0]}"
            )
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


def _named(
    name: str, *, available: Mapping[str, Mapping[str, tree.Option]], given: Mapping[str, str | None]
) -> list[tree.Option]:
    """The options of that name: those of a group that the command line chose, or else of every group."""
    found = [members[name] for members in available.values() if name in members]
    return [option for option in found if given.get(option.group) == name] or found


def _takers(key: str, *, members: Mapping[str, tree.Option]) -> list[str]:
    """The options of a group whose files have this key."""
    return [name for name, option in members.items() if key in _settings(option)]


def _settings(option: tree.Option) -> dict[str, Any]:
    """Dotted key -> value of all that an option's file sets, without whom it calls."""
    content = {key: value for key, value in tree.read_yaml(option.path).items() if key != "defaults"}
    keys = tree.flat(content if tree.is_global(option.path) else {option.group: content})
    return {key: value for key, value in keys.items() if key.rpartition(".")[2] != "_target_"}


def _option(option: tree.Option) -> Iterator[str]:
    """An option's purpose, the options that it brings, and its settings with what its docstring says of them."""
    yield f"{option.group}={option.name}"
    yield from _sentence(option.purpose)
    content = tree.read_yaml(option.path)
    if brought := [f"{group}={name}" for group, name, _ in tree.defaults_of(content)]:
        yield from _sentence(f"brings {', '.join(brought)}")
    node = content.get(option.group) if tree.is_global(option.path) else content
    target = node.get("_target_") if isinstance(node, Mapping) else None
    docs = argument_docs(resolve(target, at=option.group, allow_code=True)) if target else {}
    for key, value in _settings(option).items():
        known = KNOWN.get(key)
        doc = known.doc if known else docs.get(key.removeprefix(f"{option.group}."), "")
        yield from textwrap.wrap(
            f"{f'{key} = {shown(value)}':32} {doc}".rstrip(), width=100, initial_indent="  ", subsequent_indent=" " * 35
        )
    yield f"  set in   {_short(option.path)}"
    yield f"  use      dlcourse train {option.group}={option.name}"


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
