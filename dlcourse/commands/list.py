"""`dlcourse list [GROUP]`: every option of every group with its one-line purpose, the user's own among them."""

from __future__ import annotations

from dataclasses import dataclass

from dlcourse.commands.arguments import argument, read
from dlcourse.config.tree import Option, options, twins
from dlcourse.errors import ConfigError, suggestion


@dataclass(frozen=True)
class Arguments:
    """What `list` takes."""

    group: str | None = argument("Show the options of this group alone.", default=None, bare=True)
    config_dir: str | None = argument("Look for options in this folder too.", default=None)


def main(argv: list[str]) -> int:
    """Print the options."""
    asked = read(Arguments, argv, command="list", purpose="Every option of every group, and what it is.")
    extra = [asked.config_dir] if asked.config_dir else []
    found = {group: members for group, members in options(extra).items() if members}
    if asked.group is not None and asked.group not in found:
        raise ConfigError(f"{asked.group}: there is no such group{suggestion(asked.group, found)}")
    shown = found if asked.group is None else {asked.group: found[asked.group]}
    width = max(len(f"{group}={name}") for group, members in shown.items() for name in members)
    print(
        "\n\n".join("\n".join(line(option, width=width) for option in members.values()) for members in shown.values())
    )
    for (group, name), path in twins(extra).items():
        print(f"\n{path} bears the name of the shipped {group}={name}; give the file another name")
    return 0


def line(option: Option, *, width: int) -> str:
    """One option as the list shows it; the user's own are marked."""
    mark = "  (yours)" if option.own else ""
    return f"{f'{option.group}={option.name}':{width}}  {option.purpose}{mark}".rstrip()
